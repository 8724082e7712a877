"""A training in several processes: the first tells the others what to train, and they train it with it.

Only the first one opens the project and its store. What the others need it sends them: label plans, options, the
weights to begin with. Slides they open themselves, so these must lie in the same place on all machines.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Unpack

from bridge.annotations import ClassScheme, LabelPlan
from bridge.errors import BridgeError
from bridge.slides import open_slide
from models.checkpoints import Checkpoint
from models.data import TrainingSlide
from models.errors import ProcessLostError
from models.training import Candidate, FitArguments, Ranks, TrainingOptions
from scripts.config import Settings
from scripts.loop.training_run import design_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SlideToTrain:
    """One slide of a training, not open."""

    path: Path
    mpp: tuple[float, float] | None
    plan: LabelPlan
    metadata: Mapping[str, str]
    revision: str

    @classmethod
    def of(cls, slide: TrainingSlide) -> SlideToTrain:
        """Return a slide as another process may open it."""
        opened = slide.slide
        return cls(opened.path, opened.pyramid.mpp, slide.plan, dict(slide.metadata), slide.revision)


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """All that one training depends on, as the first process tells it to the others."""

    slides: tuple[SlideToTrain, ...]
    settings: Settings
    options: TrainingOptions
    scheme: ClassScheme
    parent: Checkpoint | None
    in_use: Checkpoint | None
    iteration: int
    now: str

    def fit(self, slides: Sequence[TrainingSlide], **how: Unpack[FitArguments]) -> Candidate:
        """Train in this process, on slides that it opened; ``how`` is what each process decides for itself."""
        told: FitArguments = {
            **how,
            "parent": self.parent,
            "in_use": self.in_use,
            "iteration": self.iteration,
            "now": self.now,
        }
        return design_of(self.settings).fit(slides, self.scheme, self.options, **told)


def fit_together(ranks: Ranks, lesson: Lesson, fit: Callable[[], Candidate]) -> Candidate:
    """Fit in the first process, while the others, which `follow`, do the same.

    Parameters
    ----------
    lesson
        What they are told.
    fit
        The same training, in this process.

    Raises
    ------
    BridgeError
        As ``fit``, wherever it failed: the others wait for the next training then.
    ProcessLostError
        One of them is gone.
    """
    if ranks.count > 1:
        ranks.from_first(lambda: lesson)
    return ranks.together(fit)


def follow(ranks: Ranks, stop: Callable[[], bool]) -> None:
    """Train whatever the first process tells, until it dismisses this one.

    Parameters
    ----------
    stop
        Asked before each step: it stops the training in all processes.

    Raises
    ------
    ProcessLostError
        Another process is gone.
    """
    while True:
        lesson = ranks.from_first(_not_asked)
        if lesson is None:
            return
        try:
            ranks.together(partial(_learn, ranks, lesson, stop))
        except ProcessLostError:
            raise
        except BridgeError as error:  # the first process has it too, and says so
            logger.debug("training ended in process=%d: %s", ranks.rank, error)


def dismiss(ranks: Ranks) -> None:
    """Tell the other processes that there is nothing more to train; those that are gone need no telling."""
    if ranks.count > 1:
        with suppress(ProcessLostError):
            ranks.from_first(lambda: None)


def _not_asked() -> Lesson | None:
    raise AssertionError("what to train is the first process's to say")


def _learn(ranks: Ranks, lesson: Lesson, stop: Callable[[], bool]) -> None:
    with ExitStack() as stack:
        lesson.fit(_opened(lesson.slides, stack), ranks=ranks, stop=stop)


def _opened(slides: Sequence[SlideToTrain], stack: ExitStack) -> list[TrainingSlide]:
    return [
        TrainingSlide(stack.enter_context(open_slide(s.path, mpp=s.mpp)), s.plan, s.metadata, s.revision)
        for s in slides
    ]
