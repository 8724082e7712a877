"""Patch labels (a proposal whose class a person set): whether the design learns from them, said where it doesn't."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bridge.annotations import LabelPlan
from bridge.annotations.labels import Taught, missing_among, taught_by, without_patch_labels
from bridge.annotations.roles import Role
from bridge.ingest import SlideReading
from scripts.gestures import answer_with_roi
from scripts.options import Design, ModelOptions, SourceKind
from scripts.plain_words import counted

_OTHER_DESIGN = 'set [model] label_head = "mean" or design = "weak", or label all that is in a box, then'
_NO_MASKS = 'patch labels teach the patches of design "hybrid", and nothing teaches its refinement yet'


def heeded(plans: Mapping[str, LabelPlan], model: ModelOptions) -> Mapping[str, LabelPlan]:
    """Return the plans as the design can learn from them: without patch labels where it makes nothing of them.

    So they set no training off, pass for nothing that was learned, and count as new once a design does learn from them.
    """
    if model.learns_from_patches:
        return plans
    return {key: without_patch_labels(plan) for key, plan in plans.items()}


def unheeded(reading: SlideReading, model: ModelOptions, kind: SourceKind) -> str | None:
    """Say of a slide's patch labels that the design doesn't learn from them, and the way out; None where it does."""
    count = unheeded_count([reading], model)
    return f"{_said(count)} not learned from by design {model.design.value}; {_way_out(kind)}" if count else None


def missing(
    plans: Iterable[LabelPlan], readings: Iterable[SlideReading], model: ModelOptions, kind: SourceKind
) -> str | None:
    """Say what is missing before training can start, or None when there is enough for the design.

    Parameters
    ----------
    plans
        ``heeded`` ones.
    readings
        Of the same slides: patch labels that don't count are named.
    kind
        Where the annotations live: what to do is said as it is done there.
    """
    return missing_of([taught_by(plan) for plan in plans], unheeded_count(readings, model), model, kind)


def missing_of(taught: Sequence[Taught], count: int, model: ModelOptions, kind: SourceKind) -> str | None:
    """Say what is missing before training can start, as ``missing`` does of the plans.

    Parameters
    ----------
    count
        Patch labels that the design doesn't learn from.
    """
    answer = answer_with_roi(kind)
    lacking = missing_among(taught, answer)
    if model.design is Design.HYBRID and lacking is None:
        cure = f'label all that is in a box, then {answer}, or set [model] design = "patchwise" or "weak"'
        lacks_masks = missing_among(replace(slide, patches=frozenset()) for slide in taught) is not None
        return f"{_NO_MASKS}: {cure}" if lacks_masks else None
    if lacking is None:
        return None
    if not count:
        return lacking
    said = f"{_said(count)} not learned from by design {model.design.value}"
    return f"{said}, and there is too little else: {_way_out(kind)}"


def unheeded_count(readings: Iterable[SlideReading], model: ModelOptions) -> int:
    """Count the patch labels that the design doesn't learn from."""
    return 0 if model.learns_from_patches else sum(len(r.reconciled.of(Role.PATCH_LABEL)) for r in readings)


def _way_out(kind: SourceKind) -> str:
    return f"{_OTHER_DESIGN} {answer_with_roi(kind)}"


def _said(count: int) -> str:
    return counted(count, "patch label is", "patch labels are")
