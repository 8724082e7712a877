"""What a process takes over time: memory, threads, open files, and the size of what it keeps."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import psutil

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a process.

    Parameters
    ----------
    seconds
        Since the first look.
    rss_mib
        Memory that it occupies.
    handles
        Open files, sockets and the like.
    children
        Processes that it started and that still run.
    store_mib, backups_mib, checkpoints_mib, log_mib
        Of all its projects together.
    """

    seconds: float
    rss_mib: float
    threads: int
    handles: int
    children: int
    store_mib: float
    backups_mib: float
    checkpoints_mib: float
    cache_mib: float
    log_mib: float


def take_sample(process: psutil.Process, seconds: float, data_folders: Sequence[Path]) -> Sample:
    """Look at a process and at its projects' ``.slidebridge`` folders."""

    def size(pattern: str) -> float:
        return sum(_size(path) for folder in data_folders for path in folder.glob(pattern)) / MIB

    return Sample(
        seconds=seconds,
        rss_mib=process.memory_info().rss / MIB,
        threads=process.num_threads(),
        handles=_handles(process),
        children=len(process.children(recursive=True)),
        store_mib=size("store.sqlite*"),
        backups_mib=size("backups/**/*"),
        checkpoints_mib=size("checkpoints/**/*"),
        cache_mib=size("predictions/**/*"),
        log_mib=size("log/**/*"),
    )


def _handles(process: psutil.Process) -> int:
    if sys.platform == "win32":
        return process.num_handles()
    return process.num_fds()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


@dataclass(frozen=True, slots=True)
class Trend:
    """How one figure went after the warm-up.

    Parameters
    ----------
    per_hour
        Slope of the straight line of least squares.
    bound
        Largest slope that still counts as flat; None: not judged, only shown.
    """

    name: str
    least: float
    most: float
    first: float
    last: float
    per_hour: float
    bound: float | None

    @property
    def is_flat(self) -> bool:
        """Whether it doesn't grow beyond its bound."""
        return self.bound is None or self.per_hour <= self.bound

    def __str__(self) -> str:
        verdict = "" if self.bound is None else f"{'flat' if self.is_flat else 'GROWS'} (bound {self.bound:g}/h)"
        figures = f"{self.least:9.1f} {self.most:9.1f} {self.first:9.1f} {self.last:9.1f} {self.per_hour:+11.2f}"
        return f"{self.name:<16} {figures}   {verdict}"


HEADER = f"{'':<16} {'least':>9} {'most':>9} {'first':>9} {'last':>9} {'per hour':>11}"


def trends(samples: Sequence[Sample], bounds: Mapping[str, float], *, warm_up: float) -> tuple[Trend, ...]:
    """Return how each figure went.

    Parameters
    ----------
    bounds
        Figure → growth per hour that still counts as flat.
    warm_up
        Share of the time that is left out: what is imported and cached at first isn't growth.

    Examples
    --------
    >>> flat = Sample(0, 100, 5, 20, 0, 1, 1, 1, 1, 1)
    >>> grown = Sample(3600, 130, 5, 20, 0, 1, 1, 1, 1, 1)
    >>> [t.is_flat for t in trends([flat, grown], {"rss_mib": 20.0, "threads": 0.5}, warm_up=0)][:2]
    [False, True]
    """
    until = warm_up * samples[-1].seconds
    kept = [sample for sample in samples if sample.seconds >= until]
    hours = np.array([sample.seconds for sample in kept]) / 3600
    return tuple(
        _trend(field.name, hours, [float(getattr(sample, field.name)) for sample in kept], bounds.get(field.name))
        for field in fields(Sample)
        if field.name != "seconds"
    )


def _trend(name: str, hours: np.ndarray, values: Sequence[float], bound: float | None) -> Trend:
    slope = float(np.polyfit(hours, values, 1)[0]) if len(values) > 1 else 0.0
    return Trend(name, min(values), max(values), values[0], values[-1], slope, bound)


def save_samples(path: Path, samples: Sequence[Sample]) -> None:
    """Write a table of comma-separated values, one row per sample."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)])
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in samples)
