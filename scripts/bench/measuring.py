"""How everything here is measured: medians of runs taken in turn, ratios, peak memory of a fresh process, exponents.

A bench is a module with ``NAME``, ``TITLE`` (a sentence) and ``rows(scale)``, which yields `Row` and `Scaling` as they
are measured. On a busy machine the seconds grow, the ratio of two works that ran in turn hardly does: that is what the
smoke run judges.
"""

from __future__ import annotations

import gc
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import psutil

from scripts.bench.rows import (
    Aim,
    Figure,
    Row,
    Scale,
    Scaling,
    Target,
    at_least,
    at_most,
    exponent,
    ratio_at_least,
)

__all__ = [
    "MIB",
    "Aim",
    "Cost",
    "Figure",
    "Row",
    "Scale",
    "Scaling",
    "Target",
    "at_least",
    "at_most",
    "cost_of",
    "exponent",
    "in_child",
    "in_turn",
    "ratio_at_least",
    "repeated",
    "timed",
]

MIB = 1 << 20
P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one work took.

    Parameters
    ----------
    peak_bytes
        What the whole process held at most while it worked, interpreter and libraries included.
    grown_bytes
        The part of it that is beyond what the process held before; where the system can't start a peak anew (all but
        Linux), beyond the peak before.
    """

    seconds: float
    peak_bytes: int
    grown_bytes: int

    @property
    def peak(self) -> Figure:
        """Of the whole process, in MiB."""
        return Figure.of([self.peak_bytes / MIB], "MiB")


def in_turn(
    ours: Callable[[], T],
    theirs: Callable[[], U],
    *,
    runs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Figure, Figure, T, U]:
    """Do two works in turn and return the seconds of both, and what each returned last.

    Who begins changes with every round: memory that the system hands out first is charged to whoever comes first.
    """
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(runs):
        if number % 2 == 0:
            our_seconds, our_result = timed(ours, clock)
        their_seconds, their_result = timed(theirs, clock)
        if number % 2:
            our_seconds, our_result = timed(ours, clock)
        seconds[0].append(our_seconds)
        seconds[1].append(their_seconds)
    return Figure.of(seconds[0]), Figure.of(seconds[1]), our_result, their_result


def repeated(work: Callable[[], T], *, runs: int, clock: Callable[[], float] = time.perf_counter) -> tuple[Figure, T]:
    """Do one work some times; return its seconds, and what it returned last."""
    seconds = []
    for _ in range(runs):
        took, result = timed(work, clock)
        seconds.append(took)
    return Figure.of(seconds), result


def timed(work: Callable[[], T], clock: Callable[[], float] = time.perf_counter) -> tuple[float, T]:
    """Do a work once; return its seconds and its result. Rubbish of the work before isn't charged to it."""
    gc.collect()
    start = clock()
    result = work()
    return clock() - start, result


def in_child(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> tuple[Cost, T]:
    """Do a work in a fresh process, which can import it; return what it took, the imports left out, and its result.

    Raises
    ------
    BrokenProcessPool
        The process died, for want of memory for example.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_costed, work, arguments, named).result()


def cost_of(work: Callable[[], T]) -> tuple[Cost, T]:
    """Do a work in this process; return what it took, and its result."""
    gc.collect()
    before = _start_peak()
    seconds, result = timed(work)
    peak = _peak()
    return Cost(seconds, peak, peak - before), result


def _costed(work: Callable[..., T], arguments: Sequence[object], named: dict[str, object]) -> tuple[Cost, T]:
    return cost_of(lambda: work(*arguments, **named))


def _start_peak() -> int:
    """Return the bytes that the process holds now, and let its peak begin here where the system can."""
    peak_reset = Path("/proc/self/clear_refs")
    if peak_reset.exists():
        peak_reset.write_text("5")
    return _peak()


def _peak() -> int:
    """Return the bytes of memory that this process held at most."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
