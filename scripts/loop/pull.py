"""Pull: read every settled file, record what became of ours, and make the label plans."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.annotations import LabelPlan, SlideEntry
from bridge.annotations.diff import diff_annotations, is_suspicious
from bridge.annotations.labels import WHOLE_SLIDE, apply_hold_out, area_key, blind_areas, build_plan
from bridge.annotations.roles import Role
from bridge.annotations.split import HOLD_OUT, is_split_by_slide, split_areas, split_slides
from bridge.errors import BridgeError
from bridge.ingest import Known, SlideReading, read_settled, read_slide, shifted
from bridge.store import Backups, Store
from scripts.project import Project

logger = logging.getLogger(__name__)


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
    if data is None or revision is None:
        return False
    last, suspected = store.last_read(key), store.suspicious_revision(key)
    if last is not None and last.revision == revision:
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
    if reading.revision is None:
        return
    key = reading.entry.key
    store.record_outcomes(key, reading.reconciled.outcomes, reading.revision, now)
    store.record_read(key, reading.revision, now, human_count=reading.human_count, name=reading.entry.name)


def _iteration_seen(store: Store, slide_key: str) -> int:
    """Return the training whose predictions were in the file when a person worked on it; 0 for none."""
    marker = store.newest_marker(slide_key)
    return store.write(marker).iteration if marker is not None else 0


def _added_by_hand(project: Project, backups: Backups, reading: SlideReading, before: str | None) -> int:
    drawn = [o.annotation for o in reading.reconciled.of(Role.ANNOTATION) if not o.began_as_prediction]
    if before is None:
        return len(drawn)
    old = project.source.parse(backups.load(before), reading.entry)
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
    """Decide which areas judge; return the held-out keys per slide, new decisions included."""
    options = project.settings.holdout
    labelled = [r.entry for r in readings if not plans[r.entry.key].is_empty]
    parts = {e.key: dict(store.parts(e.key)) for e in labelled}
    group_of = {e.key: e.key if options.by == "slide" else e.metadata.get(options.by, e.key) for e in labelled}
    if is_split_by_slide(group_of.values()):
        decided = {group_of[key]: known[WHOLE_SLIDE] for key, known in parts.items() if WHOLE_SLIDE in known}
        new = sorted(set(group_of.values()) - set(decided))
        untrained = [g for g in new if not any(store.learned(k) for k, group in group_of.items() if group == g)]
        decided |= split_slides(new, decided, untrained, options)
        fresh = {(key, WHOLE_SLIDE): decided[group] for key, group in group_of.items()}
    else:
        known = {f"{key}/{area}": part for key, areas in parts.items() for area, part in areas.items()}
        areas = {(e.key, area_key(a)): a for e in labelled for a in plans[e.key].complete}
        blind = {f"{e.key}/{area_key(a)}" for e in labelled for a in blind_areas(plans[e.key])}
        new = sorted(name for key, area in areas if (name := f"{key}/{area}") not in known)
        split = split_areas(new, known, blind, options)
        fresh = {(key, area): split[name] for key, area in areas if (name := f"{key}/{area}") in split}
    for (key, area), part in fresh.items():
        parts[key].setdefault(area, part)
        if not is_dry_run:
            store.assign_part(key, area, part, now)
    return {key: frozenset(a for a, part in areas.items() if part == HOLD_OUT) for key, areas in parts.items()}
