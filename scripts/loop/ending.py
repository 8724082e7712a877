"""The end of a training, written down before it is done, so that a crash at any instant leaves nothing half done.

    train ──▶ save checkpoint ──▶ judge ──▶ note the ending ──▶ learned, champion, run ──▶ drop note and state
                                             (one file,          (each step may be
                                              replaced whole)     done again)

Killed before the note: the run is still open, and its kept state gives the same candidate at once. Killed after it: the
next start does what the note says.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from bridge.errors import StoreError
from bridge.files import replace_whole
from bridge.store import RunRecord, Store
from models.checkpoints import promote_champion
from models.errors import CheckpointError
from models.training import forget_state
from scripts.loop.training_run import RunKind, resume_folder
from scripts.project import Project

logger = logging.getLogger(__name__)

_NAME = "ending.json"
_MOST_BYTES = 2**28


@dataclass(frozen=True, slots=True)
class Ending:
    """What is to be done about a training whose candidate was judged.

    Parameters
    ----------
    iteration, kind, data_hash
        Of the run, as the store knows it.
    checkpoint_id
        The candidate, written.
    promoted, reason, metrics
        The judgement.
    learned
        Slide → keys of what it learned from.
    """

    iteration: int
    kind: str
    data_hash: str
    checkpoint_id: str
    promoted: bool
    reason: str
    metrics: Mapping[str, object]
    learned: Mapping[str, tuple[str, ...]]


def end_training(project: Project, store: Store, ending: Ending, now: datetime) -> None:
    """Note the ending, and do it.

    Raises
    ------
    CheckpointError
        The candidate isn't whole on the disk.
    StoreError
        The note can't be written; or the store can't, and ``is_noted``: the next start does what is left to do.
    """
    path = _path(project)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, json.dumps(asdict(ending)).encode(), is_shared=False)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make room or mend the folder, the training then ends") from error
    try:
        _carry_out(project, store, ending, now)
    except CheckpointError:
        path.unlink(missing_ok=True)
        raise


def is_noted(project: Project) -> bool:
    """Say whether a training's ending is noted and not done: its run must stay open until it is."""
    return _path(project).exists()


def settle_training(project: Project, store: Store, now: datetime) -> str | None:
    """Do what a training that was killed while it ended had left to do; return it in words.

    Raises
    ------
    StoreError
        The store can't be written.
    """
    ending, running = _read(_path(project)), store.running()
    if ending is None:
        _path(project).unlink(missing_ok=True)
        return None
    if running is None or not _is_of(ending, running):  # done, or of a store that isn't here any more
        _tidy(project, ending)
        return None
    try:
        _carry_out(project, store, ending, now)
    except CheckpointError as error:
        store.fail_run(ending.iteration, str(error), now)
        _path(project).unlink(missing_ok=True)
        return f"training {ending.iteration} was cut short at its very end and can't be finished: {error}"
    return f"training {ending.iteration} was cut short at its very end and is finished now: {ending.reason}"


def _carry_out(project: Project, store: Store, ending: Ending, now: datetime) -> None:
    for slide_key, keys in ending.learned.items():
        store.record_learned(ending.iteration, slide_key, keys)
    if ending.promoted:
        promote_champion(project.checkpoints, ending.checkpoint_id)
    store.finish_run(
        ending.iteration,
        checkpoint_id=ending.checkpoint_id,
        promoted=ending.promoted,
        reason=ending.reason,
        metrics=ending.metrics,
        now=now,
    )
    _tidy(project, ending)


def _tidy(project: Project, ending: Ending) -> None:
    forget_state(resume_folder(project, RunKind(ending.kind)))
    _path(project).unlink(missing_ok=True)


def _is_of(ending: Ending, running: RunRecord) -> bool:
    return (ending.iteration, ending.kind, ending.data_hash) == (running.iteration, running.kind, running.data_hash)


def _read(path: Path) -> Ending | None:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("too large")
        return Ending(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        logger.warning("the note of how a training ended can't be read, the training is done again: %s", error)
        return None


def _path(project: Project) -> Path:
    return project.data_folder / "resume" / _NAME
