"""Our process: the product's own passes over the file, with made-up predictions, until it is killed.

What a pass of ``scripts.loop.passes`` does around a network is done here in its order: recover at the start; read and
record; write; look after what the write displaced.
"""

from __future__ import annotations

import ctypes
import time
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

import numpy as np
import shapely

from bridge.annotations import Edits, SlideEntry, Source
from bridge.annotations.roles import Fate
from bridge.annotations.writing import Prediction
from bridge.coords import Window
from bridge.errors import BridgeError, WriteConflictError
from bridge.export import Recovery, WriteResult, finish_displaced, recover, write_edits
from bridge.store import Backups, Store
from scripts.bench.torture.interference import Steps, exchange_of, known_blindly
from scripts.bench.torture.ledger import Ledger
from scripts.bench.torture.options import Job, Sabotage
from scripts.bench.torture.prints import place_of
from scripts.bench.torture.stopping import Stop
from scripts.bench.torture.world import CELL_PX, CLASSES, SIDE
from scripts.loop import pull as pulling
from scripts.loop.pull import SlideState, pull
from scripts.loop.push import Wanted, push_slide
from scripts.loop.slide_work import SlidePrediction
from scripts.project import Project, open_project

_PREDICTIONS = 8


def run_ours(job: Job, generation: int, attempts: ctypes.c_long) -> None:
    """Run passes until told to stop.

    Parameters
    ----------
    attempts
        Counts our tries to write, over all processes.
    """
    _Ours(job, generation, attempts).run()


def settle_ours(job: Job) -> None:
    """Do what a start and the end of a pass do, and note what the store says of people's deletions."""
    ours = _Ours(job, -1, None)
    with Store.open(ours.project.data_folder) as store:
        ours.start(store)
        for _ in range(3):
            ours.look_after(store)
        keys = [slide.key for slide in store.slides()]
        ours.ledger.note(
            "outcomes",
            deleted=[place_of(w.geometry) for key in keys for w in (*store.rejected(key), *store.declined(key))],
            counts={fate.value: count for fate, count in store.outcome_counts().items()},
        )


class _Ours:
    def __init__(self, job: Job, generation: int, attempts: ctypes.c_long | None) -> None:
        self._job, self._attempts = job, attempts
        self.project: Project = open_project(job.root)
        self.ledger = Ledger(job.our_ledger)
        self._random = Random(f"{job.options.seed}/ours/{generation}")
        self._stop = Stop()
        self._backups = Backups(self.project.data_folder / "backups")
        self._iteration = 1000 * (generation + 1)
        self._began = time.monotonic()
        self._exchange = exchange_of(job.options)
        if job.options.sabotage is Sabotage.BLIND:
            setattr(pulling, "known_of", known_blindly(pulling.known_of))  # noqa: B010

    def run(self) -> None:
        with Store.open(self.project.data_folder) as store:
            self.start(store)
            while not self._stop.is_asked:
                self._pass(store)

    def start(self, store: Store) -> None:
        """Finish or undo what an earlier process was killed in."""
        owners = {entry.key: (self.project.source, entry) for entry in self.project.source.slides()}
        settle = self._job.pace.displaced_seconds
        began = time.monotonic()
        report = recover(
            store, self._backups, _now(), settle_seconds=settle, resolve=owners.get, exchange=self._exchange
        )
        outcomes = [write.outcome.value for write in report.writes]
        if outcomes or report.messages:
            self.ledger.note("recovered", began=began, outcomes=outcomes, messages=list(report.messages))

    def _pass(self, store: Store) -> None:
        self._began = time.monotonic()
        pulled = pull(self.project, store, self._backups, _now())
        for problem in pulled.problems:
            self.ledger.note("unread", message=problem.message)
        for state in pulled.slides:
            is_overwritten = bool(state.reading.reconciled.with_fate(Fate.OVERWRITTEN))
            self.ledger.note("read", overwritten=is_overwritten, suspicious=state.is_suspicious)
            if not state.is_suspicious:
                self._push(store, state)
        self.look_after(store)

    def _push(self, store: Store, state: SlideState) -> None:
        self._iteration += 1
        champion = f"champion-{self._iteration}"
        try:
            push_slide(
                self.project,
                store,
                self._backups,
                state,
                self._result(state),
                Wanted(is_forced=True),
                champion_id=champion,
                iteration=self._iteration,
                now=_now,
                seed=self._iteration,
                write=self._write,
            )
        except BridgeError as error:
            self.ledger.note("push failed", kind=type(error).__name__, message=str(error))

    def _result(self, state: SlideState) -> SlidePrediction:
        side = SIDE // CELL_PX
        predictions = tuple(self._prediction() for _ in range(_PREDICTIONS))
        tissue = np.ones((side, side), bool)
        cells = Window(0, 0, side, side, CELL_PX)
        return SlidePrediction(predictions, tissue, cells, None, state.reading.pyramid.bounds)

    def _prediction(self) -> Prediction:
        x, y = (self._random.randint(0, SIDE - 80) for _ in range(2))
        width, height = (self._random.randint(20, 60) for _ in range(2))
        return Prediction(self._random.choice(CLASSES), shapely.box(x, y, x + width, y + height), 0.9)

    def _write(
        self,
        source: Source,
        entry: SlideEntry,
        base: bytes | None,
        edits: Edits,
        store: Store,
        backups: Backups,
        **options: Any,  # iteration, now: handed on as push gives them
    ) -> WriteResult:
        """Write as ``write_edits`` does, on the file system under test, watched, and perhaps killed in between."""
        if self._attempts is not None:
            self._attempts.value += 1
        began, self._began = self._began, time.monotonic()
        steps = Steps(self.ledger, self._random, self._job.options.kills / self._job.options.writes / 4)
        facts = {"began": began, "marker": edits.write_marker}
        try:
            result = write_edits(
                source, entry, base, edits, store, backups, exchange=self._exchange, on_step=steps, **options
            )
        except BridgeError as error:
            kind = "conflict" if isinstance(error, WriteConflictError) else "refused"
            self.ledger.note("write", outcome=kind, steps=steps.seen, message=str(error), **facts)
            raise
        self.ledger.note("write", outcome="written", steps=steps.seen, **facts)
        return result

    def look_after(self, store: Store) -> None:
        """Wait until no tool can still be writing into a file that was exchanged, and let it go."""
        waiting = store.unfinished_writes()
        if not waiting:
            return
        settle = self._job.pace.displaced_seconds
        time.sleep(settle)
        owners = {entry.key: entry for entry in self.project.source.slides()}
        for record in waiting:
            blocker = partial(self.project.source.blocker, owners[record.slide_key])
            began = time.monotonic()
            try:
                finish_displaced(
                    record.marker,
                    store,
                    self._backups,
                    _now(),
                    settle_seconds=settle,
                    blocker=blocker,
                    exchange=self._exchange,
                )
            except WriteConflictError as error:
                outcome = Recovery.KEPT if "kept as" in str(error) else Recovery.PUT_BACK
                self.ledger.note("recovered", began=began, outcomes=[outcome.value], messages=[str(error)])
            except BridgeError as error:
                self.ledger.note("not looked after", message=str(error))


def _now() -> datetime:
    return datetime.now(UTC)
