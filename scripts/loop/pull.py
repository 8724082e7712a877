"""Pull: read every settled file, record what became of ours, and make the label plans."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.annotations import LabelPlan, MachineRole, SlideEntry
from bridge.annotations.diff import diff_annotations, is_suspicious
from bridge.annotations.labels import WHOLE_SLIDE, apply_hold_out, area_key, blind_areas, build_plan, shape_key
from bridge.annotations.roles import Fate, Role
from bridge.annotations.split import HOLD_OUT, TRAIN, HoldOutOptions, is_split_by_slide, split_areas, split_slides
from bridge.errors import AnnotationFileError, BridgeError, StoreError
from bridge.ingest import Known, SlideReading, read_settled, read_slide, shifted
from bridge.store import Backups, Store
from scripts.project import Project

logger = logging.getLogger(__name__)
_NO_FILE = ""  # the revision of a slide without annotation file, once that was confirmed
Bounds = tuple[float, float, float, float]
_SAME_AREA = 0.5  # overlap of bounds by which a nudged ROI is known again


@dataclass(frozen=True, slots=True)
class SlideProblem:
    """A slide that couldn't be read, and why; the others go on."""

    entry: SlideEntry
    message: str


@dataclass(frozen=True, slots=True)
class SlideState:
    """One slide after the pull.

    Parameters
    ----------
    plan
        What it teaches; empty when the file is suspicious.
    is_suspicious
        The last save lost more than half of what people had drawn: not learned from, not written to.
    """

    reading: SlideReading
    plan: LabelPlan
    is_suspicious: bool = False

    @property
    def key(self) -> str:
        """The slide's key in its source and in the store."""
        return self.reading.entry.key


@dataclass(frozen=True, slots=True)
class Pulled:
    """All slides of a project, as people left them."""

    slides: tuple[SlideState, ...]
    problems: tuple[SlideProblem, ...]
    warnings: tuple[str, ...]

    @property
    def plans(self) -> tuple[LabelPlan, ...]:
        """The label plans, in the order of the slides."""
        return tuple(s.plan for s in self.slides)


def known_of(store: Store, entry: SlideEntry) -> Known:
    """Return what the store knows of a slide's objects."""
    key = entry.key
    return Known(store.live_objects(key), store.newest_marker(key), store.adopted(key), store.superseded(key))


def read_entry(project: Project, store: Store, entry: SlideEntry) -> SlideReading:
    """Read one slide, waiting until a save is over.

    Raises
    ------
    BridgeError
        The file or the slide can't be read.
    """
    settings = project.settings
    last = store.last_read(entry.key)
    data = read_settled(project.source, entry, settings.watch, known_revision=last.revision if last else None)
    return read_slide(
        project.source, entry, known_of(store, entry), project.scheme, settings.labels, settings.slides, data
    )


def pull(
    project: Project,
    store: Store,
    backups: Backups,
    now: datetime,
    *,
    advance: Callable[[str], None] = lambda name: None,
    is_dry_run: bool = False,
) -> Pulled:
    """Read every slide of the project and record what became of our objects.

    Parameters
    ----------
    advance
        Called with each slide's name when it is done.
    is_dry_run
        Nothing is recorded.
    """
    readings: list[tuple[SlideReading, bool]] = []
    problems: list[SlideProblem] = []
    for entry in project.source.slides():
        try:
            reading = read_entry(project, store, entry)
            lost = record_reading(project, store, backups, reading, now, is_dry_run=is_dry_run)
            readings.append((reading, lost))
        except BridgeError as error:
            logger.warning("slide=%s error=%s", entry.name, error)
            problems.append(SlideProblem(entry, str(error)))
        advance(entry.name)
    plans = _plan(project, store, [r for r, lost in readings if not lost], now, is_dry_run=is_dry_run)
    states = tuple(SlideState(r, plans.get(r.entry.key, LabelPlan(r.entry.key)), lost) for r, lost in readings)
    warnings = [line for reading, _ in readings for line in reading.warnings]
    warnings += [_suspicion(state.reading) for state in states if state.is_suspicious]
    return Pulled(states, tuple(problems), tuple(warnings))


def _suspicion(reading: SlideReading) -> str:
    if reading.data is None:
        return (
            f"{reading.entry.name}: the annotation file that was read before is gone; nothing is learned from it nor"
            f" written until it is back (copies are in backups) or `slidebridge confirm {reading.entry.name!r}`"
        )
    return (
        f"{reading.entry.name}: the last save lost more than half of what was drawn; kept in backups and not learned"
        f" from until it is saved again or `slidebridge confirm {reading.entry.name!r}`"
    )


def record_reading(
    project: Project,
    store: Store,
    backups: Backups,
    reading: SlideReading,
    now: datetime,
    *,
    is_dry_run: bool = False,
) -> bool:
    """Record a new revision; return whether it is suspicious."""
    key, data, revision = reading.entry.key, reading.data, reading.revision
    last, suspected = store.last_read(key), store.suspicious_revision(key)
    if data is None or revision is None:
        return last is not None and last.revision != _NO_FILE
    if last is not None and last.revision == revision:
        if not is_dry_run:
            believe(store, reading, now)  # again: a viewer may have put the same bytes back over our write
        return False
    # The save after a suspicious one is believed, whatever it holds: a person has looked twice.
    is_first_doubt = suspected in (None, revision)
    suspicious = is_first_doubt and last is not None and is_suspicious(last.human_count, reading.human_count)
    if is_dry_run:
        return suspicious
    backups.keep(data)
    if suspicious:
        store.record_suspicious(key, revision)
        return True
    added = _added_by_hand(project, backups, reading, last.revision if last else None)
    store.record_added(key, _iteration_seen(store, key), added, revision)
    believe(store, reading, now)
    return False


def believe(store: Store, reading: SlideReading, now: datetime) -> None:
    """Record a revision as what people left: outcomes of our objects, and the revision itself."""
    key, revision = reading.entry.key, reading.revision or _NO_FILE
    outcomes = reading.reconciled.outcomes
    store.record_outcomes(key, outcomes, revision, now)
    store.record_read(key, revision, now, human_count=reading.human_count, name=reading.entry.name)
    if any(o.fate is Fate.OVERWRITTEN and o.written.role is MachineRole.PREDICTION for o in outcomes):
        store.forget_predicted(key)


def _iteration_seen(store: Store, slide_key: str) -> int:
    """Return the training whose predictions were in the file when a person worked on it; 0 for none."""
    marker = store.newest_marker(slide_key)
    return store.write(marker).iteration if marker is not None else 0


def _added_by_hand(project: Project, backups: Backups, reading: SlideReading, before: str | None) -> int:
    drawn = [o.annotation for o in reading.reconciled.of(Role.ANNOTATION) if not o.began_as_prediction]
    if before in (None, _NO_FILE):
        return len(drawn)
    assert before is not None
    try:
        old = project.source.parse(backups.load(before), reading.entry)
    except (StoreError, AnnotationFileError) as error:  # a count must not stop the loop
        logger.warning("slide=%s not counted what was added: %s", reading.entry.name, error)
        return 0
    return len(diff_annotations(shifted(old.annotations, reading.entry.origin), drawn).added)


def _plan(
    project: Project, store: Store, readings: Sequence[SlideReading], now: datetime, *, is_dry_run: bool
) -> Mapping[str, LabelPlan]:
    scheme, labels = project.scheme, project.settings.labels
    plans = {
        r.entry.key: build_plan(
            r.entry.key,
            r.reconciled,
            scheme,
            labels,
            extent=r.pyramid.bounds,
            learned=store.learned(r.entry.key),
            rejected=store.rejected(r.entry.key),
        )
        for r in readings
    }
    held = _split(project, store, readings, plans, now, is_dry_run=is_dry_run)
    return {key: apply_hold_out(plan, held.get(key, frozenset())) for key, plan in plans.items()}


def _split(
    project: Project,
    store: Store,
    readings: Sequence[SlideReading],
    plans: Mapping[str, LabelPlan],
    now: datetime,
    *,
    is_dry_run: bool,
) -> Mapping[str, frozenset[str]]:
    """Decide which slides or areas judge; return the held-out keys per slide, new decisions included."""
    options = project.settings.holdout
    groups = {r.entry.key: _group_of(r.entry, options.by) for r in readings}
    labelled = {key: group for key, group in groups.items() if not plans[key].is_empty}
    known = {slide.key: dict(store.parts(slide.key)) for slide in store.slides()}
    parts = {key: dict(known.get(key, {})) for key in groups}
    bounds: Mapping[str, Bounds] = {}
    # Once slides were told apart it stays so, also while some of them can't be read.
    if is_split_by_slide(labelled.values()) or any(WHOLE_SLIDE in areas for areas in known.values()):
        fresh = _split_slides(store, groups, labelled, known, options)
    else:
        fresh, bounds = _split_areas(store, labelled, plans, known, options)
    for (key, area), part in fresh.items():
        parts[key].setdefault(area, part)
        if not is_dry_run:
            store.assign_part(key, area, part, now, bounds=bounds.get(area))
    return {key: frozenset(a for a, part in areas.items() if part == HOLD_OUT) for key, areas in parts.items()}


def _group_of(entry: SlideEntry, by: str) -> str:
    return entry.key if by == "slide" else entry.metadata.get(by, entry.key)


def _split_slides(
    store: Store,
    groups: Mapping[str, str],
    labelled: Mapping[str, str],
    known: Mapping[str, Mapping[str, str]],
    options: HoldOutOptions,
) -> Mapping[tuple[str, str], str]:
    """Decide per slide or patient; slides of a decided patient follow, labelled or not."""
    decided = {groups.get(key, key): areas[WHOLE_SLIDE] for key, areas in known.items() if WHOLE_SLIDE in areas}
    new = sorted(set(labelled.values()) - set(decided))
    untrained = [g for g in new if not any(store.learned(key) for key, group in groups.items() if group == g)]
    decided |= split_slides(new, decided, untrained, options)
    return {
        (key, WHOLE_SLIDE): decided[group]
        for key, group in groups.items()
        if group in decided and WHOLE_SLIDE not in known.get(key, {})
    }


def _split_areas(
    store: Store,
    labelled: Mapping[str, str],
    plans: Mapping[str, LabelPlan],
    known: Mapping[str, Mapping[str, str]],
    options: HoldOutOptions,
) -> tuple[Mapping[tuple[str, str], str], Mapping[str, Bounds]]:
    """Decide per ROI. One that a person has nudged stays where it was; one that touches what trained never judges."""
    decided = {f"{key}/{area}": part for key, areas in known.items() for area, part in areas.items()}
    names: dict[str, tuple[str, str]] = {}
    bounds: dict[str, Bounds] = {}
    inherited: dict[tuple[str, str], str] = {}
    blind: set[str] = set()
    for key in labelled:
        plan, earlier, learned = plans[key], store.part_bounds(key), store.learned(key)
        trained = [s.geometry for s in plan.shapes if shape_key(s) in learned]
        unseen = {area_key(area) for area in blind_areas(plan)}
        for area in plan.complete:
            name = area_key(area)
            if f"{key}/{name}" in decided:
                continue
            bounds[name] = area.bounds
            part = _inherited(area.bounds, earlier)
            if part is not None:
                inherited[key, name] = part
                continue
            names[f"{key}/{name}"] = (key, name)
            if name in unseen and not any(area.intersects(shape) for shape in trained):
                blind.add(f"{key}/{name}")
    split = split_areas(sorted(names), decided, blind, options)
    return inherited | {names[name]: part for name, part in split.items()}, bounds


def _inherited(area: Bounds, earlier: Sequence[tuple[str, Bounds]]) -> str | None:
    """Return the part of the area that this one was before it was nudged, TRAIN where it touches what trained."""
    overlaps = [(part, _overlap(area, other)) for part, other in earlier]
    if any(part == TRAIN and share > 0 for part, share in overlaps):
        return TRAIN
    return HOLD_OUT if any(share >= _SAME_AREA for _, share in overlaps) else None


def _overlap(first: Bounds, second: Bounds) -> float:
    """Return shared over joint area of two rectangles; a shared border, or a pixel of it, is none."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 2 or height <= 2:
        return 0.0
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return width * height / (sum(areas) - width * height)
