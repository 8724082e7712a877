"""What a benchmark ran on: enough to judge its figures by, nothing that names the machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
LIBRARIES = ("numpy", "scipy", "shapely", "rasterio", "lxml", "orjson", "openslide-python", "onnxruntime", "torch")
"""Named with every bench that names none by ``LIBRARIES`` of its own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, system, Python and libraries, and which commit ran when.

    Parameters
    ----------
    memory_gib
        All of it, whole GiB.
    libraries
        Name and version of each that is installed.
    commit
        Short; with ``+`` where files differ from it; empty without git.
    """

    processor: str
    cores: int
    memory_gib: int
    system: str
    python: str
    libraries: tuple[tuple[str, str], ...]
    commit: str
    day: date

    def __str__(self) -> str:
        hardware = f"{self.processor}, {self.cores} cores, {self.memory_gib} GiB"
        libraries = ", ".join(f"{name} {version}" for name, version in self.libraries)
        commit = f" at {self.commit}" if self.commit else ""
        return f"{hardware}; {self.system}, Python {self.python}; {libraries}; {self.day.isoformat()}{commit}"


def this_machine(today: date, libraries: Sequence[str] = LIBRARIES) -> Machine:
    """Look at the machine that this runs on."""
    return Machine(
        processor=_processor(),
        cores=psutil.cpu_count() or 1,
        memory_gib=round(psutil.virtual_memory().total / (1 << 30)),
        system=_system(),
        python=platform.python_version(),
        libraries=tuple((name, version) for name in libraries if (version := _version(name))),
        commit=_commit(),
        day=today,
    )


def _processor() -> str:
    """Return the processor's model; ``platform`` alone says no more than ``x86_64`` on Linux."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    if platform.system() == "Linux":
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except OSError:
            return "Linux"
    return f"{platform.system()} {platform.release()}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    try:
        short, changed = (
            _git(*words) for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return short + ("+" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
