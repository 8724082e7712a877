"""Push: predict with the champion, choose boxes worth labelling next, and write both into people's files, safely."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bridge.annotations import ClassScheme, Edits, FileUse, MachineObject, MachineRole, Proposal
from bridge.annotations.labels import WHOLE_SLIDE
from bridge.annotations.roles import Fate
from bridge.annotations.writing import (
    Prediction,
    WriteSummary,
    choose_predictions,
    compose_edits,
    proposal_objects,
)
from bridge.errors import BridgeError, WriteConflictError
from bridge.export import WriteResult, write_edits
from bridge.ingest import SlideReading
from bridge.store import Backups, CostRecord, Store
from scripts.loop.boxes import taken_areas
from scripts.loop.knowing import WriteFacts
from scripts.loop.pull import SlideProblem, SlideState, read_entry, record_reading, suspicion
from scripts.loop.sharing import Rivals, candidates, share
from scripts.loop.slide_work import SlidePrediction
from scripts.project import Project

logger = logging.getLogger(__name__)
Write = Callable[..., WriteResult]  # called as ``write_edits`` is
_ATTEMPTS = 3  # a conflict means: read again and merge again, a few times, never force


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one push is asked to renew."""

    predictions: bool = True
    proposals: bool = True
    is_forced: bool = False  # renew even where nothing changed
    asks_again: bool = False  # boxes that were declined may come again; slides with such boxes are renewed


@dataclass(frozen=True, slots=True)
class SlidePushed:
    """What a push did, or would do, to one slide."""

    name: str
    summary: WriteSummary | None
    proposals: tuple[Proposal, ...]
    promoted: int
    shortage: str | None = None  # why fewer boxes than asked, or boxes chosen by another score
    is_written: bool = True
    warnings: tuple[str, ...] = ()  # one line each, for people
    key: str = ""  # of the slide


@dataclass(frozen=True, slots=True)
class Pushed:
    """All slides of a push, and what it cost to predict those that were predicted for it."""

    slides: tuple[SlidePushed, ...]
    problems: tuple[SlideProblem, ...]
    has_champion: bool = True
    costs: tuple[CostRecord, ...] = ()


def is_stale(
    state: SlideState, facts: WriteFacts, scheme: ClassScheme, champion_id: str | None, wanted: Wanted, k: int
) -> bool:
    """Say whether a slide needs a write: new predictions, boxes used up or wiped, or objects to make plain."""
    if state.is_suspicious or state.reading.is_held or state.reading.entry.written_path is None:
        return False
    wanted = _writable(wanted, state.reading)
    reconciled = state.reading.reconciled
    is_new = wanted.predictions and champion_id is not None and facts.predicted_with(state.key) != champion_id
    open_boxes = sum(o.written.role is MachineRole.PROPOSAL for o in reconciled.with_fate(Fate.OPEN))
    used_up = wanted.proposals and open_boxes < k and _has_moved_on(state, facts)
    is_wiped = bool(reconciled.with_fate(Fate.OVERWRITTEN))
    # What our last write couldn't make plain waits for the next save: else every pass would try, and write, again.
    to_promote = _has_moved_on(state, facts) and bool(_edits(state.reading, (), scheme, "none").promote)
    asks_again = wanted.proposals and wanted.asks_again and bool(facts.declined(state.key))
    return wanted.is_forced or asks_again or is_new or used_up or is_wiped or to_promote


def _writable(wanted: Wanted, reading: SlideReading) -> Wanted:
    """Return what is wanted, without proposals where the file is no place for them."""
    return replace(wanted, proposals=False) if reading.entry.use is FileUse.OFFERED else wanted


def _edits(
    reading: SlideReading,
    objects: Sequence[MachineObject],
    scheme: ClassScheme,
    marker: str,
    *,
    replaces: frozenset[MachineRole] = frozenset(MachineRole),
) -> Edits:
    """Compose the edits; in a file that we offered nothing is made plain: a person does that by taking it over."""
    edits = compose_edits(reading.reconciled, objects, scheme, marker, replaces=replaces)
    return replace(edits, promote={}) if reading.entry.use is FileUse.OFFERED else edits


def _has_moved_on(state: SlideState, facts: WriteFacts) -> bool:
    # A box that can't be replaced (the slide is worked off) must not make us write at every pass.
    marker = facts.newest_marker(state.key)
    revision = state.reading.revision
    return marker is None or revision is None or not facts.is_own_revision(state.key, revision)


def push_slide(
    project: Project,
    store: Store,
    backups: Backups,
    state: SlideState,
    prediction: SlidePrediction | None,
    wanted: Wanted,
    *,
    champion_id: str | None,
    iteration: int,
    now: Callable[[], datetime],
    seed: int,
    rivals: Rivals | None = None,
    is_dry_run: bool = False,
    write: Write = write_edits,
    attempts: int = _ATTEMPTS,
) -> SlidePushed:
    """Write one slide's predictions and proposals.

    Parameters
    ----------
    prediction
        Outlines and priority map of the slide. None: nothing new is written, and what of ours is in the file stays;
        only what was accepted or corrected is made plain.
    champion_id
        Checkpoint that the predictions are from.
    iteration
        Training that the predictions are from: outcomes will be counted for it.
    seed
        Of random boxes.
    rivals
        What the other slides hold and want, where slides compete for boxes.
    write
        How edits get into a file: as ``bridge.export.write_edits`` does, on whatever file system.
    attempts
        With 1 a conflict is left to who called, file unread: the daemon reads every save in its own time.

    Raises
    ------
    WriteConflictError
        People kept saving while we tried, three times; or what they saved isn't to be written to.
    BridgeError
        The file can't be written.
    """
    reading = state.reading
    if reading.is_held:
        raise WriteConflictError(reading.warnings[-1])
    if prediction is None:
        wanted = replace(wanted, predictions=False, proposals=False)
    wanted = _writable(wanted, reading)
    for _ in range(attempts):
        pushed, edits_of = _compose(
            project, store, replace(state, reading=reading), prediction, wanted, seed, champion_id, rivals or Rivals()
        )
        if is_dry_run:
            return replace(pushed, is_written=False)
        marker = str(uuid.uuid4())
        try:
            written = write(
                project.source,
                reading.entry,
                reading.data,
                _edits(reading, edits_of, project.scheme, marker, replaces=_replaced(wanted, champion_id)),
                store,
                backups,
                iteration=iteration,
                now=now(),
            )
        except WriteConflictError as error:
            if attempts == 1:
                raise
            logger.info("slide=%s conflict, reading again: %s", reading.entry.name, error)
            reading = _read_again(project, store, backups, reading, now())
            continue
        if wanted.predictions and champion_id is not None:
            store.record_predicted(state.key, champion_id)
        return _told(pushed, written)
    raise WriteConflictError(
        f"{reading.entry.annotation_path}: saved by another program each of the {_ATTEMPTS} times that we tried to"
        " write; it holds the last save, run again when it is quiet"
    )


def _read_again(project: Project, store: Store, backups: Backups, before: SlideReading, now: datetime) -> SlideReading:
    """Read the save that a write met; refuse one that isn't to be written to."""
    reading = read_entry(project, store, before.entry, commit_at=now)
    if record_reading(project, store, backups, reading, now):
        raise WriteConflictError(suspicion(reading))
    if reading.is_held:
        raise WriteConflictError(reading.warnings[-1])
    return reading


def _told(pushed: SlidePushed, result: WriteResult) -> SlidePushed:
    """Return what was pushed with what the write has to say of it."""
    promoted = 0 if result.is_promoting_left_out else pushed.promoted
    return replace(pushed, promoted=promoted, warnings=result.warnings)


def _replaced(wanted: Wanted, champion_id: str | None) -> frozenset[MachineRole]:
    roles = {MachineRole.PROPOSAL} if wanted.proposals else set()
    if wanted.predictions and champion_id is not None:
        roles.add(MachineRole.PREDICTION)
    return frozenset(roles)


def _compose(
    project: Project,
    store: Store,
    state: SlideState,
    prediction: SlidePrediction | None,
    wanted: Wanted,
    seed: int,
    champion_id: str | None,
    rivals: Rivals,
) -> tuple[SlidePushed, tuple[MachineObject, ...]]:
    settings, reading, entry = project.settings, state.reading, state.reading.entry
    proposals: tuple[Proposal, ...] = ()
    shortage = None
    if prediction is not None and wanted.proposals and not _is_done(project, state):
        taken = taken_areas(store, reading, asks_again=wanted.asks_again).all
        found = candidates(prediction, state, taken, settings.propose, seed=seed)
        shared = share(entry.key, found, rivals, settings.propose)
        proposals, shortage = shared.found.proposals, with_note(shared.shortage, prediction.note)
    objects = proposal_objects(proposals, settings.write, _ids(len(proposals)), champion_id)
    summary = None
    is_shown = wanted.predictions and not _is_blind(project, store, state) and not _is_done(project, state)
    if prediction is not None and is_shown:
        predictions = _known_classes(prediction.predictions, project.scheme)
        chosen, summary = choose_predictions(
            predictions,
            reading.reconciled,
            store.rejected(entry.key),
            proposals,
            settings.write,
            object_ids=_ids(len(predictions)),
            scheme=project.scheme,
            checkpoint=champion_id,
        )
        objects = (*chosen, *objects)
    promoted = len(_edits(reading, (), project.scheme, "none").promote)
    return SlidePushed(entry.name, summary, proposals, promoted, shortage, key=entry.key), objects


def _known_classes(predictions: Sequence[Prediction], scheme: ClassScheme) -> tuple[Prediction, ...]:
    return tuple(p for p in predictions if p.path_class in scheme.colors)


def _is_blind(project: Project, store: Store, state: SlideState) -> bool:
    parts: Mapping[str, str] = store.parts(state.key)
    return parts.get(WHOLE_SLIDE) == "hold-out" and not project.settings.write.hold_out_predictions


def _is_done(project: Project, state: SlideState) -> bool:
    """Say whether a person has declared the whole slide labelled: nothing is left to predict or to ask for."""
    return project.settings.labels.complete == "slide" and not state.plan.is_empty


def with_note(shortage: str | None, note: str | None) -> str | None:
    """Return why boxes are fewer, or chosen otherwise, than asked for; None where there is nothing to say."""
    return "; ".join(line for line in (shortage, note) if line is not None) or None


def _ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def problem_of(state: SlideState, error: BridgeError) -> SlideProblem:
    """Return a slide's problem, logged."""
    logger.warning("slide=%s error=%s", state.reading.entry.name, error)
    return SlideProblem(state.reading.entry, str(error))
