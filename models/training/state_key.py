"""What a kept state of a training depends on, in one hash: a state of other inputs is not taken up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import shapely

from bridge.annotations import ClassScheme
from models.checkpoints import NetCard
from models.data import TrainingSlide
from models.training.options import TrainingOptions


def state_key(
    card: NetCard,
    options: TrainingOptions,
    scheme: ClassScheme,
    parent_id: str | None,
    slides: Sequence[TrainingSlide],
    more: Sequence[str] = (),
) -> str:
    """Return the hash of all inputs of one net's training; device and time budget don't count.

    Parameters
    ----------
    parent_id
        Of the checkpoint that it begins from; None for transfer weights.
    more
        What else it depends on.
    """
    parts = [repr(card), repr(replace(options, device="", max_seconds=None)), repr(scheme.names), *more]
    parts.append(repr(scheme.labels_by_priority()))
    parts.append(parent_id or "transfer")
    parts.extend(sorted(_slide_part(slide, options.sampling.tree) for slide in slides))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _slide_part(slide: TrainingSlide, tree: Sequence[str]) -> str:
    groups = [slide.metadata.get(stage) for stage in tree]  # decide what is drawn how often
    return f"{slide.key} {slide.plan.content_hash()} {_areas_hash(slide)} {slide.slide.pyramid.mpp} {groups}"


def _areas_hash(slide: TrainingSlide) -> str:
    # The plan's hash leaves out what is emphasized, for it decides no label; it does decide the batches.
    return hashlib.sha256(b"".join(shapely.to_wkb(area) for area in slide.plan.emphasis)).hexdigest()
