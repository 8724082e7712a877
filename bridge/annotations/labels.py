"""From roles to the label plan: what a reconciled slide teaches."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area, repair_areas
from bridge.annotations.outlines import as_array
from bridge.annotations.ownership import WrittenObject, share_inside
from bridge.annotations.plan import LabelledShape, LabelPlan, PatchLabel
from bridge.annotations.plan_areas import cut_far, in_order, places_in_order, share_area
from bridge.annotations.roles import INSIDE_SHARE, Fate, Interpreted, Reconciliation, Role
from bridge.annotations.scheme import IGNORE_LABEL, ClassScheme, LabelOptions
from bridge.coords import Region

WHOLE_SLIDE = "*"  # among hold-out keys: nothing of the slide trains
IGNORE_PREFIX = "ignore-"  # among learned keys


def build_plan(
    slide_key: str,
    reconciled: Reconciliation,
    scheme: ClassScheme,
    options: LabelOptions,
    *,
    extent: Region,
    hold_out: Collection[str] = (),
    learned: Collection[str] = (),
    rejected: Sequence[WrittenObject] = (),
) -> LabelPlan:
    """Collect what one slide teaches.

    Parameters
    ----------
    extent
        The whole slide; objects that lie wholly outside teach nothing.
    hold_out
        Area keys (``area_key``) of the ROIs that judge and never train; the key ``"*"`` holds out the whole slide.
    learned
        ``learned_keys`` of the plan that the champion has trained on: what is not among them is emphasized.
    rejected
        Predictions that a person deleted in earlier saves, since the last training; those of this save are known.

    Raises
    ------
    UnknownPathClassError
        The slide was reconciled with another scheme.

    Notes
    -----
    A prediction that became an annotation by lying in an ROI by half or more is cut off at the edge: nobody has said
    that the labels outside are right.

    The order of the file decides nothing: the same areas give the same plan, however a save or a write of ours has
    rearranged them. What reaches off the slide by more than the slide's longer side ends at its edge.
    """
    slide_box = extent.to_polygon()
    rois = _roi_areas(reconciled, slide_box)
    complete = [slide_box] if options.complete == "slide" else rois
    shapes = [
        LabelledShape(area, scheme.label(item.path_class or ""), is_blind=not item.began_as_prediction)
        for item, area in _areas(reconciled.of(Role.ANNOTATION), slide_box)
    ]
    patches = [
        PatchLabel(_box_of(area), scheme.label(item.path_class or ""))
        for item, area in _areas(reconciled.of(Role.PATCH_LABEL), slide_box)
    ]
    plan = LabelPlan(
        slide_key=slide_key,
        shapes=_in_order(_cut_at_edges(shapes, complete)),
        complete=tuple(complete),
        ignore=tuple(in_order([area for _, area in _areas(reconciled.of(Role.IGNORE), slide_box)])),
        patch_labels=tuple(sorted(patches, key=lambda patch: (patch.region.bounds, patch.label))),
    )
    gone = [o.written.geometry for o in reconciled.with_fate(Fate.REJECTED)] + [w.geometry for w in rejected]
    emphasis = _new_areas(plan, rois, learned) + _shared_areas(in_order(gone), rois)
    return apply_hold_out(replace(plan, emphasis=emphasis), hold_out)


def complete_areas(reconciled: Reconciliation, options: LabelOptions, extent: Region) -> Sequence[BaseGeometry]:
    """Return the areas of a slide in which labelling is complete: as ``complete`` of its plan."""
    slide_box = extent.to_polygon()
    return [slide_box] if options.complete == "slide" else _roi_areas(reconciled, slide_box)


def apply_hold_out(plan: LabelPlan, hold_out: Collection[str]) -> LabelPlan:
    """Return the plan with some of its complete areas held out: nothing in them trains or is drawn more often.

    Parameters
    ----------
    hold_out
        As for ``build_plan``. With ``"*"`` what lies outside the complete areas is left out: it can't judge.
    """
    held = tuple(a for a in plan.complete if WHOLE_SLIDE in hold_out or area_key(a) in hold_out)
    if WHOLE_SLIDE in hold_out:
        cut = zip(plan.shapes, _cut([s.geometry for s in plan.shapes], held), strict=True)
        shapes = tuple(replace(shape, geometry=area) for shape, area in cut if not area.is_empty)
        return replace(plan, shapes=shapes, hold_out=held, emphasis=(), patch_labels=())
    if not held:
        return replace(plan, hold_out=())
    union = shapely.union_all(held)
    plan = without_patch_labels(plan, [p for p in plan.patch_labels if _overlaps(p.region.to_polygon(), union)])
    left = (repair_area(shapely.difference(area, union)) for area in plan.emphasis)
    return replace(plan, hold_out=held, emphasis=tuple(area for area in left if not area.is_empty))


def without_patch_labels(plan: LabelPlan, patches: Sequence[PatchLabel] | None = None) -> LabelPlan:
    """Return the plan without some patch labels, all if None: nothing in their boxes is new because they were."""
    gone = plan.patch_labels if patches is None else patches
    if not gone:
        return plan
    labelled = set(area_keys([*plan.complete, *(shape.geometry for shape in plan.shapes)]))
    boxes = {area_key(patch.region.to_polygon()) for patch in gone} - labelled
    return replace(
        plan,
        emphasis=tuple(area for area in plan.emphasis if area_key(area) not in boxes),
        patch_labels=tuple(patch for patch in plan.patch_labels if patch not in gone),
    )


def area_key(area: BaseGeometry) -> str:
    """Name an area by its bounds in whole pixels: stable over tools that renumber and reformat."""
    return _short(",".join(str(round(value)) for value in area.bounds))


def area_keys(areas: Sequence[BaseGeometry]) -> list[str]:
    """Return ``area_key`` of each, their bounds taken all at once."""
    corners = np.rint(shapely.bounds(as_array(areas))).tolist()
    return [_short(",".join(str(int(value)) for value in bounds)) for bounds in corners]


def shape_keys(shapes: Sequence[LabelledShape]) -> list[str]:
    """Name labelled shapes by bounds, area in whole pixels and label: an edit inside, or of the class, renames one."""
    areas = [shape.geometry for shape in shapes]
    sizes = np.rint(shapely.area(as_array(areas))).tolist()
    names = zip(area_keys(areas), sizes, shapes, strict=True)
    return [_short(f"{name},{int(size)},{shape.label}") for name, size, shape in names]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def patch_key(patch: PatchLabel) -> str:
    """Name a patch label by its box and label."""
    return hashlib.sha256(f"patch {patch.region.bounds} {patch.label}".encode()).hexdigest()[:16]


def patch_keys_of(area: BaseGeometry) -> frozenset[str]:
    """Name the patch labels that an area may have been before labelling in it was complete.

    One per label that any scheme can have: it may have had one that the project's scheme has lost since.
    """
    box = _box_of(area)
    return frozenset(patch_key(PatchLabel(box, label)) for label in range(IGNORE_LABEL))


def ignore_key(area: BaseGeometry) -> str:
    """Name an ignored area; no name of another kind begins with this one's letter."""
    return f"{IGNORE_PREFIX}{area_key(area)}{round(area.area)}"


def learned_keys(plan: LabelPlan) -> frozenset[str]:
    """Return what to remember of a plan once a champion has trained on it; ``build_plan`` asks for it again."""
    held = {area_key(area) for area in plan.hold_out}
    areas = {area_key(area) for area in plan.complete}
    others = {*shape_keys(training_shapes(plan)), *map(patch_key, plan.patch_labels)}
    return frozenset(areas - held) | others | frozenset(map(ignore_key, plan.ignore))


def blind_areas(plan: LabelPlan) -> tuple[BaseGeometry, ...]:
    """Return the complete areas in which no label began as a prediction: the only ones that may judge."""
    seen = [s.geometry for s in plan.shapes if not s.is_blind]
    tree = shapely.STRtree(seen)
    return tuple(area for area in plan.complete if len(tree.query(area, predicate="intersects")) == 0)


@dataclass(frozen=True, slots=True)
class Taught:
    """Which labels a slide teaches; made by ``taught_by``.

    Parameters
    ----------
    shapes, patches
        Labels of areas, and of boxes with one class.
    has_background
        A complete area of it trains.
    """

    shapes: frozenset[int] = frozenset()
    patches: frozenset[int] = frozenset()
    has_background: bool = False


def taught_by(plan: LabelPlan) -> Taught:
    """Return which labels a plan teaches; what lies in held-out areas doesn't count."""
    shapes = frozenset(shape.label for shape in training_shapes(plan))
    patches = frozenset(patch.label for patch in plan.patch_labels)
    return Taught(shapes, patches, len(plan.complete) > len(plan.hold_out))


def missing_among(taught: Iterable[Taught], answer: str = "set the box's class to ROI") -> str | None:
    """Say what is missing before training can start, and what to do about it, or None when there is enough.

    Fewer than two labels don't do: background counts as one as soon as an area is complete.

    Parameters
    ----------
    answer
        How a person says in their tool that labelling in a box is complete.
    """
    slides = list(taught)
    labels = frozenset[int]().union(*(slide.shapes | slide.patches for slide in slides))
    trains = any(slide.has_background for slide in slides)
    found = len(labels - {0}) + (1 if trains or 0 in labels else 0)
    if found >= 2:
        return None
    if not labels:
        return f"nothing is labelled yet: outline what is in a proposed box, by class, then {answer}, and save"
    return f"only one label so far: label all that is in a box, then {answer}, or label a second class, and save"


def training_shapes(plan: LabelPlan) -> list[LabelledShape]:
    """Return the shapes that don't lie in held-out areas altogether."""
    if not plan.hold_out:
        return list(plan.shapes)
    held = shapely.union_all(plan.hold_out)
    shapely.prepare(held)
    is_held = shapely.covers(held, as_array([shape.geometry for shape in plan.shapes]))
    return list(compress(plan.shapes, ~is_held))


def _roi_areas(reconciled: Reconciliation, slide_box: BaseGeometry) -> list[BaseGeometry]:
    return in_order([area for _, area in _areas(reconciled.of(Role.ROI), slide_box)])


def _in_order(shapes: Sequence[LabelledShape]) -> tuple[LabelledShape, ...]:
    labels, blind = [shape.label for shape in shapes], [shape.is_blind for shape in shapes]
    return tuple(shapes[place] for place in places_in_order([s.geometry for s in shapes], labels, blind))


def _areas(items: Sequence[Interpreted], slide_box: BaseGeometry) -> list[tuple[Interpreted, BaseGeometry]]:
    """Return the objects that share pixels with the slide, each with its repaired area."""
    if not items:
        return []
    areas = repair_areas([item.annotation.geometry for item in items])
    is_on = share_area(areas, slide_box)
    near = cut_far(areas, slide_box)
    return [(item, area) for item, area, on in zip(items, near, is_on, strict=True) if on]


def _overlaps(first: BaseGeometry, second: BaseGeometry) -> bool:
    return bool(share_area(as_array([first]), second)[0])


def _box_of(area: BaseGeometry) -> Region:
    # A patch label is the box as it was proposed, in whole pixels; a tool's rounding mustn't widen it.
    left, top, right, bottom = (round(value) for value in area.bounds)
    return Region(left, top, max(1, right - left), max(1, bottom - top))


def _cut_at_edges(shapes: Sequence[LabelledShape], complete: Sequence[BaseGeometry]) -> tuple[LabelledShape, ...]:
    """Cut what began as a prediction and lies in complete areas by half or more off at their edges."""
    seen = [place for place, shape in enumerate(shapes) if not shape.is_blind]
    shares = share_inside([shapes[place].geometry for place in seen], complete)
    border = [place for place, share in zip(seen, shares, strict=True) if INSIDE_SHARE <= share < 1]
    result = list(shapes)
    for place, area in zip(border, _cut([shapes[place].geometry for place in border], complete), strict=True):
        result[place] = replace(shapes[place], geometry=area)
    return tuple(result)


def _new_areas(plan: LabelPlan, rois: Sequence[BaseGeometry], learned: Collection[str]) -> tuple[BaseGeometry, ...]:
    areas = [area for area in rois if area_key(area) not in learned]
    names = shape_keys(plan.shapes) if learned else [""] * len(plan.shapes)
    shapes = [shape.geometry for name, shape in zip(names, plan.shapes, strict=True) if name not in learned]
    patches = [patch.region.to_polygon() for patch in plan.patch_labels if patch_key(patch) not in learned]
    return (*areas, *shapes, *patches)


def _shared_areas(geometries: Sequence[BaseGeometry], areas: Sequence[BaseGeometry]) -> tuple[BaseGeometry, ...]:
    return tuple(area for area in _cut(geometries, areas) if not area.is_empty)


def _cut(geometries: Sequence[BaseGeometry], areas: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Return what of each geometry lies in the areas; empty where nothing does."""
    if not areas or not geometries:
        return [shapely.MultiPolygon() for _ in geometries]
    union = shapely.union_all(areas)
    shapely.prepare(union)
    left = repair_areas(geometries)
    is_cut = ~shapely.covers(union, left)
    is_off = is_cut & ~shapely.intersects(union, left)
    left[is_off] = shapely.MultiPolygon()
    is_cut &= ~is_off
    left[is_cut] = repair_areas(shapely.intersection(left[is_cut], union))
    return list(left)
