"""Which predictions and proposals go into a file, and what is taken out: the rules of "what we write where"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_areas
from bridge.annotations.objects import Annotation, Rgb
from bridge.annotations.ownership import WrittenObject, overlapping_pairs, share_inside
from bridge.annotations.proposals import Proposal
from bridge.annotations.roles import INSIDE_SHARE, Fate, Outcome, Reconciliation, Role
from bridge.annotations.scheme import PROPOSED, ClassScheme, plain_class, predicted_class
from bridge.annotations.source import Edits, MachineObject, MachineRole
from bridge.errors import UnknownPathClassError

_ANNOTATED_IOU = 0.3
_REJECTED_IOU = 0.5


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What goes into people's files (``[write]``)."""

    max_editable: int = 2000  # predictions per slide that can be edited; the rest are QuPath detections
    proposed_color: Rgb = (255, 200, 0)
    roi_color: Rgb = (0, 0, 0)
    hold_out_predictions: bool = False  # write predictions on hold-out slides too (they are labelled blind)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One predicted object: plain class, valid level-0 outline, mean probability (None if unknown)."""

    path_class: str
    geometry: BaseGeometry
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class WriteSummary:
    """How many predictions went in, and why others didn't."""

    written: int
    as_detections: int
    inside_roi: int
    already_annotated: int
    rejected_before: int


def choose_predictions(
    predictions: Sequence[Prediction],
    reconciled: Reconciliation,
    rejected: Sequence[WrittenObject],
    proposals: Sequence[Proposal],
    options: WriteOptions,
    *,
    object_ids: Sequence[str],
    scheme: ClassScheme,
    checkpoint: str | None = None,
) -> tuple[tuple[MachineObject, ...], WriteSummary]:
    """Choose the predictions to write.

    None with half of its area inside an ROI; none where it overlaps an annotation of its class (IoU ≥ 0.3), nor one
    that a person has rejected (same class, IoU ≥ 0.5). At most ``max_editable`` go in as editable annotations, those in
    and near proposals first; the rest as detections.

    Parameters
    ----------
    object_ids
        A fresh UUID per prediction.
    checkpoint
        Id of the model that they are from.

    Raises
    ------
    UnknownPathClassError
        A prediction of a class that the scheme has no colour for.
    """
    for prediction in predictions:
        if prediction.path_class not in scheme.colors:
            raise UnknownPathClassError(prediction.path_class, tuple(scheme.colors))
    shapes = [p.geometry for p in predictions]
    rois = [o.annotation.geometry for o in reconciled.of(Role.ROI)]
    inside = share_inside(shapes, rois) >= INSIDE_SHARE
    annotated = [(o.path_class or "", o.annotation.geometry) for o in reconciled.of(Role.ANNOTATION)]
    known = _overlaps(predictions, annotated, _ANNOTATED_IOU, where=~inside)
    refused = [(plain_class(w.path_class) or "", w.geometry) for w in rejected]
    declined = _overlaps(predictions, refused, _REJECTED_IOU, where=~(inside | known))
    chosen = [int(i) for i in np.flatnonzero(~(inside | known | declined))]
    editable = set(_nearest_first(chosen, shapes, proposals)[: options.max_editable])
    objects = tuple(
        MachineObject(
            object_id=object_ids[i],
            role=MachineRole.PREDICTION,
            path_class=predicted_class(predictions[i].path_class),
            geometry=predictions[i].geometry,
            color=scheme.colors[predictions[i].path_class],
            is_editable=i in editable,
            probability=predictions[i].probability,
            checkpoint=checkpoint,
        )
        for i in chosen
    )
    summary = WriteSummary(
        len(objects), len(objects) - len(editable), int(inside.sum()), int(known.sum()), int(declined.sum())
    )
    return objects, summary


def proposal_objects(
    proposals: Sequence[Proposal], options: WriteOptions, object_ids: Sequence[str], checkpoint: str | None = None
) -> tuple[MachineObject, ...]:
    """Turn proposals into objects to write: rectangles of class ``Proposed``, named with rank, reason and score.

    ``checkpoint`` is the id of the model that they were chosen by; None where chance alone did.
    """
    return tuple(
        MachineObject(
            object_id=object_id,
            role=MachineRole.PROPOSAL,
            path_class=PROPOSED,
            geometry=proposal.region.to_polygon(),
            color=options.proposed_color,
            name=proposal.text,
            checkpoint=checkpoint,
        )
        for proposal, object_id in zip(proposals, object_ids, strict=True)
    )


def compose_edits(
    reconciled: Reconciliation,
    additions: Sequence[MachineObject],
    scheme: ClassScheme,
    write_marker: str,
    *,
    replaces: frozenset[MachineRole] = frozenset(MachineRole),
) -> Edits:
    """Compose one write: our open objects out, accepted and corrected ones made plain, the new ones in.

    Parameters
    ----------
    replaces
        Roles whose open objects are taken out; ``propose`` alone leaves predictions as they are.

    Notes
    -----
    Nothing is deleted or made plain that lacks our identity, or whose id another object of the file bears, too.
    """
    roles = {MachineRole.PREDICTION: Role.PREDICTION, MachineRole.PROPOSAL: Role.PROPOSAL}
    touchable = _touchable_ids(reconciled)
    opened = {o.annotation.object_id for role in replaces for o in reconciled.of(roles[role])}
    promoted = {
        outcome.annotation.object_id: plain
        for outcome in reconciled.with_fate(Fate.ACCEPTED, Fate.CORRECTED)
        if outcome.annotation is not None
        and outcome.annotation.object_id in touchable
        and (plain := _promotion(outcome, outcome.annotation, scheme)) is not None
        and not _would_cut(outcome.annotation, plain[0], reconciled)
    }
    return Edits(write_marker, frozenset(opened & touchable), promoted, tuple(additions))


def _touchable_ids(reconciled: Reconciliation) -> frozenset[str]:
    """Return the ids that name one object, and that one ours: an edit of a shared id would strike both bearers."""
    counts = Counter(o.annotation.object_id for o in reconciled.objects)
    ours = (o.annotation.object_id for o in reconciled.objects if o.annotation.is_ours)
    return frozenset(object_id for object_id in ours if counts[object_id] == 1)


def _would_cut(annotation: Annotation, path_class: str, reconciled: Reconciliation) -> bool:
    """Say whether the object's holes, moved into the class's layer, would cut what a person drew there.

    ImageScope's negative regions cut every region of their layer that they lie in; such an object stays where it is.
    """
    holes = shapely.get_num_interior_rings(shapely.get_parts(annotation.geometry)).sum()
    if annotation.layer is None or holes == 0:
        return False
    others = (o.annotation for o in reconciled.of(Role.ANNOTATION) if o.annotation is not annotation)
    return any(o.geometry.intersects(annotation.geometry) for o in others if o.path_class == path_class)


def _promotion(outcome: Outcome, annotation: Annotation, scheme: ClassScheme) -> tuple[str, Rgb] | None:
    """Return the class and colour that an object of a person's becomes, None where it stays as it is."""
    path_class = outcome.path_class
    if path_class is None or path_class not in scheme.colors:
        return None
    said = annotation.path_class
    if annotation.layer is None and said is not None and plain_class(said) is None:
        # Named by a person already: their word and colour stay, only our marker goes.
        return said, annotation.color or scheme.colors[path_class]
    return path_class, scheme.colors[path_class]


def _overlaps(
    predictions: Sequence[Prediction],
    others: Sequence[tuple[str, BaseGeometry]],
    least_iou: float,
    *,
    where: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return, per prediction ``where`` asked, whether one of the same class overlaps it by at least ``least_iou``."""
    result = np.zeros(len(predictions), dtype=bool)
    asked = np.flatnonzero(where).tolist()
    if not asked or not others:
        return result
    pairs, _ = overlapping_pairs(
        repair_areas([predictions[i].geometry for i in asked]),
        repair_areas([geometry for _, geometry in others]),
        [predictions[i].path_class for i in asked],
        [path_class for path_class, _ in others],
        least_iou=least_iou,
    )
    result[np.array(asked)[pairs[0]]] = True
    return result


def _nearest_first(chosen: list[int], shapes: Sequence[BaseGeometry], proposals: Sequence[Proposal]) -> list[int]:
    if not proposals or not chosen:
        return chosen
    boxes = shapely.union_all([p.region.to_polygon() for p in proposals])
    distance = shapely.distance(np.array([shapes[i] for i in chosen], dtype=object), boxes)
    return [chosen[i] for i in np.argsort(distance, kind="stable")]
