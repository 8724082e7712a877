"""H2G-Net: a patch classifier's heat map, and the slide at a low resolution, refined to a mask.

Pedersen et al., "Hybrid guiding: A multi-resolution refinement approach for semantic segmentation of gigapixel
histopathological images", 2022. The patches take nearly all of the time, the refinement gives the outlines.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueOptions, tissue_mask
from models.checkpoints import Checkpoint, NetRole
from models.data import GuidedSlide, HeatMap, interpolate, slide_downsample
from models.inference.bands import Area, PredictionProgress, predict_bands, prediction_grid
from models.inference.cost import Stopwatch
from models.inference.heat_source import HeatSource, Recent
from models.inference.patchwise import PatchwisePredictor
from models.inference.predictor import Predictor, Runtime
from models.inference.tile_line import PredictionOptions
from models.inference.turns import Turn
from models.nets import NetKind

_OVERLAP_SHARE = 8  # neighbouring tiles of the refinement share at least so much of a tile: one eighth
_SLIDES_KEPT = 64
_KEPT_BYTES = 128 * 2**20  # of refined tiles


class HybridPredictor:
    """Both stages of a checkpoint; the refinement alone, where it was trained without a heat map (UNet-LR).

    Parameters
    ----------
    checkpoint
        Of a patch classifier and a refinement; or of an unguided refinement.
    stride_px
        Working pixels per pixel of the heat map, as when the refinement was trained; a patch if None.
    tissue
        Where `predict_window` asks the patches; `predict` is told.
    device, runtime, threads
        As `Predictor`.

    Raises
    ------
    CheckpointError
        A net is missing, or weights don't fit their card.

    Notes
    -----
    The paper squeezes each slide into one square of 1024². Here all slides are seen at one scale, the refinement's
    mpp: a slide that fits into a tile is seen whole, a larger one in tiles that overlap, so that structures have one
    size and outlines one sharpness, whatever the slide's.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        stride_px: int | None = None,
        tissue: TissueOptions | None = None,
        device: str = "auto",
        runtime: Runtime = Runtime.AUTO,
        threads: int = 0,
    ) -> None:
        self.checkpoint_id, self.mpp = checkpoint.id, checkpoint.card.mpp  # the patches', which is the working one
        is_alone = checkpoint.card.net(NetRole.HIGH).options.kind is NetKind.REFINEMENT
        role = NetRole.HIGH if is_alone else NetRole.REFINEMENT
        self.refinement = Predictor(checkpoint, role=role, device=device, runtime=runtime, threads=threads)
        self.names, self.map_mpp = self.refinement.names, self.refinement.mpp
        self.runs_on = self.refinement.runs_on
        self.patches: PatchwisePredictor | None = None
        if not is_alone:
            self.patches = PatchwisePredictor(
                checkpoint, stride_px=stride_px, device=device, runtime=runtime, threads=threads
            )
        self._tissue = tissue or TissueOptions()
        self._heat: Recent[Slide, HeatSource] = Recent(_SLIDES_KEPT)
        tile_bytes = len(self.names) * self.refinement.card.tile_px**2 * np.dtype(np.float32).itemsize
        self._maps: Recent[tuple[Slide, Window], NDArray[np.float32]] = Recent(max(4, _KEPT_BYTES // tile_bytes))

    def predict(
        self,
        slide: Slide,
        tissue: Area,
        options: PredictionOptions | None = None,
        *,
        first_band: int = 0,
        first_row: int = 0,
        progress: Callable[[PredictionProgress], None] | None = None,
        watch: Stopwatch | None = None,
    ) -> Iterator[ProbabilityMap]:
        """Yield a slide's probabilities in bands of its full width; all else as `predict_bands`.

        The heat map, one number a patch, is made first and kept whole; ``options.tile_px`` and ``overlap_px`` are the
        patches', the refinement's tiles are those it was trained on. Progress counts both kinds of tiles.

        Raises
        ------
        MissingResolutionError
            Nobody knows the slide's mpp.
        SlideError
            The slide is damaged somewhere.
        """
        options = options or PredictionOptions()
        seen = _Sum(progress)
        picture = slide
        if self.patches is not None:
            patches = self.patches.predict(slide, tissue, options, progress=seen.tell, watch=watch)
            heat = HeatMap.from_bands(patches)
            picture = GuidedSlide(slide, heat)
        seen.next_pass()
        refining = self._refining(options)
        yield from predict_bands(
            picture,
            self.refinement,
            tissue,
            refining,
            first_band=first_band,
            first_row=first_row,
            progress=seen.tell,
            watch=watch,
        )

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window of the working mpp, interpolated bilinearly from the refinement's.

        On a slide that fits into one tile this is what `predict` says. On a larger one each place is predicted by the
        tile in whose middle it lies, so that it is seen with a quarter of a tile around it at least; ``margin_px`` adds
        nothing to that. Heat maps and refined tiles are kept from window to window, within a bound.

        Raises
        ------
        MissingResolutionError
            Nobody knows the slide's mpp.
        SlideError
            The slide is damaged there.
        """
        downsample = slide_downsample(slide, self.refinement.mpp)
        extent = slide.pyramid.window_at(downsample)
        covering = Window.covering(window.to_region(), downsample)
        around = Window(covering.x - 1, covering.y - 1, covering.width + 2, covering.height + 2, downsample)
        inside = around.intersection(extent)
        planes = interpolate(self._refined(slide, inside, extent), inside, window) if inside is not None else None
        return ProbabilityMap(planes if planes is not None else self._background(window), window, self.names)

    def turned(self, turn: Turn) -> Self:
        """Return the same predictor seeing each patch and each tile turned; for `predict` only."""
        other = copy.copy(self)
        other.refinement = self.refinement.turned(turn)
        other.patches = None if self.patches is None else self.patches.turned(turn)
        return other

    def _refining(self, options: PredictionOptions) -> PredictionOptions:
        """Return the refinement's options: its own tiles, as many of them at once as hold the pixels of a batch."""
        tile_px = self.refinement.card.tile_px
        at_once = max(1, options.batch_size * options.tile_px**2 // tile_px**2)
        overlap_px = max(options.overlap_px, tile_px // _OVERLAP_SHARE)
        return replace(options, tile_px=tile_px, overlap_px=overlap_px, batch_size=at_once)

    def _refined(self, slide: Slide, wanted: Window, extent: Window) -> NDArray[np.float32]:
        """Return the refinement's map of a window inside the slide, put together of what tiles say of their middles."""
        tile_px = prediction_grid(slide, self.refinement, self._refining(PredictionOptions())).tile_px
        planes = np.empty((len(self.names), *wanted.shape), np.float32)
        for cell in _cells(wanted, tile_px // 2):
            tile = _tile_around(cell, tile_px, extent)
            probabilities = self._maps.get((slide, tile), partial(self._predicted, slide, tile))
            part = cell.intersection(wanted)
            assert part is not None, "cells are those under the window"
            planes[:, *wanted.slices(part)] = probabilities[:, *tile.slices(part)]
        return planes

    def _predicted(self, slide: Slide, tile: Window) -> NDArray[np.float32]:
        picture = slide if self.patches is None else self._source(slide, self.patches).guided(tile)
        (probabilities,) = self.refinement.probabilities(picture.read_window(tile)[None])
        return np.asarray(probabilities)

    def _source(self, slide: Slide, patches: PatchwisePredictor) -> HeatSource:
        return self._heat.get(slide, lambda: HeatSource(slide, patches, tissue_mask(slide, self._tissue)))

    def _background(self, window: Window) -> NDArray[np.float32]:
        planes = np.zeros((len(self.names), *window.shape), np.float32)
        planes[0] = 1
        return planes


class _Sum:
    """Adds up the progress of two passes."""

    def __init__(self, progress: Callable[[PredictionProgress], None] | None) -> None:
        self._progress = progress
        self._before = self._latest = 0

    def tell(self, now: PredictionProgress) -> None:
        self._latest = now.all_tiles
        if self._progress is not None:
            self._progress(PredictionProgress(self._before + now.tiles, self._before + now.all_tiles))

    def next_pass(self) -> None:
        self._before = self._latest


def _cells(window: Window, side: int) -> Iterator[Window]:
    for y in range(window.y // side * side, window.bottom, side):
        for x in range(window.x // side * side, window.right, side):
            yield Window(x, y, side, side, window.downsample)


def _tile_around(cell: Window, tile_px: int, extent: Window) -> Window:
    """Return the tile with the cell in its middle, shifted into the slide as far as the slide reaches."""
    x = max(extent.x, min(cell.x - (tile_px - cell.width) // 2, extent.right - tile_px))
    y = max(extent.y, min(cell.y - (tile_px - cell.height) // 2, extent.bottom - tile_px))
    return Window(x, y, tile_px, tile_px, cell.downsample)
