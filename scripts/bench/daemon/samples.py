"""What a process takes over time: memory, threads, open files, and the size of what it keeps."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from scipy.stats import theilslopes

MIB = 1 << 20
STRETCH_SECONDS = 120.0  # in which every kind of job begins and ends several times


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
        Slope of what is never given back: the least values of each ``STRETCH_SECONDS``, and the median of the slopes
        between any two of them (Theil and Sen). A look that falls into a training says nothing of a leak.
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
    >>> kept = [Sample(60.0 * minute, 100 + minute, 5, 20, 0, 1, 1, 1, 1, 1) for minute in range(60)]
    >>> [round(t.per_hour) for t in trends(kept, {}, warm_up=0)][:2]
    [60, 0]
    """
    until = warm_up * samples[-1].seconds
    kept = [sample for sample in samples if sample.seconds >= until]
    seconds = np.array([sample.seconds for sample in kept])
    return tuple(
        _trend(field.name, seconds, [float(getattr(sample, field.name)) for sample in kept], bounds.get(field.name))
        for field in fields(Sample)
        if field.name != "seconds"
    )


def _trend(name: str, seconds: NDArray[np.float64], values: Sequence[float], bound: float | None) -> Trend:
    return Trend(name, min(values), max(values), values[0], values[-1], _floor_slope(seconds, values), bound)


def _floor_slope(seconds: NDArray[np.float64], values: Sequence[float]) -> float:
    stretches = seconds // STRETCH_SECONDS
    floors = [np.asarray(values)[stretches == stretch].min() for stretch in np.unique(stretches)]
    hours = np.unique(stretches) * STRETCH_SECONDS / 3600
    return float(theilslopes(floors, hours).slope) if len(floors) > 1 else 0.0


def save_samples(path: Path, samples: Sequence[Sample]) -> None:
    """Write a table of comma-separated values, one row per sample."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Sample)])
        writer.writeheader()
        writer.writerows(asdict(sample) for sample in samples)
