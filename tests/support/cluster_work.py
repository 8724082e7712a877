"""Work for a cluster in tests: light, for each worker imports this; and what tells how far it is.

Imported by tests, and by workers, as ``cluster_work`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


def kill(process: int) -> None:
    """End a process at once, as a machine that fails does."""
    os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def wait_until(claim: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is so; another process makes it so."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def pid_in(path: Path) -> int | None:
    """Return the process that wrote its number there, last; None before."""
    lines = path.read_text("utf-8").split() if path.is_file() else []
    return int(lines[-1]) if lines else None


def note(path: Path) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")


def divide(by: int, *, workers: int = 12) -> float:
    return workers / by


def not_there(name: str) -> None:
    from bridge.errors import SlideNotFoundError

    raise SlideNotFoundError(f"slide {name} is not there")


def wait_for(go: Path, begun: Path) -> int:
    note(begun)
    wait_until(go.exists)
    return os.getpid()


def wait_until_unwanted(begun: Path, ended: Path) -> None:
    from scripts.executors import is_wanted

    note(begun)
    wait_until(lambda: not is_wanted())
    note(ended)


def die(begun: Path) -> None:
    note(begun)
    kill(os.getpid())
