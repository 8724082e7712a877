"""What every object on a slide means now: its role, its class, and what became of ours.

The gestures of an expert (a proposal's class → ``ROI``; a prediction edited, accepted, deleted …) are read here, from
the objects alone, the same for every tool.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.gestures import names_plainly, said_class
from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind
from bridge.annotations.outlines import are_same_outlines
from bridge.annotations.ownership import WrittenObject, is_named_as_written, match_written, share_inside
from bridge.annotations.scheme import PROPOSED, ClassScheme, LabelOptions, plain_class
from bridge.annotations.source import MachineRole

INSIDE_SHARE = 0.5  # an object with at least this share of its area in ROIs lies inside
_MARKER_KEY = "slidebridge"  # metadata of our objects; QuPath and GeoJSON keep the write's marker under it


class Role(Enum):
    """What an object is to the loop."""

    ANNOTATION = "annotation"
    ROI = "roi"
    IGNORE = "ignore"
    PREDICTION = "prediction"  # ours, as written: open
    PROPOSAL = "proposal"  # ours, as written: open
    PATCH_LABEL = "patch label"
    OTHER = "other"  # kept, counted, never rasterized


class Fate(Enum):
    """What became of an object of ours since it was written."""

    OPEN = "open"
    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"
    CLEARED = "cleared"  # all predictions of a class gone at once: counts nothing, suppresses nothing
    LABELLED = "labelled"  # a proposal that became an ROI or an annotation
    PATCH_LABEL = "patch label"
    DECLINED = "declined"
    OVERWRITTEN = "overwritten"  # a viewer that had been open saved over it: nothing is counted


class Marker(Enum):
    """Which write of ours the author of a save had seen."""

    NEWEST = "newest"
    STALE = "stale"  # an older marker, none, or all of ours (two or more) gone at once


@dataclass(frozen=True, slots=True)
class Interpreted:
    """One object with its meaning.

    Parameters
    ----------
    path_class
        Class of the scheme (``Background`` included) for annotations and patch labels; for *other* the name that the
        scheme doesn't know, or None.
    began_as_prediction
        A person accepted, corrected, split, merged or pasted a prediction: it trains but never judges.
    """

    annotation: Annotation
    role: Role
    path_class: str | None = None
    began_as_prediction: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object of ours; ``annotation`` is what it is now, None when it is gone."""

    written: WrittenObject
    fate: Fate
    annotation: Annotation | None = None
    path_class: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A file's objects against what we wrote.

    Parameters
    ----------
    objects
        Every object, in file order.
    outcomes
        One per written object, and one per former one that is in the file.
    marker
        Whether the author of the file had seen our newest write.
    unknown
        Class or layer name → objects that the scheme doesn't know, kept as *other*.
    """

    objects: tuple[Interpreted, ...]
    outcomes: tuple[Outcome, ...]
    marker: Marker
    unknown: Mapping[str, int] = field(default_factory=dict)

    def of(self, role: Role) -> tuple[Interpreted, ...]:
        """Return the objects of one role, in file order."""
        return tuple(o for o in self.objects if o.role is role)

    def with_fate(self, *fates: Fate) -> tuple[Outcome, ...]:
        """Return the outcomes of the given fates."""
        return tuple(o for o in self.outcomes if o.fate in fates)


def reconcile(
    found: AnnotationSet,
    written: Sequence[WrittenObject],
    newest_marker: str | None,
    scheme: ClassScheme,
    options: LabelOptions,
    *,
    adopted: Sequence[WrittenObject] = (),
    former: Sequence[WrittenObject] = (),
    is_taken_over: bool = False,
) -> Reconciliation:
    """Give every object its role, and every object of ours its fate.

    Parameters
    ----------
    found
        The file as it is now.
    written
        Our objects that the store takes to be in the file, not only the open ones: a box that became a patch label or
        an ROI is one until it is gone, a prediction until our write has made it plain.
    newest_marker
        Of our last write to this file; None before the first.
    adopted
        Former predictions that a person made theirs, with the geometry and class that they then had.
    former
        Objects of earlier writes that the newest one replaced or made plain. A viewer that had been open brings them
        back when it saves; told so, we know them for ours again instead of taking them for a person's.
    is_taken_over
        The file as a whole was made a person's (``FileUse.GIVEN``), all its predictions with it.
    """
    current = {w.object_id for w in written}
    former = [w for w in former if w.object_id not in current]
    pairs = match_written(found.annotations, written, former=former, is_taken_over=is_taken_over)
    unmoved = _unmoved(pairs, (*written, *former))
    marker = _marker(found, written, former, pairs, newest_marker, unmoved)
    origin = {id(a): w for w in (*written, *former) if (a := pairs.get(w.object_id)) is not None}
    reader = _Reader(
        scheme,
        options,
        frozenset(w.object_id for w in adopted),
        _repeated_ids(found.annotations),
        newest_marker,
        unmoved,
        _is_strange(found, (*written, *former), newest_marker),
    )
    objects = [reader.interpret(a, origin.get(id(a))) for a in found.annotations]
    known = [*written, *(w for w in former if _is_back(pairs.get(w.object_id)))]
    outcomes = _outcomes(objects, known, pairs, marker, reader)
    objects = _adopt(objects, outcomes, adopted)
    return Reconciliation(tuple(objects), outcomes, marker, _unknown(objects, scheme, options))


def _unknown(objects: Sequence[Interpreted], scheme: ClassScheme, options: LabelOptions) -> Mapping[str, int]:
    known = {PROPOSED, *options.roi_classes, *options.ignore_classes, *scheme.names}
    names = (o.path_class for o in objects if o.role is Role.OTHER)
    return dict(Counter(name for name in names if name is not None and name not in known))


def _repeated_ids(annotations: Sequence[Annotation]) -> frozenset[str]:
    counts = Counter(a.object_id for a in annotations)
    return frozenset(name for name, count in counts.items() if count > 1)


def _unmoved(pairs: Mapping[str, Annotation], written: Sequence[WrittenObject]) -> frozenset[int]:
    """Return ``id`` of the annotations whose outline is as we wrote it, compared all at once."""
    known = [(pairs[w.object_id], w) for w in written if w.object_id in pairs]
    is_same = are_same_outlines([a.geometry for a, _ in known], [w.geometry for _, w in known])
    return frozenset(id(a) for (a, _), same in zip(known, is_same.tolist(), strict=True) if same)


def _is_strange(found: AnnotationSet, known: Sequence[WrittenObject], newest: str | None) -> bool:
    """Say whether what lies in our layers may come from a write that the store knows nothing of (any more)."""
    if newest is None:
        return True
    return found.write_marker is not None and found.write_marker not in {newest, *(w.write_marker for w in known)}


def _is_back(annotation: Annotation | None) -> bool:
    return annotation is not None and annotation.is_ours


def _marker(
    found: AnnotationSet,
    written: Sequence[WrittenObject],
    former: Sequence[WrittenObject],
    pairs: Mapping[str, Annotation],
    newest: str | None,
    unmoved: Collection[int],
) -> Marker:
    if newest is None:
        return Marker.NEWEST
    present = [(w, pairs[w.object_id]) for w in written if w.object_id in pairs]
    # One object gone is a person's doing; every one of several is rather a viewer's.
    if len(written) > 1 and not present:
        return Marker.STALE
    if found.write_marker is not None:
        return Marker.NEWEST if found.write_marker == newest else Marker.STALE
    is_former_back = any(_is_back(pairs.get(w.object_id)) for w in former)
    # What an earlier write left, a box that became an ROI, shows nothing of the newest one.
    of_newest = (annotation for item, annotation in present if item.write_marker in (None, newest))
    is_seen = any(_shows_write(annotation, newest, unmoved) for annotation in of_newest)
    return Marker.NEWEST if is_seen and not is_former_back else Marker.STALE


def _shows_write(annotation: Annotation, newest: str, unmoved: Collection[int]) -> bool:
    """Say whether an object proves, in a file without marker, that its author had our newest write before them.

    QuPath's own GeoJSON export drops the file's marker and keeps the objects'; ImageScope may drop the layer that
    carries the marker, but an outline of ours in its layer shows that it was seen.
    """
    if annotation.layer is None:
        return annotation.metadata.get(_MARKER_KEY) == newest
    return annotation.is_ours and id(annotation) in unmoved


@dataclass(frozen=True, slots=True)
class _Reader:
    """Gives single objects their meaning.

    Parameters
    ----------
    adopted_ids
        Of former predictions that a person made theirs.
    repeated_ids
        Ids that several objects of the file bear.
    newest_marker
        Of our last write: an object that bears it under an id we never gave was split or pasted from one of ours.
    unmoved
        ``id`` of the annotations whose outline is as we wrote it.
    is_strange
        The file's author had seen a write that the store knows nothing of.
    """

    scheme: ClassScheme
    options: LabelOptions
    adopted_ids: Collection[str]
    repeated_ids: Collection[str]
    newest_marker: str | None
    unmoved: Collection[int]
    is_strange: bool

    def interpret(self, annotation: Annotation, written: WrittenObject | None) -> Interpreted:
        """Return one object with its meaning, given what we wrote it as."""
        if written is not None and id(annotation) in self.unmoved and is_named_as_written(annotation, written):
            role = Role.PREDICTION if written.role is MachineRole.PREDICTION else Role.PROPOSAL
            return Interpreted(annotation, role, plain_class(written.path_class))
        said = said_class(annotation, self.scheme, self.options)
        role = self._role(annotation, written, said)
        if role in (Role.ROI, Role.IGNORE):
            return Interpreted(annotation, role)
        if role is Role.OTHER:
            return Interpreted(annotation, role, said if said is not None and said not in self.scheme else None)
        # Split, merged and pasted predictions have lost their id; what bears our marker and no known id has, too.
        is_stray = written is None and annotation.is_ours and annotation.layer is None
        return Interpreted(annotation, role, said, began_as_prediction=is_stray or _is_predicted(annotation))

    def _role(self, annotation: Annotation, written: WrittenObject | None, said: str | None) -> Role:
        if said is None or not self._covers_area(annotation, written):
            return Role.OTHER
        if said in self.options.roi_classes:
            return Role.ROI
        if said in self.options.ignore_classes:
            return Role.IGNORE
        if said not in self.scheme or self._is_unread(annotation, written):
            return Role.OTHER
        if written is None or written.role is not MachineRole.PROPOSAL:
            return Role.ANNOTATION
        return Role.PATCH_LABEL if id(annotation) in self.unmoved else Role.ANNOTATION

    def _covers_area(self, annotation: Annotation, written: WrittenObject | None) -> bool:
        # QuPath: a prediction that we wrote as a detection is a label as soon as a person has named it.
        was_ours = written is not None or annotation.object_id in self.adopted_ids
        is_kind = annotation.kind is ObjectKind.ANNOTATION or (annotation.kind is ObjectKind.DETECTION and was_ours)
        return is_kind and annotation.shape.is_area and not annotation.geometry.is_empty

    def _is_unread(self, annotation: Annotation, written: WrittenObject | None) -> bool:
        # Bears our marker and predicted class, but the store doesn't know the write (restored from elsewhere, or the
        # store is gone): nobody can say that a person touched it, so it neither trains nor is deleted. In QuPath a
        # second object of one id is a copy, though, and a person's; so is one of our newest write under another id.
        # In ImageScope what a person drew into a layer of ours is theirs, but nothing tells it from another store's
        # predictions, unless they typed something into its Text.
        if annotation.layer is not None:
            is_silent = annotation.is_ours and _is_predicted(annotation) and not annotation.name
            return self.is_strange and written is None and is_silent
        bears_newest = self.newest_marker is not None and annotation.metadata.get(_MARKER_KEY) == self.newest_marker
        is_copy = annotation.object_id in self.repeated_ids or bears_newest
        is_ours = annotation.is_ours and _is_predicted(annotation)
        return written is None and is_ours and not is_copy

    def fate(self, item: WrittenObject, now: Interpreted, is_inside: bool) -> Fate:
        """Return what became of an object of ours that is still there; ``is_inside``: in an ROI by half or more."""
        if item.role is MachineRole.PROPOSAL:
            if now.role is Role.PATCH_LABEL:
                return Fate.PATCH_LABEL
            is_undecided = now.role in (Role.PROPOSAL, Role.OTHER) and not is_inside
            return Fate.OPEN if is_undecided else Fate.LABELLED
        if now.role is Role.PREDICTION:
            is_accepted = is_inside and item.is_editable and now.path_class in self.scheme
            return Fate.ACCEPTED if is_accepted else Fate.OPEN
        is_same = now.path_class == plain_class(item.path_class) and id(now.annotation) in self.unmoved
        is_named = names_plainly(now.annotation, item, self.scheme, self.options)
        return Fate.ACCEPTED if is_same and is_named else Fate.CORRECTED


def _is_predicted(annotation: Annotation) -> bool:
    return annotation.path_class is not None and plain_class(annotation.path_class) is not None


def _outcomes(
    objects: Sequence[Interpreted],
    known: Sequence[WrittenObject],
    pairs: Mapping[str, Annotation],
    marker: Marker,
    reader: _Reader,
) -> tuple[Outcome, ...]:
    meaning = {id(o.annotation): o for o in objects}
    rois = [o.annotation.geometry for o in objects if o.role is Role.ROI]
    cleared = _cleared_groups(known, pairs)
    outcomes = []
    for item, is_inside in zip(known, _is_inside(known, rois), strict=True):
        annotation = pairs.get(item.object_id)
        if annotation is None:
            outcomes.append(Outcome(item, _fate_of_missing(item, marker, cleared, bool(is_inside))))
            continue
        now = meaning[id(annotation)]
        fate = reader.fate(item, now, bool(is_inside))
        outcomes.append(Outcome(item, fate, annotation, now.path_class))
    return tuple(outcomes)


def _is_inside(objects: Sequence[WrittenObject], rois: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
    return share_inside([w.geometry for w in objects], rois) >= INSIDE_SHARE


def _cleared_groups(known: Sequence[WrittenObject], pairs: Mapping[str, Annotation]) -> Collection[tuple[str, bool]]:
    """Return (class, is editable) of the predictions that are gone altogether.

    One prediction deleted is a rejection, not a clearing. Detections count apart: QuPath deletes them all by one menu
    item, and cell detection replaces them.
    """
    groups = [(w.path_class, w.is_editable) for w in known if w.role is MachineRole.PREDICTION]
    left = {(w.path_class, w.is_editable) for w in known if w.object_id in pairs}
    return frozenset(group for group, count in Counter(groups).items() if count > 1 and group not in left)


def _fate_of_missing(
    item: WrittenObject, marker: Marker, cleared: Collection[tuple[str, bool]], is_inside: bool
) -> Fate:
    if marker is Marker.STALE:
        return Fate.OVERWRITTEN
    if item.role is MachineRole.PROPOSAL:
        return Fate.LABELLED if is_inside else Fate.DECLINED
    return Fate.CLEARED if (item.path_class, item.is_editable) in cleared else Fate.REJECTED


def _adopt(
    objects: Sequence[Interpreted], outcomes: Sequence[Outcome], adopted: Sequence[WrittenObject]
) -> list[Interpreted]:
    """Turn accepted predictions into annotations, and mark every annotation that began as a prediction."""
    taken = {id(o.annotation): o for o in outcomes if o.fate in (Fate.ACCEPTED, Fate.CORRECTED)}
    humans = [o.annotation for o in objects if o.role is Role.ANNOTATION]
    former = {id(a) for a in match_written(humans, adopted).values()}
    result = []
    for item in objects:
        place = id(item.annotation)
        if item.role is Role.PREDICTION and place in taken:
            item = replace(item, role=Role.ANNOTATION, began_as_prediction=True)
        elif item.role is Role.ANNOTATION and (place in taken or place in former):
            item = replace(item, began_as_prediction=True)
        result.append(item)
    return result
