"""Tiles through a net, pass after pass: some threads read ahead, others predict.

::

    reader threads ──▶ passes, some ahead ──▶ network threads ──▶ whoever glues them
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.slides import RgbPixels, Slide
from models.inference.cost import Stage, Stopwatch, unread_watch

_AHEAD = 3  # passes read for, or done and not yet glued, for each one in the network


@dataclass(frozen=True, slots=True)
class Passes:
    """How tiles go through a net.

    Parameters
    ----------
    at_once
        Forward passes side by side, each from a thread of its own.
    tiles
        In one pass.
    """

    at_once: int
    tiles: int


class TilePredictor(Protocol):
    """What turns tiles into class probabilities: a net of a checkpoint."""

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by plane of the result."""
        ...

    @property
    def mpp(self) -> float:
        """µm per pixel of the input."""
        ...

    @property
    def stride(self) -> int:
        """Sides of the input are multiples of this."""
        ...

    def passes(self, tile_px: int, batch_size: int) -> Passes:
        """Return how tiles of a side go through quickest, at most ``batch_size`` in one pass."""
        ...

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (n, classes, height, width) of (n, height, width, channels); (n, classes) of a patch classifier."""
        ...

    def give_back_memory(self) -> None:
        """Return to the system what was kept from batch to batch."""
        ...


@dataclass(frozen=True, slots=True)
class PredictionOptions:
    """How a slide is cut and read (``[predict]``).

    Parameters
    ----------
    tile_px
        Side of a tile in working pixels, rounded up to the net's stride; smaller slides get one tile of their size.
    overlap_px
        Pixels that neighbouring tiles share; blended there.
    batch_size
        Tiles per forward pass at most (`TilePredictor.passes`).
    workers
        Reading threads.
    min_fraction
        Tiles with less tissue than this share are background; at 0 any tissue at all counts.
    """

    tile_px: int = 512
    overlap_px: int = 64
    batch_size: int = 4
    workers: int = 2
    min_fraction: float = 0.0


TileResult = tuple[Sequence[Window], NDArray[np.float32]]
"""Tiles, and what the net says of each: the first axis runs over the tiles."""


@contextmanager
def predicted_tiles(
    slide: Slide,
    predictor: TilePredictor,
    tiles: Sequence[Window],
    options: PredictionOptions,
    watch: Stopwatch | None = None,
) -> Iterator[Iterator[TileResult]]:
    """Give an iterator of predicted passes, in order; leaving the context stops the threads.

    All tiles are of one size.
    """
    passes = predictor.passes(tiles[0].width if tiles else 1, options.batch_size)
    line = _Line(slide, predictor, options.workers, passes, watch or unread_watch())
    try:
        yield line.run(tiles)
    finally:
        line.stop()


class _Line:
    """Threads that read, and threads that predict: a pass waits for its own pixels, whoever takes it for nothing else.

    Between being asked for and being handed over are so many passes at most: those in the network, and for each of
    them ``_AHEAD`` that are read for, or done and not yet taken. The network goes on from them while bands are glued
    and become outlines.
    """

    def __init__(self, slide: Slide, predictor: TilePredictor, workers: int, passes: Passes, watch: Stopwatch) -> None:
        self._slide, self._predictor, self._passes, self._watch = slide, predictor, passes, watch
        self._readers = ThreadPoolExecutor(workers, "read")
        self._network = ThreadPoolExecutor(passes.at_once, "network")

    def run(self, tiles: Sequence[Window]) -> Iterator[TileResult]:
        """Yield the tiles pass by pass."""
        size = self._passes.tiles
        waiting = (tiles[first : first + size] for first in range(0, len(tiles), size))
        coming = deque(self._ask(windows) for windows in islice(waiting, self._passes.at_once * (1 + _AHEAD)))
        while coming:
            windows, result = coming.popleft()
            with self._watch.time(Stage.WAIT):
                probabilities = result.result()
            yield windows, probabilities
            coming.extend(self._ask(more) for more in islice(waiting, 1))

    def stop(self) -> None:
        """End the threads, whatever they have not begun."""
        self._readers.shutdown(cancel_futures=True)
        self._network.shutdown(cancel_futures=True)
        self._predictor.give_back_memory()

    def _ask(self, windows: Sequence[Window]) -> tuple[Sequence[Window], Future[NDArray[np.float32]]]:
        reads = [self._readers.submit(self._read, window) for window in windows]
        return windows, self._network.submit(self._predict, reads)

    def _read(self, window: Window) -> RgbPixels:
        with self._watch.time(Stage.READ):
            return self._slide.read_window(window)

    def _predict(self, reads: Sequence[Future[RgbPixels]]) -> NDArray[np.float32]:
        at_once = self._passes.at_once
        with self._watch.time(Stage.WAIT_FOR_READ, side_by_side=at_once):
            pixels = np.stack([read.result() for read in reads])
        with self._watch.time(Stage.NETWORK, side_by_side=at_once):
            probabilities = self._predictor.probabilities(pixels)
        self._watch.count_tiles(len(reads))
        return probabilities
