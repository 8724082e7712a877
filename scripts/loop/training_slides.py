"""The slides of a training: opened together, and left out one by one where they turn out to be damaged."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from bridge.errors import SlideError
from bridge.slides import open_slide
from models.data import TrainingSlide
from models.errors import DamagedSlideError
from scripts.loop.pull import SlideState

logger = logging.getLogger(__name__)

_MOST_LEFT_OUT = 5  # damaged slides in one training; more is a disk that is gone
T = TypeVar("T")


@contextmanager
def opened(states: Iterable[SlideState], left_out: dict[str, str]) -> Iterator[list[TrainingSlide]]:
    """Open the slides of some plans for a training; they are closed when the block ends.

    Parameters
    ----------
    left_out
        Slide key → line for people: slides that can't be opened are added, unless it is all of them.
    """
    with ExitStack() as stack:
        slides, failed = [], None
        for state in states:
            try:
                slide = stack.enter_context(open_slide(state.reading.slide_path, mpp=state.reading.mpp))
            except SlideError as error:
                _leave_out(left_out, state.key, state.reading.entry.name, error)
                failed = error
                continue
            reading = state.reading
            slides.append(TrainingSlide(slide, state.plan, reading.entry.metadata, reading.revision or ""))
        if failed is not None and not slides:
            raise failed
        yield slides


def without_damaged(
    slides: Sequence[TrainingSlide], left_out: dict[str, str], work: Callable[[Sequence[TrainingSlide]], T]
) -> T:
    """Do some work on slides, again without those that turn out to be damaged.

    Parameters
    ----------
    left_out
        As for `opened`; those that are in it are left out from the start.

    Raises
    ------
    DamagedSlideError
        The last slide is damaged, or so many are that their disk must be gone.
    """
    while True:
        readable = [slide for slide in slides if slide.key not in left_out]
        try:
            return work(readable)
        except DamagedSlideError as error:
            is_last = len(readable) == 1 or len(left_out) >= _MOST_LEFT_OUT
            if is_last:
                raise
            _leave_out(left_out, error.slide_key, _name_of(slides, error.slide_key), error)


def _name_of(slides: Sequence[TrainingSlide], key: str) -> str:
    return next(slide.slide.path.name for slide in slides if slide.key == key)


def _leave_out(left_out: dict[str, str], key: str, name: str, error: SlideError) -> None:
    left_out[key] = f"{name}: left out of the training, the slide can't be read: {error}"
    logger.warning("slide=%s left out of the training: %s", name, error)
