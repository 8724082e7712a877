"""What a validation is asked for and found: values, without torch, so that the report can show what was kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.metrics import SlideJudgement
from scripts.loop.prequential import PrequentialScore

WHAT_TO_LABEL = (
    "label a third slide, or finish a fourth box (ROI) in which you drew every outline yourself;"
    " an outline that began as a prediction can't judge"
)
"""What makes something be held out, so that models can be judged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A model to be judged.

    Parameters
    ----------
    iteration
        Number of its training; 0 for weights that were taken over.
    checkpoint_id
        Names it.
    is_promoted
        It was the champion once, or is; else a candidate that lost.
    is_there
        Its weights are still on the disk.
    """

    iteration: int
    checkpoint_id: str
    is_promoted: bool
    is_there: bool

    @property
    def called(self) -> str:
        """What people are told it is."""
        return f"training {self.iteration}" if self.iteration else "training 0, the model that was taken over"


@dataclass(frozen=True, slots=True)
class ValidationRequest:
    """What a validation is asked for.

    Parameters
    ----------
    by
        Slide metadata (grade, centre, patient) whose values group the slides; None: no groups.
    iterations
        Only these; None: all champions.
    with_candidates
        Trainings that didn't become champion, too.
    stop
        Asked before each tile; what was judged till then is kept.
    """

    by: str | None = None
    iterations: frozenset[int] | None = None
    with_candidates: bool = False
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True, eq=False)
class SlideResult:
    """What one model scored on one slide.

    Parameters
    ----------
    slide
        What it is called.
    group
        Its value of the metadata asked for; "" where it has none.
    """

    slide: str
    group: str
    judgement: SlideJudgement
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class IterationResult:
    """What one model scored on the hold-out."""

    model: Judged
    slides: tuple[SlideResult, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """Everything that a validation found.

    Parameters
    ----------
    classes
        Names, the background first.
    iterations
        By number; those whose weights are gone too, where they had been judged on the same before.
    missing
        One line each: models that couldn't be judged.
    problems
        One line each: slides that couldn't be read, or whose save isn't believed.
    prequential
        How well each training had foreseen what people labelled next.
    judged_now
        Judgements that weren't kept from an earlier time.
    is_stopped
        It was asked to stop before the end.
    """

    classes: tuple[str, ...]
    by: str | None
    iterations: tuple[IterationResult, ...]
    missing: tuple[str, ...]
    problems: tuple[str, ...]
    prequential: tuple[PrequentialScore, ...]
    judged_now: int
    is_stopped: bool
