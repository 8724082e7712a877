"""Folds of slides: who is judged by whom, so that nobody is judged by what has seen him."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from models.data import TrainingSlide

Fold = tuple[TrainingSlide, ...]


def split_folds(slides: Sequence[TrainingSlide], count: int, *, by: str = "") -> tuple[Fold, ...]:
    """Share slides out to folds of about equal size, the same way each time.

    Groups are put in the order of a hash of their names and dealt out one after another: no fold is empty, and the
    split doesn't depend on the order of the slides.

    Parameters
    ----------
    slides
        Keys are unique.
    count
        Folds at most; there are never more than groups.
    by
        Key of the slides' metadata, a patient for example: slides of one value stay together. Slides without it, or
        with an empty one, are groups of their own; so are all where it is empty.

    Returns
    -------
    tuple of tuple of TrainingSlide
        The folds; one where there is one group, none where there are no slides.
    """
    groups: dict[str, list[TrainingSlide]] = {}
    for slide in sorted(slides, key=lambda slide: slide.key):
        groups.setdefault(_group(slide, by), []).append(slide)
    dealt: list[list[TrainingSlide]] = [[] for _ in range(min(count, len(groups)))]
    for position, name in enumerate(sorted(groups, key=_hash)):
        dealt[position % len(dealt)].extend(groups[name])
    return tuple(tuple(fold) for fold in dealt)


def _group(slide: TrainingSlide, by: str) -> str:
    value = slide.metadata.get(by, "") if by else ""
    return f"group {value}" if value else f"slide {slide.key}"


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
