"""Pull: read every settled file, record what became of ours, and make the label plans."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import shapely

from bridge.annotations import Annotation, FileUse, LabelOptions, LabelPlan, MachineRole, ObjectKind, SlideEntry
from bridge.annotations.diff import diff_annotations, is_suspicious
from bridge.annotations.fingerprints import fingerprints
from bridge.annotations.labels import complete_areas
from bridge.annotations.roles import Fate, Interpreted, Marker, Role
from bridge.delivery import commit_delivery
from bridge.errors import AnnotationFileError, BridgeError, StoreError
from bridge.ingest import Known, SlideReading, read_slide
from bridge.store import Backups, ReadRecord, Store
from bridge.watch import SettledFile, read_all_settled, read_settled
from scripts.loop.earlier import Earlier
from scripts.loop.knowing import NO_FILE, ObjectFacts, ProjectKnowledge, known_before
from scripts.loop.offers import viewer_of
from scripts.loop.patch_labels import unheeded
from scripts.loop.planning import OtherSlide, make_plans
from scripts.loop.prequential import new_scores, record_scores
from scripts.project import Project, left_out

logger = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def known_of(facts: ObjectFacts, entry: SlideEntry) -> Known:
    """Return what the store knows of a slide's objects."""
    key = entry.key
    return Known(facts.live_objects(key), facts.newest_marker(key), facts.adopted(key), facts.superseded(key))


def read_entry(project: Project, store: Store, entry: SlideEntry, *, commit_at: datetime | None = None) -> SlideReading:
    """Read one slide, waiting until a save is over; ``commit_at`` is that of ``reading_of``.

    Raises
    ------
    BridgeError
        The file or the slide can't be read.
    """
    last = store.last_read(entry.key)
    known_revision = last.revision if last else None
    file = read_settled(project.source, entry, project.settings.watch, known_revision=known_revision)
    return reading_of(project, store, entry, file, commit_at=commit_at)


def reading_of(
    project: Project,
    store: Store,
    entry: SlideEntry,
    file: SettledFile,
    *,
    commit_at: datetime | None = None,
    facts: ObjectFacts | None = None,
) -> SlideReading:
    """Return what a settled file says of its slide.

    Parameters
    ----------
    commit_at
        Results that were offered to an open viewer count from this moment on, if the file carries them; None: nothing
        is recorded, and they pass for objects of a write that nobody knows.
    facts
        What the store knows of the slide's objects, where it was read before; None asks the store.

    Raises
    ------
    BridgeError
        The file is none of its tool's, or the slide can't be opened.
    """
    if commit_at is not None:
        commit_delivery(project.source, entry, file.data, store, commit_at, viewer=viewer_of(project))
    settings, known = project.settings, known_of(facts or store, entry)
    reading = read_slide(project.source, entry, known, project.scheme, settings.labels, settings.slides, file.data)
    reading = replace(reading, saved_at=saved_at(file.modified))
    if file.failed_save is None:
        return reading
    return replace(reading, is_held=True, warnings=(*reading.warnings, file.failed_save))


def saved_at(modified: float | None) -> datetime | None:
    """Return when a file was saved, by its own time; None where it doesn't say."""
    if modified is None:
        return None
    try:
        return _EPOCH + timedelta(seconds=modified)
    except OverflowError:  # of a broken file system: a time beyond any calendar
        return None


def pull(
    project: Project,
    store: Store,
    backups: Backups,
    now: datetime,
    *,
    advance: Callable[[str], None] = lambda name: None,
    is_dry_run: bool = False,
    unread: Mapping[str, OtherSlide] = MappingProxyType({}),
) -> Pulled:
    """Read every slide of the project and record what became of our objects.

    Parameters
    ----------
    advance
        Called with each slide's name when it is done.
    is_dry_run
        Nothing is recorded.
    unread
        Slides, by key, to pass over, for whoever only looks and knows what is in them.
    """
    entries = [entry for entry in project.source.slides() if entry.key not in unread]
    knowledge = known_before(store, entries)
    found: dict[str, tuple[SlideReading, bool]] = {}
    failed: dict[str, SlideProblem] = {}
    for entry, file in read_all_settled(project.source, entries, project.settings.watch, known=knowledge.revisions):
        try:
            if isinstance(file, AnnotationFileError):
                raise file
            found[entry.key] = _take_in(project, store, backups, knowledge, entry, file, now, is_dry_run=is_dry_run)
        except BridgeError as error:
            logger.warning("slide=%s error=%s", entry.name, error)
            failed[entry.key] = SlideProblem(entry, str(error))
        knowledge.done_with(entry.key)
        advance(entry.name)
    if not is_dry_run:
        knowledge.record(now)
    readings = [found[entry.key] for entry in entries if entry.key in found]
    problems = [failed[entry.key] for entry in entries if entry.key in failed]
    believed = [r for r, lost in readings if not lost]
    others = tuple(unread.values())
    plans = make_plans(project, store, believed, now, is_dry_run=is_dry_run, knowledge=knowledge, others=others)
    states = tuple(SlideState(r, plans.get(r.entry.key, LabelPlan(r.entry.key)), lost) for r, lost in readings)
    warnings = [*left_out(project.source), *(line for reading, _ in readings for line in reading.warnings)]
    warnings += [suspicion(state.reading) for state in states if state.is_suspicious]
    model, kind = project.settings.model, project.settings.source.kind
    warnings += [f"{r.entry.name}: {line}" for r, _ in readings if (line := unheeded(r, model, kind)) is not None]
    return Pulled(states, tuple(problems), tuple(warnings))


def _take_in(
    project: Project,
    store: Store,
    backups: Backups,
    knowledge: ProjectKnowledge,
    entry: SlideEntry,
    file: SettledFile,
    now: datetime,
    *,
    is_dry_run: bool,
) -> tuple[SlideReading, bool]:
    """Return what a file says, and whether it is suspicious; a slide that is as before is recorded with the others."""
    is_offered = entry.key in knowledge.offered
    facts: ObjectFacts = store if is_offered else knowledge
    commit_at = now if is_offered and not is_dry_run else None
    reading = reading_of(project, store, entry, file, commit_at=commit_at, facts=facts)
    if knowledge.is_as_before(reading):
        knowledge.take(reading)
        return reading, False
    return reading, record_reading(project, store, backups, reading, now, is_dry_run=is_dry_run)


def suspicion(reading: SlideReading) -> str:
    """Return a line for people about a save that isn't believed."""
    name = reading.entry.name
    way_out = f"`slidebridge confirm {name!r}`, or `slidebridge backups restore`"
    if reading.data is None:
        said = (
            "the annotation file that was read before is gone; nothing is learned from it nor written until it is back"
        )
        return f"{name}: {said} or {way_out}"
    said = "the last save lost more than half of what was drawn; kept in backups and not learned from until saved again"
    return f"{name}: {said} or {way_out}"


def record_reading(
    project: Project,
    store: Store,
    backups: Backups,
    reading: SlideReading,
    now: datetime,
    *,
    is_dry_run: bool = False,
    kept: SlideReading | None = None,
) -> bool:
    """Record a new revision; return whether it is suspicious.

    Parameters
    ----------
    kept
        The reading before, where it is still in memory: then its file needn't be read again.
    """
    earlier, labels = Earlier(project, backups, kept), project.settings.labels
    key, data, revision = reading.entry.key, reading.data, reading.revision
    last, suspected = store.last_read(key), store.suspicious_revision(key)
    if data is None or revision is None:
        return last is not None and last.revision != NO_FILE and not _is_taken_back(reading, last)
    if last is not None and last.revision == revision:
        if not is_dry_run:
            believe(store, reading, now, labels)  # again: a viewer may have put the same bytes back over our write
        return False
    # The save after a suspicious one is believed, whatever it holds: a person has looked twice.
    is_first_doubt = suspected in (None, revision)
    suspicious = is_first_doubt and last is not None and _lost_much(earlier, last, reading)
    if is_dry_run:
        return suspicious
    keep_version(store, backups, reading, now)
    if suspicious:
        store.record_suspicious(key, revision)
        return True
    added = added_by_hand(store, reading, earlier)
    scores = new_scores(project, store, reading, now, earlier)
    with store.together():  # after the reading and comparing: others may have to wait for it
        record_added(store, reading, added)
        record_scores(store, scores)
        believe(store, reading, now, labels)
    return False


def _is_taken_back(reading: SlideReading, last: ReadRecord) -> bool:
    """Say whether a file that is gone was ours alone: one that we offered, and in which nobody had drawn."""
    return reading.entry.use is FileUse.OFFERED and last.human_count == 0


def _lost_much(earlier: Earlier, last: ReadRecord, reading: SlideReading) -> bool:
    """Say whether a save lost more than half of what people had, or of what they had drawn by hand."""
    if is_suspicious(last.human_count, reading.human_count):
        return True
    drawn = _by_hand(reading.found.annotations)
    if last.revision == NO_FILE or drawn == len(reading.found):
        return False  # no detections: what was drawn is all there is
    try:
        before = _by_hand(earlier.objects(last.revision, reading))
    except (StoreError, AnnotationFileError) as error:  # a backup that is gone must not stop the loop
        logger.warning("slide=%s not compared with the save before: %s", reading.entry.name, error)
        return False
    return is_suspicious(before, drawn)


def _by_hand(found: Iterable[Annotation]) -> int:
    """Count what people drew: thousands of detections, a tool's work, would hide that it is gone."""
    return sum(a.kind is ObjectKind.ANNOTATION and not a.is_ours for a in found)


def keep_version(store: Store, backups: Backups, reading: SlideReading, now: datetime) -> None:
    """Keep the file as it was read, with fingerprints of what people drew in it."""
    if reading.data is None:
        return
    people = (o for o in reading.reconciled.objects if o.role not in (Role.PREDICTION, Role.PROPOSAL))
    # By the class that counts: an accepted prediction stays the same drawing when we make it plain.
    drawn = [_as_it_counts(o) for o in people]
    revision = backups.keep(reading.data)
    store.record_version(reading.entry.key, revision, now, size=len(reading.data), human_keys=fingerprints(drawn))


def _as_it_counts(item: Interpreted) -> Annotation:
    drawn = item.annotation
    if item.path_class in (None, "", drawn.path_class):
        return drawn
    return replace(drawn, path_class=item.path_class)


def count_added(project: Project, store: Store, backups: Backups, reading: SlideReading) -> None:
    """Count what a person drew since the revision before; a revision counts once, however often it comes back."""
    record_added(store, reading, added_by_hand(store, reading, Earlier(project, backups)))


def added_by_hand(store: Store, reading: SlideReading, earlier: Earlier) -> int:
    """Return how many objects a person drew since the revision before."""
    last = store.last_read(reading.entry.key)
    return 0 if reading.revision is None else _drawn_since(earlier, reading, last.revision if last else None)


def record_added(store: Store, reading: SlideReading, count: int) -> None:
    """Record how many objects a person drew, for the training whose predictions they saw."""
    if reading.revision is not None:
        store.record_added(reading.entry.key, _iteration_seen(store, reading.entry.key), count, reading.revision)


def believe(store: Store, reading: SlideReading, now: datetime, labels: LabelOptions) -> None:
    """Record a revision as what people left: outcomes of our objects, and the revision itself."""
    with store.together():
        _believe(store, reading, now, labelled_um2(reading, labels))


def labelled_um2(reading: SlideReading, labels: LabelOptions) -> float:
    """Return the µm² of a slide in which labelling is complete; none without a file, or in one that we offered."""
    if reading.data is None or reading.entry.use is FileUse.OFFERED:
        return 0.0
    areas = complete_areas(reading.reconciled, labels, reading.pyramid.bounds)
    return float(shapely.union_all(areas).area) * reading.mpp[0] * reading.mpp[1]


def _believe(store: Store, reading: SlideReading, now: datetime, area_um2: float) -> None:
    key, revision, entry = reading.entry.key, reading.revision or NO_FILE, reading.entry
    outcomes = reading.reconciled.outcomes
    is_stale = reading.reconciled.marker is Marker.STALE
    store.record_outcomes(key, outcomes, revision, now, is_stale=is_stale)
    store.record_read(
        key,
        revision,
        now,
        human_count=reading.human_count,
        labelled_area_um2=area_um2,
        saved_at=reading.saved_at,
        name=entry.name,
    )
    if any(o.fate is Fate.OVERWRITTEN and o.written.role is MachineRole.PREDICTION for o in outcomes):
        store.forget_predicted(key)


def _iteration_seen(store: Store, slide_key: str) -> int:
    """Return the training whose predictions were in the file when a person worked on it; 0 for none."""
    marker = store.newest_marker(slide_key)
    return store.write(marker).iteration if marker is not None else 0


def _drawn_since(earlier: Earlier, reading: SlideReading, before: str | None) -> int:
    drawn = [o.annotation for o in reading.reconciled.of(Role.ANNOTATION) if not o.began_as_prediction]
    if before in (None, NO_FILE):
        return len(drawn)
    assert before is not None
    try:
        old = earlier.objects(before, reading)
    except (StoreError, AnnotationFileError) as error:  # a count must not stop the loop
        logger.warning("slide=%s not counted what was added: %s", reading.entry.name, error)
        return 0
    return len(diff_annotations(old, drawn).added)
