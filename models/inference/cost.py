"""What predicting one slide costs, and where the time goes: reading, the network, gluing, outlines."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum


class Stage(Enum):
    """What a prediction's time is spent on."""

    READ = "read"  # pixels of tiles, decoded and resampled, by all reading threads together
    NETWORK = "network"  # forward passes
    STITCH = "stitch"  # tiles glued to bands, and what selection keeps of them
    VECTORIZE = "vectorize"  # bands to outlines
    WAIT_FOR_READ = "wait for read"  # the network could begin its next batch, but lacks pixels
    WAIT = "wait"  # one thread for another: no work, told apart so that it counts as none


@dataclass(frozen=True, slots=True)
class PredictionCost:
    """Seconds of one slide; stages overlap in time, so that their sum may be more than ``wall``.

    Parameters
    ----------
    wall
        From beginning to end.
    read
        Of all reading threads together.
    network
        Of forward passes; where some run side by side, the mean of them.
    stitch, vectorize
        From tiles to bands, from bands to outlines.
    waited_for_read
        The network stood idle for want of pixels; the mean likewise.
    tiles
        That went through a network.
    """

    wall: float
    read: float
    network: float
    stitch: float
    vectorize: float
    waited_for_read: float
    tiles: int


class Stopwatch:
    """Adds up how long each stage of a prediction is at work; threads may use it at once.

    Within one thread stages may be nested: the outer one stands still meanwhile, so that no second counts twice.

    Parameters
    ----------
    clock
        Seconds from any origin, never backwards: ``time.perf_counter``.

    Examples
    --------
    >>> ticks = iter([0.0, 1.0, 3.0, 4.0, 9.0, 10.0])
    >>> watch = Stopwatch(lambda: next(ticks))
    >>> with watch.time(Stage.VECTORIZE), watch.time(Stage.STITCH):
    ...     pass
    >>> cost = watch.cost()
    >>> cost.vectorize, cost.stitch, cost.wall
    (7.0, 1.0, 10.0)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seconds: defaultdict[Stage, float] = defaultdict(float)
        self._tiles = 0
        self._open = _OpenStages()
        self._start = clock()

    @contextmanager
    def time(self, stage: Stage, *, side_by_side: int = 1) -> Iterator[None]:
        """Count what happens inside for a stage; not to be held open over a ``yield``.

        Parameters
        ----------
        side_by_side
            How many threads do this at once: each counts for its part, so that all of them busy are one second a
            second.
        """
        now = self._clock()
        self._leave(now)
        self._open.stages.append((stage, side_by_side))
        self._open.since = now
        try:
            yield
        finally:
            now = self._clock()
            self._leave(now)
            self._open.stages.pop()
            self._open.since = now

    def count_tiles(self, tiles: int) -> None:
        """Add tiles that went through a network."""
        with self._lock:
            self._tiles += tiles

    def add(self, cost: PredictionCost) -> None:
        """Add what another stopwatch counted meanwhile, on another machine: all but its ``wall``."""
        stages = {
            Stage.READ: cost.read,
            Stage.NETWORK: cost.network,
            Stage.STITCH: cost.stitch,
            Stage.VECTORIZE: cost.vectorize,
            Stage.WAIT_FOR_READ: cost.waited_for_read,
        }
        with self._lock:
            self._tiles += cost.tiles
            for stage, seconds in stages.items():
                self._seconds[stage] += seconds

    def cost(self) -> PredictionCost:
        """Return what it all cost up to now; stages that are still open count up to when another was last opened."""
        wall = self._clock() - self._start
        with self._lock:
            seconds, tiles = defaultdict(float, self._seconds), self._tiles
        return PredictionCost(
            wall,
            seconds[Stage.READ],
            seconds[Stage.NETWORK],
            seconds[Stage.STITCH],
            seconds[Stage.VECTORIZE],
            seconds[Stage.WAIT_FOR_READ],
            tiles,
        )

    def _leave(self, now: float) -> None:
        if self._open.stages:
            with self._lock:
                stage, side_by_side = self._open.stages[-1]
                self._seconds[stage] += (now - self._open.since) / side_by_side


def unread_watch() -> Stopwatch:
    """Return a stopwatch that nobody reads: its time stands still."""
    return Stopwatch(lambda: 0.0)


class _OpenStages(threading.local):
    """The stages that one thread is in, the innermost last."""

    def __init__(self) -> None:
        self.stages: list[tuple[Stage, int]] = []
        self.since = 0.0
