"""The one interface of all model designs: fit, predict, card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Unpack

from bridge.annotations import ClassScheme
from models.checkpoints import Checkpoint
from models.data import TrainingSlide
from models.inference import Runtime, SlidePredictor
from models.training.options import TrainingOptions
from models.training.run import Candidate, FitArguments


class Design(Protocol):
    """A way to learn from labelled slides and to predict others; a checkpoint's card names the one that made it."""

    def fit(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        **how: Unpack[FitArguments],
    ) -> Candidate:
        """Train; see `Run` for the parameters.

        Returns
        -------
        Candidate
            With ``max_seconds`` None, the same for the same inputs and seed on a CPU, killed and gone on with or not.

        Raises
        ------
        TrainingDataError
            Too little is labelled.
        CheckpointError
            The parent's classes are ordered otherwise, or weights are missing or damaged.
        MissingResolutionError, SlideError
            A slide without mpp, or damaged.
        """
        ...

    def predictor(
        self, checkpoint: Checkpoint, *, device: str = "auto", runtime: Runtime = Runtime.AUTO, threads: int = 0
    ) -> SlidePredictor:
        """Return a checkpoint of any design, ready to predict slide after slide.

        Raises
        ------
        CheckpointError
            Weights that don't fit their card, or a design that is not known.
        """
        ...
