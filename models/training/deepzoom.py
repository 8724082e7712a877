"""The design *deepzoom* behind the interface that all designs share: fit, predict, card."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from bridge.annotations import ClassScheme
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.checkpoints import Checkpoint
from models.data import TrainingSlide
from models.inference import Area, DeepZoomPredictor, HotSpotOptions, PredictionOptions, Runtime
from models.training.fit import Candidate, fit
from models.training.loop import TrainingProgress
from models.training.options import ModelOptions, TrainingOptions


@dataclass(frozen=True, slots=True)
class DeepZoom:
    """H-AI-L's two passes, or one.

    Parameters
    ----------
    model
        The nets; ``model.one_network`` trains and runs the high-resolution one alone.
    hot_spots
        From the first pass to the areas of the second.
    """

    model: ModelOptions = field(default_factory=ModelOptions)
    hot_spots: HotSpotOptions = field(default_factory=HotSpotOptions)

    def fit(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        *,
        parent: Checkpoint | None = None,
        iteration: int = 1,
        now: str = "",
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[TrainingProgress], None] | None = None,
        clock: Callable[[], float] = monotonic,
        resume_folder: Path | None = None,
        keep_state: bool = False,
    ) -> Candidate:
        """Train; parameters and errors as `models.training.fit`."""
        return fit(
            slides,
            scheme,
            self.model,
            options,
            parent=parent,
            iteration=iteration,
            now=now,
            stop=stop,
            progress=progress,
            clock=clock,
            resume_folder=resume_folder,
            keep_state=keep_state,
        )

    def predictor(
        self, checkpoint: Checkpoint, *, device: str = "auto", runtime: Runtime = Runtime.AUTO, threads: int = 0
    ) -> DeepZoomPredictor:
        """Return the checkpoint, ready to predict slide after slide.

        Raises
        ------
        CheckpointError
            Weights that don't fit their card.
        """
        return DeepZoomPredictor(
            checkpoint,
            one_network=self.model.one_network,
            hot_spots=self.hot_spots,
            device=device,
            runtime=runtime,
            threads=threads,
        )

    def predict(
        self, checkpoint: Checkpoint, slide: Slide, tissue: Area, options: PredictionOptions | None = None
    ) -> Iterator[ProbabilityMap]:
        """Yield one slide's probabilities in bands; errors as `DeepZoomPredictor.predict`."""
        return self.predictor(checkpoint).predict(slide, tissue, options)
