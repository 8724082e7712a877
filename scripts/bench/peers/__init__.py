"""Others' tools, each in an environment of its own under ``.bench/``, made from the lock file of its name beside this.

A lock pins what matters with ``name==version`` lines; what only one system needs (CUDA's libraries) is left to pip. A
peer's program is a script beside the lock, run by that environment's Python: it imports nothing of ours, takes its
input by arguments and files, and answers with lines of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from filelock import FileLock

from bridge.errors import BridgeError

LOCKS = Path(__file__).parent
ENVIRONMENTS = Path(__file__).parents[3] / ".bench"
_STAMP = "made-from"
_INSTALL_SECONDS = 3600.0
_RUN_SECONDS = 1800.0


class PeerMissing(BridgeError):  # noqa: N818 -- no error of ours: the peer isn't to be had here
    """A peer can't be installed or doesn't run on this machine."""


def peer_python(name: str, *, locks: Path = LOCKS, environments: Path = ENVIRONMENTS) -> Path:
    """Return the Python of a peer's environment, which is made if it isn't there or its lock has changed.

    Raises
    ------
    PeerMissing
        It can't be made: no network, no wheel for this system or this Python.
    """
    lock, environment = locks / f"{name}.lock", environments / name
    if not lock.exists():
        raise PeerMissing(
            f"{name} has no lock file; there are {', '.join(sorted(p.stem for p in locks.glob('*.lock')))}"
        )
    environments.mkdir(parents=True, exist_ok=True)
    made_from = _fingerprint(lock)
    with FileLock(environments / f"{name}.busy"):
        if _read_stamp(environment) != made_from:
            _make(name, lock, environment)
            (environment / _STAMP).write_text(made_from, "utf-8")  # last: without it, an environment is half made
    return _python_of(environment)


def ask_peer(
    name: str, program: str, *arguments: object, locks: Path = LOCKS, environments: Path = ENVIRONMENTS
) -> tuple[dict[str, Any], ...]:
    """Run a peer's program, a file beside its lock; return what it said, one object a line.

    Raises
    ------
    PeerMissing
        There is no such peer here, or its program failed.
    """
    python = peer_python(name, locks=locks, environments=environments)
    command = [str(python), str(locks / program), *(str(argument) for argument in arguments)]
    return tuple(json.loads(line) for line in _said(command, name, _RUN_SECONDS).splitlines() if line.startswith("{"))


def _fingerprint(lock: Path) -> str:
    """Return what an environment rests on: the lock's text and the Python that makes it."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    return hashlib.sha256(lock.read_bytes().replace(b"\r\n", b"\n")).hexdigest() + f" python {version}"


def _read_stamp(environment: Path) -> str | None:
    stamp = environment / _STAMP
    return stamp.read_text("utf-8") if stamp.exists() else None


def _make(name: str, lock: Path, environment: Path) -> None:
    if environment.exists():
        shutil.rmtree(environment)
    venv.EnvBuilder(symlinks=os.name != "nt").create(environment)
    pip = [sys.executable, "-m", "pip", "--python", str(_python_of(environment)), "install", "--quiet"]
    options = ["--disable-pip-version-check", "--no-input", "--retries", "1", "--requirement", str(lock)]
    _said([*pip, *options], name, _INSTALL_SECONDS)


def _said(command: list[str], name: str, seconds: float) -> str:
    """Return what a command printed."""
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=seconds, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"{name}: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        reasons = [line for line in lines if line.startswith("ERROR")] or lines
        raise PeerMissing(f"{name}: {reasons[-1].removeprefix('ERROR:').strip()}")
    return done.stdout


def _python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
