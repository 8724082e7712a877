"""Label plans of all slides, and which of them judge instead of training."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import FileUse, LabelPlan, SlideEntry
from bridge.annotations.labels import (
    WHOLE_SLIDE,
    apply_hold_out,
    area_key,
    blind_areas,
    build_plan,
    patch_key,
    patch_keys_of,
    shape_keys,
)
from bridge.annotations.split import HOLD_OUT, TRAIN, HoldOutOptions, is_split_by_slide, split_areas, split_slides
from bridge.ingest import SlideReading
from bridge.store import Store
from bridge.store.split_records import AssignedPart, Split
from scripts.loop.knowing import PlanFacts, ProjectKnowledge
from scripts.loop.patch_labels import heeded
from scripts.project import Project

Bounds = tuple[float, float, float, float]
_SAME_AREA = 0.5  # overlap of bounds by which a nudged ROI is known again


@dataclass(frozen=True, slots=True)
class OtherSlide:
    """A slide that isn't read again, and was planned and decided upon when it was."""

    entry: SlideEntry
    is_labelled: bool


@dataclass(frozen=True, slots=True, eq=False)
class Divided:
    """A plan, the areas of it that judge, and the plan with these held out."""

    plan: LabelPlan
    held: frozenset[str]
    divided: LabelPlan


def make_plans(
    project: Project,
    store: Store,
    readings: Sequence[SlideReading],
    now: datetime,
    *,
    is_dry_run: bool,
    knowledge: ProjectKnowledge | None = None,
    others: Sequence[OtherSlide] = (),
) -> Mapping[str, LabelPlan]:
    """Return what each slide teaches, by key; new slides and areas are told apart into those that train and that judge.

    Parameters
    ----------
    readings
        Slides that are believed.
    is_dry_run
        New decisions are not recorded.
    knowledge
        What was known of slides that are as before; None asks the store of each.
    others
        The rest of the project, for what is decided for slides together.
    """

    def facts_of(key: str) -> PlanFacts:
        return knowledge if knowledge is not None and knowledge.is_taken(key) else store

    whole = {r.entry.key: whole_plan(project, facts_of(r.entry.key), r) for r in readings}
    return divide(project, store, readings, whole, now, is_dry_run=is_dry_run, others=others)


def whole_plan(project: Project, facts: PlanFacts, reading: SlideReading) -> LabelPlan:
    """Return what one slide teaches while nothing of it is held out; the same until it is saved or trained on.

    Nothing, where there is no annotation file yet, or only one that we offered and nobody has taken over: by itself
    it says of no pixel that it is background, even where whole slides count as labelled.
    """
    key = reading.entry.key
    if reading.data is None or reading.entry.use is FileUse.OFFERED:
        return LabelPlan(key)
    return build_plan(
        key,
        reading.reconciled,
        project.scheme,
        project.settings.labels,
        extent=reading.pyramid.bounds,
        learned=facts.learned(key),
        rejected=facts.rejected(key),
    )


def divide(
    project: Project,
    store: Store,
    readings: Sequence[SlideReading],
    whole: Mapping[str, LabelPlan],
    now: datetime,
    *,
    is_dry_run: bool,
    before: MutableMapping[str, Divided] | None = None,
    others: Sequence[OtherSlide] = (),
) -> Mapping[str, LabelPlan]:
    """Return the plans with the areas held out that judge; slides and areas that are new are decided upon.

    Patch labels that the design learns nothing from are left out.

    Parameters
    ----------
    whole
        ``whole_plan`` of each reading.
    before
        What the last call made, by slide, for whoever calls again: where neither plan nor decision is another one now,
        the same plan comes back. Changed in place.
    others
        As for ``make_plans``.
    """
    plans = heeded(whole, project.settings.model)
    held = _split(project, store, readings, plans, now, is_dry_run=is_dry_run, others=others)
    kept = {} if before is None else before
    for key in kept.keys() - plans.keys():
        del kept[key]
    for key, plan in plans.items():
        areas = held.get(key, frozenset())
        if key not in kept or kept[key].plan is not plan or kept[key].held != areas:
            kept[key] = Divided(plan, areas, apply_hold_out(plan, areas))
    return {key: kept[key].divided for key in plans}


def _split(
    project: Project,
    store: Store,
    readings: Sequence[SlideReading],
    plans: Mapping[str, LabelPlan],
    now: datetime,
    *,
    is_dry_run: bool,
    others: Sequence[OtherSlide] = (),
) -> Mapping[str, frozenset[str]]:
    """Decide which slides or areas judge; return the held-out keys per slide, new decisions included."""
    options = project.settings.holdout
    entries = [*(r.entry for r in readings), *(other.entry for other in others)]
    groups = {entry.key: _group_of(entry, options.by) for entry in entries}
    stated = {entry.key: entry.part for entry in entries if entry.part is not None}
    labelled = {key: groups[key] for key, plan in plans.items() if not plan.is_empty}
    labelled_too = [groups[other.entry.key] for other in others if other.is_labelled]
    split = store.split()
    known = split.parts
    parts = {key: dict(known.get(key, {})) for key in groups}
    bounds: Mapping[str, Bounds] = {}
    if _is_by_slide(split, [*labelled.values(), *labelled_too], stated):
        fresh = _split_slides(split, groups, labelled, known, stated, options)
    else:
        fresh, bounds = _split_areas(split, labelled, plans, options)
    for (key, area), part in fresh.items():
        parts[key].setdefault(area, part)
    if not is_dry_run:
        store.assign_parts(
            [AssignedPart(key, area, part, bounds.get(area)) for (key, area), part in fresh.items()], now
        )
    return {key: frozenset(a for a, part in areas.items() if part == HOLD_OUT) for key, areas in parts.items()}


def _is_by_slide(split: Split, groups: Sequence[str], stated: Collection[str]) -> bool:
    """Say whether whole slides are told apart; once they were it stays so, also while some of them can't be read."""
    return is_split_by_slide(groups) or any(WHOLE_SLIDE in areas for areas in split.parts.values()) or bool(stated)


def is_decided(
    store: Store, options: HoldOutOptions, slides: Sequence[OtherSlide], others: Sequence[SlideEntry]
) -> bool:
    """Say whether all that slides teach is decided upon, so that no other slide's reading decides more of it.

    Parameters
    ----------
    slides
        Those that aren't read again.
    others
        Labelled ones of those that were.
    """
    split, labelled = store.split(), [slide.entry for slide in slides if slide.is_labelled]
    entries = [*(slide.entry for slide in slides), *others]
    groups = [_group_of(entry, options.by) for entry in (*labelled, *others)]
    if not _is_by_slide(split, groups, [entry.key for entry in entries if entry.part is not None]):
        return True
    return all(WHOLE_SLIDE in split.parts_of(entry.key) for entry in labelled)


def _group_of(entry: SlideEntry, by: str) -> str:
    return entry.key if by == "slide" else entry.metadata.get(by, entry.key)


def _split_slides(
    split: Split,
    groups: Mapping[str, str],
    labelled: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
    stated: Mapping[str, str],
    options: HoldOutOptions,
) -> Mapping[tuple[str, str], str]:
    """Decide per slide or patient; slides of a decided patient follow, labelled or not.

    What the source says goes over the hash; but what was once trained on never judges, and what was once decided stays.
    """
    said = {groups[key]: TRAIN if split.learned_of(key) else part for key, part in sorted(stated.items())}
    decided = said | {groups.get(key, key): areas[WHOLE_SLIDE] for key, areas in known.items() if WHOLE_SLIDE in areas}
    new = sorted(set(labelled.values()) - set(decided))
    trained = {group for key, group in groups.items() if split.learned_of(key)}
    untrained = [group for group in new if group not in trained]
    decided |= split_slides(new, decided, untrained, options)
    return {
        (key, WHOLE_SLIDE): decided[group]
        for key, group in groups.items()
        if group in decided and WHOLE_SLIDE not in known.get(key, {})
    }


def _split_areas(
    split: Split,
    labelled: Mapping[str, str],
    plans: Mapping[str, LabelPlan],
    options: HoldOutOptions,
) -> tuple[Mapping[tuple[str, str], str], Mapping[str, Bounds]]:
    """Decide per ROI. One that a person has nudged stays where it was; one that touches what trained never judges.

    Nor does one that trained as a box of a single class before somebody labelled all in it.
    """
    decided = {f"{key}/{area}": part for key, areas in split.parts.items() for area, part in areas.items()}
    names: dict[str, tuple[str, str]] = {}
    bounds: dict[str, Bounds] = {}
    inherited: dict[tuple[str, str], str] = {}
    blind: set[str] = set()
    for key in labelled:
        plan, earlier, learned = plans[key], split.bounds_of(key), split.learned_of(key)
        named = {area_key(area): area for area in plan.complete}
        new = {name: area for name, area in named.items() if f"{key}/{name}" not in decided}
        if not new:
            continue  # after most saves: no need to name all that is drawn
        names_of = shape_keys(plan.shapes) if learned else ()
        trained = [s.geometry for s, known in zip(plan.shapes, names_of, strict=False) if known in learned]
        patches = [p.region.to_polygon() for p in plan.patch_labels if patch_key(p) in learned]
        unseen = {area_key(area) for area in blind_areas(plan)}
        for name, area in new.items():
            bounds[name] = area.bounds
            part = _inherited(area.bounds, earlier)
            if part == HOLD_OUT and (_has_grown_over(area, earlier, trained) or _shares_pixels(area, patches)):
                part = TRAIN
            if part is not None:
                inherited[key, name] = part
                continue
            names[f"{key}/{name}"] = (key, name)
            was_patch = bool(learned) and not learned.isdisjoint(patch_keys_of(area))
            was_patch = was_patch or _shares_pixels(area, patches)
            if name in unseen and not was_patch and not any(area.intersects(shape) for shape in trained):
                blind.add(f"{key}/{name}")
    fresh = split_areas(sorted(names), decided, blind, options)
    return inherited | {names[name]: part for name, part in fresh.items()}, bounds


def _inherited(area: Bounds, earlier: Sequence[tuple[str, Bounds]]) -> str | None:
    """Return the part of the area that this one was before it was nudged, TRAIN where it touches what trained."""
    overlaps = [(part, _overlap(area, other)) for part, other in earlier]
    if any(part == TRAIN and share > 0 for part, share in overlaps):
        return TRAIN
    return HOLD_OUT if any(share >= _SAME_AREA for _, share in overlaps) else None


def _has_grown_over(area: BaseGeometry, earlier: Sequence[tuple[str, Bounds]], trained: Sequence[BaseGeometry]) -> bool:
    """Say whether a held-out area came to touch a shape that trained; shapes across an edge of one always did."""
    held = shapely.union_all([shapely.box(*bounds) for part, bounds in earlier if part == HOLD_OUT])
    return any(area.intersects(shape) and not held.intersects(shape) for shape in trained)


def _shares_pixels(area: BaseGeometry, boxes: Sequence[BaseGeometry]) -> bool:
    """Say whether an area overlaps a box; side by side, as boxes are asked for, is no overlap."""
    return any(area.intersects(box) and not area.touches(box) for box in boxes)


def _overlap(first: Bounds, second: Bounds) -> float:
    """Return shared over joint area of two rectangles; a shared border, or a pixel of it, is none."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 2 or height <= 2:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return width * height / (sum(areas) - width * height)
