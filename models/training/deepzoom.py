"""The design *deepzoom* (H-AI-L) behind the interface that all designs share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Unpack

from bridge.annotations import ClassScheme
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.checkpoints import Checkpoint
from models.data import TrainingSlide
from models.inference import Area, HotSpotOptions, PredictionOptions, Runtime, SlidePredictor, open_predictor
from models.training.fit import fit
from models.training.options import ModelOptions, TrainingOptions
from models.training.run import Candidate, FitArguments


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
        **how: Unpack[FitArguments],
    ) -> Candidate:
        """Train; as `Design.fit`."""
        return fit(slides, scheme, self.model, options, **how)

    def predictor(
        self, checkpoint: Checkpoint, *, device: str = "auto", runtime: Runtime = Runtime.AUTO, threads: int = 0
    ) -> SlidePredictor:
        """Return the checkpoint, ready to predict slide after slide; as `Design.predictor`."""
        return open_predictor(
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
