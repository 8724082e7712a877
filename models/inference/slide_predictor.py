"""A checkpoint of any design, ready for slides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, Self

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueOptions
from models.checkpoints import Checkpoint, DesignName
from models.errors import CheckpointError
from models.inference.bands import Area, PredictionProgress
from models.inference.cost import Stopwatch
from models.inference.deepzoom import DeepZoomPredictor
from models.inference.hot_spots import HotSpotOptions
from models.inference.hybrid import HybridPredictor
from models.inference.patchwise import PatchwisePredictor
from models.inference.predictor import Runtime
from models.inference.tile_line import PredictionOptions
from models.inference.turns import Turn


class SlidePredictor(Protocol):
    """What every design's predictor can do."""

    @property
    def checkpoint_id(self) -> str:
        """Of the checkpoint."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Class names, by plane of the result."""
        ...

    @property
    def mpp(self) -> float:
        """The working µm per pixel: of `predict_window`, and of the labels that it is judged by."""
        ...

    @property
    def map_mpp(self) -> float:
        """µm per pixel of the bands that `predict` yields; coarser than ``mpp`` where a design decides per patch."""
        ...

    @property
    def runs_on(self) -> str:
        """What runs its nets, as of `Predictor`."""
        ...

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
        """Yield a slide's probabilities in bands of its full width, top to bottom; all else as `predict_bands`."""
        ...

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        """Return the map of one window on the slide's grid of ``mpp``, seen with what surrounds it."""
        ...

    def turned(self, turn: Turn) -> Self:
        """Return the same predictor, its nets seeing every tile turned; for `predict` only, where tiles are square."""
        ...


def open_predictor(
    checkpoint: Checkpoint,
    *,
    one_network: bool = False,
    hot_spots: HotSpotOptions | None = None,
    stride_px: int | None = None,
    tissue: TissueOptions | None = None,
    device: str = "auto",
    runtime: Runtime = Runtime.AUTO,
    threads: int = 0,
) -> SlidePredictor:
    """Return a checkpoint ready to predict, as the design on its card wants it.

    Parameters
    ----------
    one_network, hot_spots
        Of ``deepzoom``.
    stride_px
        Of ``patchwise``, as `PatchwisePredictor`.
    tissue
        Of ``hybrid``, as `HybridPredictor`.
    device, runtime, threads
        As `Predictor`.

    Raises
    ------
    CheckpointError
        The design is not known, or weights don't fit their card.
    ValueError
        No such device here.
    """
    match checkpoint.card.design:
        case DesignName.DEEPZOOM.value | DesignName.WEAK.value:
            return DeepZoomPredictor(
                checkpoint,
                one_network=one_network,
                hot_spots=hot_spots,
                device=device,
                runtime=runtime,
                threads=threads,
            )
        case DesignName.PATCHWISE.value:
            return PatchwisePredictor(checkpoint, stride_px=stride_px, device=device, runtime=runtime, threads=threads)
        case DesignName.HYBRID.value:
            return HybridPredictor(checkpoint, tissue=tissue, device=device, runtime=runtime, threads=threads)
    raise CheckpointError(f"checkpoint {checkpoint.id} is of design {checkpoint.card.design!r}; update SlideBridge")
