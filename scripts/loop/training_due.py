"""Whether a training is due: what is newly labelled, against what was learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from bridge.annotations.labels import learned_keys
from bridge.annotations.new_labels import NewLabels, keys_digest, new_labels
from bridge.store import RunRecord, RunState, Store
from bridge.store.split_records import Split
from models.checkpoints import read_champion
from scripts.loop.patch_labels import missing
from scripts.loop.pull import Pulled, SlideState
from scripts.loop.training_run import RunKind, StopCause, data_hash
from scripts.project import Project

_DIGESTS = "trained_on"  # among a run's metrics: slide → digest of what it learned from there


def why_not(project: Project, store: Store, pulled: Pulled, kind: RunKind, *, is_forced: bool) -> str | None:
    """Say why no training should start, or None.

    Raises
    ------
    CheckpointError
        The champion's pointer is damaged.
    """
    settings, readings = project.settings, (state.reading for state in pulled.slides)
    lacking = missing(pulled.plans, readings, settings.model, settings.source.kind)
    if lacking is not None:
        return lacking
    if is_forced or read_champion(project.checkpoints) is None:
        return None
    waiting = [s.reading.entry.name for s in pulled.slides if s.is_suspicious and store.learned(s.key)]
    waiting += [p.entry.name for p in pulled.problems if store.learned(p.entry.key)]
    if waiting:
        return f"waiting for {', '.join(waiting)}, learned from before and not readable or not believed now"
    if kind is RunKind.NIGHTLY:
        last = _last_finished(store, RunKind.NIGHTLY)
        is_same = last is not None and last.data_hash == data_hash(project, pulled)
        return "nothing new since the last nightly" if is_same else None
    if store.last_trained_data_hash() == data_hash(project, pulled):
        return "nothing new is labelled since the last training"
    return _too_little(project, store, pulled)


def was_stopped(store: Store) -> bool:
    """Say whether an incremental training made way for newer labels since the last one that came to its end."""
    for run in reversed(store.runs()):
        if run.kind != RunKind.INCREMENTAL.value:
            continue
        if run.state is RunState.FINISHED:
            return False
        if run.reason == StopCause.NEWER_LABELS.value:
            return True
    return False


def digests_of(states: Iterable[SlideState]) -> Mapping[str, object]:
    """Return what to keep with a run, so that the next can tell labels that were added from labels that changed."""
    return {_DIGESTS: {_name(s.key): keys_digest(learned_keys(s.plan)) for s in states}}


def _too_little(project: Project, store: Store, pulled: Pulled) -> str | None:
    """Say how much is missing until enough is newly labelled; None where it is, or where labels were corrected."""
    wanted = project.settings.train.min_new_area_um2
    if wanted <= 0:
        return None
    last = _last_finished(store)
    known = last.metrics.get(_DIGESTS) if last is not None else None
    if not isinstance(known, Mapping):
        return None  # nobody knows what was learned from: better once too often
    area_um2, seen = 0.0, set()
    split = store.split()
    for state in pulled.slides:
        seen.add(_name(state.key))
        new = _new_of(split, state, known)
        if new.patches or new.is_corrected:
            return None
        area_um2 += new.area * state.reading.mpp[0] * state.reading.mpp[1]
    if area_um2 >= wanted or known.keys() - seen:
        return None
    return f"too little is newly labelled: {area_um2:.0f} of {wanted:g} µm² new ([train] min_new_area_um2)"


def _new_of(split: Split, state: SlideState, known: Mapping[str, object]) -> NewLabels:
    before = known.get(_name(state.key))
    return new_labels(state.plan, split.learned_of(state.key), before if isinstance(before, str) else None)


def _last_finished(store: Store, kind: RunKind | None = None) -> RunRecord | None:
    finished = [run for run in store.runs() if run.state is RunState.FINISHED]
    return next((run for run in reversed(finished) if kind is None or run.kind == kind.value), None)


def _name(slide_key: str) -> str:
    return hashlib.sha256(slide_key.encode()).hexdigest()[:16]  # a key may hold a patient's name
