"""DeepZoom: find hot-spots at low resolution, segment only those at high resolution.

Lutnick et al., "An integrated iterative annotation technique for easing neural network training in medical image
analysis", Nature Machine Intelligence 1 (2019): 4.5 times quicker than one full-resolution pass, and fewer false
positives, for the second net never sees most of the background. With one network the first pass is left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Self
from weakref import WeakKeyDictionary

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.checkpoints import Checkpoint, NetRole
from models.data import slide_downsample
from models.inference.bands import Area, PredictionProgress, fitting_tiles, predict_bands
from models.inference.cost import Stage, Stopwatch, unread_watch
from models.inference.hot_spots import HotSpotOptions, HotSpots, find_hot_spots
from models.inference.predictor import Predictor, Runtime
from models.inference.tile_line import PredictionOptions
from models.inference.turns import Turn


class DeepZoomPredictor:
    """Both passes of a checkpoint; one, where it holds one net or ``one_network`` says so.

    Parameters
    ----------
    checkpoint
        Of one net or two.
    one_network
        Leave the first pass out.
    hot_spots
        From the first pass to the areas of the second.
    device, runtime, threads
        As `Predictor`.

    Raises
    ------
    CheckpointError
        Weights that don't fit their card.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        one_network: bool = False,
        hot_spots: HotSpotOptions | None = None,
        device: str = "auto",
        runtime: Runtime = Runtime.AUTO,
        threads: int = 0,
    ) -> None:
        self._hot_spot_options = hot_spots or HotSpotOptions()
        self._looked: WeakKeyDictionary[Slide, tuple[Area, PredictionOptions, HotSpots]] = WeakKeyDictionary()
        self.high = Predictor(checkpoint, device=device, runtime=runtime, threads=threads)
        self.checkpoint_id, self.names = checkpoint.id, self.high.names
        self.mpp = self.map_mpp = self.high.mpp
        self.runs_on = self.high.runs_on
        self.low: Predictor | None = None
        if NetRole.LOW in checkpoint.card.roles and not one_network:
            self.low = Predictor(checkpoint, role=NetRole.LOW, device=device, runtime=runtime, threads=threads)

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

        The second pass takes smaller tiles where hot-spots are small and far apart (`fitting_tiles`), so that bands may
        be of less height than the options' tiles; for one slide and the same options they are always the same.

        Raises
        ------
        MissingResolutionError
            Nobody knows the slide's mpp.
        SlideError
            The slide is damaged somewhere.
        """
        watch = watch or unread_watch()
        seen = self.high.seen(slide)
        closely = partial(
            predict_bands,
            seen,
            self.high,
            first_band=first_band,
            first_row=first_row,
            progress=progress,
            watch=watch,
        )
        if self.low is None:
            yield from closely(tissue, options)
            return
        spots = self._spots(slide, tissue, options or PredictionOptions(), watch)
        for band in closely(spots, fitting_tiles(slide, self.high, spots, options)):
            with watch.time(Stage.STITCH):
                kept = spots.keep(band)
            yield kept

    def _spots(self, slide: Slide, tissue: Area, options: PredictionOptions, watch: Stopwatch) -> HotSpots:
        """Return the hot-spots, kept as long as the slide is open: whoever predicts it in parts looks once."""
        known = self._looked.get(slide)
        if known is not None and known[0] is tissue and known[1] == options:
            return known[2]
        spots = self.find_hot_spots(slide, tissue, options, watch=watch)
        self._looked[slide] = tissue, options, spots
        return spots

    def turned(self, turn: Turn) -> Self:
        """Return the same predictor seeing each tile turned, in both passes; for `predict` only."""
        other = copy.copy(self)
        other._looked = WeakKeyDictionary()
        other.high = self.high.turned(turn)
        other.low = None if self.low is None else self.low.turned(turn)
        return other

    def find_hot_spots(
        self,
        slide: Slide,
        tissue: Area,
        options: PredictionOptions | None = None,
        *,
        watch: Stopwatch | None = None,
    ) -> HotSpots:
        """Return where the low-resolution net wants a closer look.

        Raises
        ------
        ValueError
            There is no low-resolution net.
        MissingResolutionError
            Nobody knows the slide's mpp.
        """
        low = self._need_low()
        extent = slide.pyramid.window_at(slide_downsample(slide, low.mpp))
        bands = predict_bands(low.seen(slide), low, tissue, options, watch=watch)
        return find_hot_spots(bands, extent, _mpp(slide), self._hot_spot_options)

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window that fits into memory; as `Predictor.predict_window`, with both passes.

        Raises
        ------
        SlideError
            The slide is damaged there.
        """
        result = self.high.predict_window(slide, window, margin_px=margin_px)
        if self.low is None:
            return result
        downsample = slide_downsample(slide, self.low.mpp)
        inner = Window.covering(window.to_region(), downsample)
        around = Window(inner.x - margin_px, inner.y - margin_px, *_grown(inner, 2 * margin_px), downsample)
        coarse = self.low.predict_window(slide, around, margin_px=margin_px)
        return find_hot_spots([coarse], around, _mpp(slide), self._hot_spot_options).keep(result)

    def _need_low(self) -> Predictor:
        if self.low is None:
            raise ValueError("there is no low-resolution net, or one_network leaves it out")
        return self.low


def _grown(window: Window, by_px: int) -> tuple[int, int]:
    return window.width + by_px, window.height + by_px


def _mpp(slide: Slide) -> tuple[float, float]:
    return slide.pyramid.mpp or (1.0, 1.0)  # asked for its grid before, a slide without mpp has raised there
