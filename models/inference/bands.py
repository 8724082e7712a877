"""A slide predicted in bands of its full width, top to bottom; reading, network and gluing overlap in time.

::

    reader threads ──▶ passes, some ahead ──▶ network threads ──▶ blender ──▶ bands
    (tiles on tissue only)

Memory is what is in flight: some passes of tiles, and one row of tiles in the blender; never the slide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from bridge.coords import Region, Window
from bridge.raster import BandBlender, ProbabilityMap, TileGrid
from bridge.slides import Slide
from models.data import slide_downsample
from models.inference.cost import Stage, Stopwatch, unread_watch
from models.inference.tile_line import PredictionOptions, TilePredictor, predicted_tiles

_LEAST_TILE_PX = 128  # a smaller tile is mostly border


class Area(Protocol):
    """Where a prediction is wanted: a tissue mask, or hot-spots."""

    def fraction(self, region: Region) -> float:
        """Return the share of a level-0 region that is wanted, 0 to 1."""
        ...


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
