"""Which models a validation judges: every champion so far, and iteration 0 where weights were taken over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bridge.errors import ConfigError
from bridge.store import RunState, Store
from models.checkpoints import read_card, read_pointer
from models.checkpoints.champion import TRANSFER_NAME
from models.errors import CheckpointError
from scripts.loop.validate_results import Judged
from scripts.project import Project

_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_TRANSFER = 0


def judged_models(
    project: Project, store: Store, *, iterations: frozenset[int] | None = None, with_candidates: bool = False
) -> tuple[Judged, ...]:
    """Return the project's champions, oldest first, those whose weights are gone too.

    Parameters
    ----------
    iterations
        Only these; a candidate that lost is among them when it is named. None: all.
    with_candidates
        Candidates that lost, as well.

    Raises
    ------
    CheckpointError
        A pointer is damaged.
    """
    found: dict[str, Judged] = {}
    for model in (*_of_runs(project, store), *_of_pointers(project)):
        found.setdefault(model.checkpoint_id, model)
    named = iterations if iterations is not None else frozenset[int]()
    wanted = [m for m in found.values() if m.is_promoted or with_candidates or m.iteration in named]
    chosen = [m for m in wanted if iterations is None or m.iteration in iterations]
    return tuple(sorted(chosen, key=lambda model: model.iteration))


def parse_iterations(text: str) -> frozenset[int]:
    """Return the iterations that a text such as ``1,3-5`` names.

    Raises
    ------
    ConfigError
        It is no such text.
    """
    named: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise ConfigError(f"--iterations {text!r} names no trainings; say them as in 1,3-5")
        named.update(range(first, last + 1))
    return frozenset(named)


def _of_runs(project: Project, store: Store) -> Iterator[Judged]:
    for run in store.runs():
        if run.state is RunState.FINISHED and run.checkpoint_id is not None:
            is_there = _is_there(project.checkpoints, run.checkpoint_id)
            yield Judged(run.iteration, run.checkpoint_id, run.promoted, is_there)


def _of_pointers(project: Project) -> Iterator[Judged]:
    """Yield what the pointers name: weights that were taken over; and all, in a project that lost its store."""
    folder = project.checkpoints
    transfer, champion = read_pointer(folder, TRANSFER_NAME), read_pointer(folder)
    if transfer is not None:
        yield Judged(_TRANSFER, transfer.id, True, _is_there(folder, transfer.id))
    for checkpoint_id in (champion.id, *champion.previous) if champion is not None else ():
        try:
            card = read_card(folder, checkpoint_id)
        except CheckpointError:
            continue  # damaged, and no run speaks of it: nobody knows which iteration it was
        if card is not None:
            yield Judged(card.iteration, checkpoint_id, True, _is_there(folder, checkpoint_id))


def _is_there(folder: Path, checkpoint_id: str) -> bool:
    return (folder / checkpoint_id / "card.json").is_file()
