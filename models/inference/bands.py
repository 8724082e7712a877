"""A slide predicted in bands of its full width, top to bottom; reading, network and gluing overlap in time.

::

    reader threads ──▶ passes, some ahead ──▶ network threads ──▶ blender ──▶ bands
    (tiles on tissue only)

Memory is what is in flight: some passes of tiles, and one row of tiles in the blender; never the slide.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Region, Window
from bridge.raster import BandBlender, ProbabilityMap, TileGrid
from bridge.slides import RgbPixels, Slide
from models.data import slide_downsample
from models.inference.cost import Stage, Stopwatch, unread_watch

_AHEAD = 3  # passes read for, or done and not yet glued, for each one in the network
_LEAST_TILE_PX = 128  # a smaller tile is mostly border


class Area(Protocol):
    """Where a prediction is wanted: a tissue mask, or hot-spots."""

    def fraction(self, region: Region) -> float:
        """Return the share of a level-0 region that is wanted, 0 to 1."""
        ...


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


@dataclass(frozen=True, slots=True)
class PredictionProgress:
    """How far a slide is."""

    tiles: int
    all_tiles: int


def prediction_grid(slide: Slide, predictor: TilePredictor, options: PredictionOptions) -> TileGrid:
    """Return the tiles that a slide is cut into.

    Raises
    ------
    MissingResolutionError
        Nobody knows the slide's mpp.
    """
    extent = slide.pyramid.window_at(slide_downsample(slide, predictor.mpp))
    wanted = min(options.tile_px, max(extent.width, extent.height))
    tile_px = -(-wanted // predictor.stride) * predictor.stride
    return TileGrid(extent, tile_px, min(options.overlap_px, tile_px // 2))


def fitting_tiles(
    slide: Slide, predictor: TilePredictor, tissue: Area, options: PredictionOptions | None = None
) -> PredictionOptions:
    """Return options of smaller tiles where fewer pixels then go through the net: around small areas far apart.

    Tiles of the side asked for, half and a quarter of it are counted; a smaller one keeps an overlap of a quarter of
    its side, and a batch its pixels.

    Raises
    ------
    MissingResolutionError
        Nobody knows the slide's mpp.
    """
    options = options or PredictionOptions()
    choices = [options, _smaller(options, 2), _smaller(options, 4)]

    def pixels(choice: PredictionOptions) -> int:
        grid = prediction_grid(slide, predictor, choice)
        return sum(tile.width * tile.height for tile in _wanted_tiles(grid, tissue, choice, 0))

    return min(choices, key=pixels)


def _smaller(options: PredictionOptions, times: int) -> PredictionOptions:
    side = max(options.tile_px // times, min(options.tile_px, _LEAST_TILE_PX))
    batch_size = options.batch_size * max(1, options.tile_px // side) ** 2
    return replace(options, tile_px=side, overlap_px=min(options.overlap_px, side // 4), batch_size=batch_size)


def predict_bands(
    slide: Slide,
    predictor: TilePredictor,
    tissue: Area,
    options: PredictionOptions | None = None,
    *,
    first_band: int = 0,
    first_row: int = 0,
    progress: Callable[[PredictionProgress], None] | None = None,
    watch: Stopwatch | None = None,
) -> Iterator[ProbabilityMap]:
    """Yield a slide's class probabilities, band after band; each pixel of the slide once.

    Parameters
    ----------
    slide
        Open, of known mpp.
    predictor
        The net.
    tissue
        Where to predict. Elsewhere the background is certain.
    options
        Tiles, batches, threads.
    first_band
        Where a resumed prediction goes on; the bands before are not yielded. Band ``r`` is ``grid.band(r)`` of
        `prediction_grid`.
    first_row
        The same told in rows of the map: bands that end above it are not yielded.
    progress
        Called after each pass.
    watch
        Told what each stage takes.

    Yields
    ------
    ProbabilityMap
        float32 (class, y, x), of the slide's full width, on its grid of the card's mpp.

    Raises
    ------
    MissingResolutionError
        Nobody knows the slide's mpp.
    SlideError
        The slide is damaged somewhere.

    Notes
    -----
    Closing the iterator early stops the threads.
    """
    options = options or PredictionOptions()
    grid = prediction_grid(slide, predictor, options)
    first_band = max(first_band, grid.band_at(first_row))
    wanted = _wanted_tiles(grid, tissue, options, first_band)
    watch = watch or unread_watch()
    blender = BandBlender(grid, predictor.names, first_band=first_band)
    done = 0
    with predicted_tiles(slide, predictor, wanted, options, watch) as results:
        for windows, maps in results:
            for window, probabilities in zip(windows, maps, strict=True):
                with watch.time(Stage.STITCH):
                    finished = blender.add(ProbabilityMap(probabilities, window, predictor.names))
                yield from finished
            done += len(windows)
            if progress is not None:
                progress(PredictionProgress(done, len(wanted)))
    with watch.time(Stage.STITCH):
        finished = blender.finish()
    yield from finished


def _wanted_tiles(grid: TileGrid, tissue: Area, options: PredictionOptions, first_band: int) -> list[Window]:
    rows, _ = grid.shape
    wanted = []
    for row in range(grid.first_row_under(first_band), rows):
        for tile in grid.row(row):
            share = _share(tile, grid.window, tissue)
            if share > 0 and share >= options.min_fraction:
                wanted.append(tile)
    return wanted


def _share(tile: Window, extent: Window, tissue: Area) -> float:
    # Of the part on the slide: a tile that reaches over the border is not poorer in tissue for it.
    inside = tile.intersection(extent)
    return 0.0 if inside is None else tissue.fraction(inside.to_region())


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
