"""Whether a copy of a network says what the network says, and how quick it is beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal

import numpy as np
from numpy.typing import NDArray

from scripts.exporting.errors import ExportError
from scripts.plain_words import counted

LIMIT = 1e-4  # of probabilities: beyond it a copy is refused
BATCH_SIZES = (1, 3)
_ROUNDS, _SECONDS = 7, 6.0

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 tiles (n, side, side, channels) → probabilities (n, classes, …)."""


@dataclass(frozen=True, slots=True)
class Check:
    """What the comparison of a copy with its network found.

    Parameters
    ----------
    largest_difference
        Between any two probabilities.
    seconds, torch_seconds
        For one tile, the quickest of several runs; None where the speed was not measured.
    """

    largest_difference: float
    tiles: int
    slides: int
    batch_sizes: tuple[int, ...]
    seconds: float | None = None
    torch_seconds: float | None = None

    @property
    def speed(self) -> float | None:
        """How many times as quick as torch the copy is."""
        if self.seconds is None or self.torch_seconds is None or self.seconds <= 0:
            return None
        return self.torch_seconds / self.seconds

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines; the same each time."""
        return {
            "largest_difference": self.largest_difference,
            "limit": LIMIT,
            "tiles": self.tiles,
            "slides": self.slides,
            "batch_sizes": list(self.batch_sizes),
        }

    def speed_as_json(self) -> Mapping[str, object]:
        """Return how quick it was on this machine, now, with one thread each."""
        return {
            "seconds_per_tile": self.seconds,
            "torch_seconds_per_tile": self.torch_seconds,
            "times_as_quick_as_torch": self.speed,
        }

    def line(self, runtime: str) -> str:
        """Return the result for people."""
        tiles = f"{counted(self.tiles, 'tile')} of {counted(self.slides, 'slide')}"
        sizes = " and ".join(str(size) for size in self.batch_sizes)
        said = f"checked on {tiles}, {sizes} at a time: differs by {at_most(self.largest_difference)} at most"
        if self.speed is None:
            return said
        return f"{said}; on one core, {runtime} is {self.speed:.1f} times as quick as torch"


def compare(copy: Answer, network: Answer, pixels: NDArray[np.uint8], slides: int) -> Check:
    """Let both answer for the same tiles, in batches of several sizes.

    Parameters
    ----------
    pixels
        uint8, (n, side, side, channels).
    slides
        How many slides they are from, for the record.
    """
    largest = 0.0
    for size in BATCH_SIZES:
        for batch in _batches(pixels, size):
            found, expected = copy(batch), network(batch)
            if found.shape != expected.shape:
                return Check(float("inf"), len(pixels), slides, BATCH_SIZES)
            largest = max(largest, _largest(found, expected))
    return Check(largest, len(pixels), slides, BATCH_SIZES)


def at_most(value: float, digits: int = 1) -> str:
    """Return a bound in few digits: rounded up, for it holds only if nothing is beyond it.

    Examples
    --------
    >>> at_most(1.2e-7), at_most(2e-7), at_most(0.0)
    ('2e-07', '2e-07', '0')
    """
    written = Decimal(repr(value))  # the shortest that is this number: 2e-07, where its bits are a little more
    return f"{float(Context(prec=digits, rounding=ROUND_UP).plus(written)):.{digits}g}"


def refuse_untrue(check: Check, what: str) -> None:
    """Refuse a copy that doesn't say what the network says.

    Raises
    ------
    ExportError
        It differs by more than the limit.
    """
    if not check.largest_difference <= LIMIT:
        raise ExportError(
            f"{what} differs from the model by {at_most(check.largest_difference, 2)}, more than {LIMIT:g}, so nothing"
            " was written; please report it with the versions that `slidebridge doctor` prints"
        )


def measure(copy: Answer, network: Answer, tile: NDArray[np.uint8], clock: Callable[[], float]) -> tuple[float, float]:
    """Return seconds of one tile, copy and network: the quickest runs of both, taken in turn.

    Whatever else the machine does can only make a run slower.

    Parameters
    ----------
    tile
        uint8, (side, side, channels).
    clock
        Seconds, as ``time.perf_counter``.
    """
    batch, began = tile[None], clock()
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for answer, seconds in zip((copy, network), taken, strict=True):
            start = clock()
            answer(batch)
            seconds.append(clock() - start)
        if clock() - began > _SECONDS:
            break
    return min(taken[0]), min(taken[1])


def _batches(pixels: NDArray[np.uint8], size: int) -> list[NDArray[np.uint8]]:
    """Return every tile in batches of one size; the last begins again with the first tiles."""
    places = np.arange(-(-len(pixels) // size) * size) % len(pixels)
    return [np.ascontiguousarray(pixels[part]) for part in places.reshape(-1, size)]


def _largest(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    difference = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max())
    return difference if np.isfinite(difference) else float("inf")
