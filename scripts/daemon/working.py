"""TRAIN, NIGHTLY, PREDICT and WRITE: the jobs that change something, each from its record to its end."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from bridge.errors import BridgeError, SlideError, WriteConflictError, WriteFailedError
from bridge.export import finish_displaced, recover
from bridge.store import Backups, JobKind, JobRecord, JobState, Store
from bridge.store.pruning import prune
from models.checkpoints import read_card
from models.errors import CheckpointError
from scripts.daemon import happenings
from scripts.daemon import wording as said
from scripts.daemon.beginning import FORCED, begin_job
from scripts.daemon.deciding import Attention, order_compute, retry_delay, should_stop_training
from scripts.daemon.heartbeat import LastTraining, LastWrite
from scripts.daemon.reading import Reader
from scripts.daemon.slides_now import SlidesNow
from scripts.daemon.viewing import Viewing
from scripts.daemon.wanting import WANTED, Predictions, Wants
from scripts.daemon.world import Activity, World
from scripts.loop.computing import Computing
from scripts.loop.costs import cost_facts, cost_record, usual_seconds
from scripts.loop.learn import Learned, RunKind, StopCause, learn, load_project_champion, settle_training
from scripts.loop.looks import tell_look
from scripts.loop.pull import SlideState
from scripts.loop.push import SlidePushed
from scripts.loop.slide_jobs import Champion, predict_one, write_one
from scripts.loop.training_due import was_stopped
from scripts.loop.training_run import goes_on_from
from scripts.plain_words import counted
from scripts.project import Project

logger = logging.getLogger(__name__)
_UNREACHABLE_SECONDS = 60.0  # between two looks at a file that we exchanged, where its folder can't be reached


class SupersededError(Exception):
    """A job's input is out of date: nothing failed."""


class InterruptedJobError(Exception):
    """The daemon stops in the middle of a job: it is done again at the next start."""


@dataclass(slots=True)
class Worker:
    """Does a project's jobs; PREDICT, TRAIN and NIGHTLY in one thread, WRITE in that of the files."""

    project: Project
    store: Store
    backups: Backups
    slides: SlidesNow
    reader: Reader
    wants: Wants
    predictions: Predictions
    world: World
    activity: Activity
    viewing: Viewing
    check_lease: Callable[[], None]
    computing: Computing
    last_write: LastWrite | None = None
    last_training: LastTraining | None = None
    _bands: Champion | None = None

    def do(self, job: JobRecord) -> None:
        """Do one job, whatever becomes of it: one that fails is tried again later, and never stops another."""
        started = begin_job(self.store, job, self.world.now())
        if started is None:
            return
        try:
            note = self._kinds()[job.kind](started)
        except SupersededError as reason:
            self.store.supersede_job(job.id, self.world.now(), str(reason))
        except InterruptedJobError:
            self.store.retry_job(job.id, self.world.now(), None, self.world.now())
        except WriteConflictError as error:
            self._met_a_save(started, error)
        except (BridgeError, OSError) as error:
            self._failed(started, error)
        except Exception as error:  # a defect of ours must cost this job, not the daemon; it is told in full
            logger.exception("a defect in SlideBridge, please report it: %s", said.work(started.kind))
            self._failed(started, error)
        else:
            self.store.finish_job(job.id, self.world.now(), note)

    def _kinds(self) -> Mapping[JobKind, Callable[[JobRecord], str]]:
        return {
            JobKind.TRAIN: self._train,
            JobKind.NIGHTLY: self._train,
            JobKind.PREDICT: self._predict,
            JobKind.WRITE: self._write,
        }

    def _met_a_save(self, job: JobRecord, error: WriteConflictError) -> None:
        """Let a person's save go first: it is read, and what is written then goes by it."""
        now = self.world.now()
        self.store.retry_job(job.id, now, str(error), now + retry_delay(job.attempts, is_conflict=True))
        entry = self.slides.entries.get(job.slide_key or "")
        if entry is not None:
            logger.info("%s", said.waiting_for(entry, "a save that came in between, before anything is written"))

    def _failed(self, job: JobRecord, error: Exception) -> None:
        now = self.world.now()
        again = now + retry_delay(job.attempts)
        told = str(error) or type(error).__name__
        self.store.retry_job(job.id, now, told, again)
        entry = self.slides.entries.get(job.slide_key or "")
        name = None if entry is None else entry.name
        logger.warning("%s", said.failed(job, told, again, slide=name))
        self.world.tell("failure", happenings.failure(job, told, again, slide=name))

    # TRAIN, NIGHTLY

    def _train(self, job: JobRecord) -> str:
        is_nightly = job.kind is JobKind.NIGHTLY
        pulled = self.slides.pulled(self.world.now())
        if not is_nightly and job.input_hash != self.wants.training_input(pulled):
            raise SupersededError("newer labels came before it began")
        kind = RunKind.NIGHTLY if is_nightly else RunKind.INCREMENTAL
        slides = sum(not plan.is_empty for plan in pulled.plans)
        logger.info(
            "%s", said.training_begins(slides, parent=None if is_nightly else self._parent(), is_nightly=is_nightly)
        )
        began = self.world.now()
        learned = learn(
            self.project,
            self.store,
            pulled,
            self.activity.progress(job.kind, self.world.now),
            self.world.now,
            kind=kind,
            is_forced=job.input_hash.startswith(FORCED),
            stop=lambda: self._should_stop(job),
            stop_cause=lambda: StopCause.SHUTDOWN if self.world.is_stopping() else StopCause.NEWER_LABELS,
        )
        if learned.is_superseded and self.world.is_stopping():
            raise InterruptedJobError
        if learned.is_superseded:
            raise SupersededError(learned.reason)
        self.predictions.cache.prune(tuple(self.slides.entries), self.wants.champion_id())
        self.store.forget_costs(tuple(self.slides.entries))
        self._told_training(learned, (self.world.now() - began).total_seconds(), is_nightly=is_nightly)
        return learned.line()

    def _parent(self) -> int | None:
        """Return the iteration that an incremental training goes on from; None where it begins anew."""
        champion = self.wants.champion_id()
        try:
            card = None if champion is None else read_card(self.project.checkpoints, champion)
        except CheckpointError:  # whoever loads it says so
            return None
        return card.iteration if card is not None and goes_on_from(self.project.settings, card) else None

    def _should_stop(self, job: JobRecord) -> bool:
        if self.world.is_stopping():
            return True
        newest = self.wants.newest_labels
        return job.kind is JobKind.TRAIN and should_stop_training(
            has_newer_labels=newest is not None and newest != job.input_hash,
            progress=self.activity.share(job.kind),
            was_last_stopped=was_stopped(self.store),
        )

    def _told_training(self, learned: Learned, seconds: float, *, is_nightly: bool) -> None:
        logger.info("%s", said.training_ended(learned, seconds, is_nightly=is_nightly))
        if learned.iteration is not None:
            self.last_training = _last_training(learned, self.world.now())
        for warning in learned.warnings:
            logger.warning("%s", warning)
        self.world.tell("nightly" if is_nightly else "training", happenings.training_ended(learned, seconds))

    # PREDICT

    def _predict(self, job: JobRecord) -> str:
        state = self.slides.state(job.slide_key or "", self.world.now())
        if state is None:
            raise SupersededError("the slide can't be read now")
        is_forced = job.input_hash.startswith(FORCED)
        key = self.wants.prediction_key(state)
        if not is_forced and key != job.input_hash:
            raise SupersededError("a newer model or another slide file takes its place")
        bands = self._champion_bands()
        self.activity.expect(job.kind, usual_seconds(self.store, state.key))
        self._look_ahead(state)
        prediction = predict_one(
            self.project,
            state,
            bands,
            self.predictions.cache,
            stop=self.world.is_stopping,
            is_forced=is_forced,
        )
        if prediction is None:
            raise InterruptedJobError
        self.predictions.put(key, prediction)
        champion = self._bands.champion if self._bands is not None else None
        entry = state.reading.entry
        tell_look(self.store, entry.key, entry.name, prediction.unlikeness, champion, self.world.now())
        cost = cost_record(entry.key, state.reading.mpp, prediction, self._bands, self.world.now())
        if cost is not None:
            self.store.record_cost(cost)
        if is_forced:
            self.store.ask_job(JobKind.WRITE, state.key, job.input_hash, self.world.now())
        if self._bands is not None:
            took = (self.world.now() - (job.started_at or self.world.now())).total_seconds()
            iteration = self._bands.champion.card.iteration
            logger.info("%s", said.predicted(entry, len(prediction.predictions), iteration, took, cost_facts(cost)))
        return f"{counted(len(prediction.predictions), 'object')} found"

    def _look_ahead(self, first: SlideState) -> None:
        """Have a cluster begin with the slides whose turn comes next."""
        room = self.computing.room_ahead()
        if not room:
            return
        waiting = [job for job in self.store.jobs(JobState.WAITING) if job.kind is JobKind.PREDICT]
        attention = Attention(self.viewing.on_screen, dict(self.reader.saved_at))
        coming = [first.reading]
        for job in order_compute(waiting, attention)[:room]:
            state = self.slides.state(job.slide_key or "", self.world.now())
            if state is not None and self._is_wanted(job, state):
                coming.append(state.reading)
        self.computing.ahead(coming)

    def _is_wanted(self, job: JobRecord, state: SlideState) -> bool:
        try:
            return job.input_hash == self.wants.prediction_key(state)
        except SlideError as error:  # told when it is its turn: it must not fail the slide before it
            logger.debug("slide=%s is not asked for ahead: %s", state.reading.entry.name, error)
            return False

    def _champion_bands(self) -> Champion | None:
        champion_id = self.wants.champion_id()
        if champion_id is None:
            self._bands = None
        elif self._bands is None or self._bands.champion.id != champion_id:
            champion = load_project_champion(self.project)
            self._bands = None if champion is None else self.computing.champion(champion)
        return self._bands

    # WRITE

    def _write(self, job: JobRecord) -> str:
        state = self.slides.state(job.slide_key or "", self.world.now())
        is_forced = job.input_hash.startswith(FORCED)
        if state is None or state.key in self.reader.awaited:
            if state is not None and is_forced:  # nobody would ask for it again
                raise WriteConflictError("the slide is being read anew, a person's wish waits for that")
            raise SupersededError("the slide is being read anew")
        if not is_forced and job.input_hash != self.wants.write_input(state):
            raise SupersededError("the slide was saved since")
        prediction = self.predictions.get(self.wants.prediction_key(state))
        if prediction is None:  # put off and not dropped: a write that fails again and again must wait longer each time
            self.wants.ask_prediction(state)
            raise WriteConflictError("its prediction is gone; it is made anew")
        rivals = self.wants.rivals()
        if not is_forced and not self.wants.is_wanted(state, rivals):
            raise SupersededError("the boxes that were free went to other slides")
        champion = load_project_champion(self.project)
        self.check_lease()
        self.reader.wait_for(state.key)  # before: a write may have happened though it raised
        pushed = write_one(
            self.project,
            self.store,
            self.backups,
            state,
            prediction,
            replace(WANTED, is_forced=is_forced),
            champion=champion,
            now=self.world.now,
            rivals=rivals,
            write=self.viewing.write_to(state.key),
            attempts=1,
        )
        prune(self.store, self.backups, state.key, self.project.settings.store)
        return self._told_write(pushed, champion.card.iteration if champion else 0)

    def _told_write(self, pushed: SlidePushed, iteration: int) -> str:
        logger.info("%s", said.written(pushed, iteration))
        for warning in pushed.warnings:
            logger.warning("slide=%s %s", pushed.name, warning)
        self.last_write = LastWrite(pushed.name, self.world.now())
        marker = self.store.newest_marker(pushed.key)
        facts = happenings.slide_written(pushed.name, pushed, iteration=iteration, marker=marker)
        self.world.tell("predictions", facts)
        predictions = pushed.summary.written if pushed.summary else 0
        return f"{counted(predictions, 'prediction')}, {counted(len(pushed.proposals), 'proposal')}"

    # between jobs

    def recover(self) -> None:
        """Finish or undo the writes, and the training, that an earlier process was killed in."""
        entries = self.slides.entries
        owners = {key: (self.project.source, entry) for key, entry in entries.items()}
        settle = self.project.settings.watch.settle_seconds
        report = recover(self.store, self.backups, self.world.now(), settle_seconds=settle, resolve=owners.get)
        for message in report.messages:
            logger.warning("%s", message)
        settled = settle_training(self.project, self.store, self.world.now())
        if settled is not None:
            logger.info("%s", settled)

    def settle_displaced(self) -> timedelta | None:
        """Let go of files that we exchanged, once no tool can still be writing into them; return when to come again."""
        waiting = self.store.unfinished_writes()
        settle = self.project.settings.watch.settle_seconds
        pause = max(settle, 1.0)
        for record in waiting:
            entry = self.slides.entries.get(record.slide_key)
            blocker = partial(self.project.source.blocker, entry) if entry is not None else lambda: None
            try:
                finish_displaced(
                    record.marker,
                    self.store,
                    self.backups,
                    self.world.now(),
                    settle_seconds=settle,
                    target=None if entry is None else entry.written_path,
                    blocker=blocker,
                )
            except WriteConflictError as error:
                logger.warning("%s", error)
                self.reader.wait_for(record.slide_key)
            except WriteFailedError as error:  # nothing was changed: the slide's file is as it was
                logger.warning("%s", error)
                pause = max(pause, _UNREACHABLE_SECONDS)
        return timedelta(seconds=pause) if self.store.unfinished_writes() else None


def _last_training(learned: Learned, now: datetime) -> LastTraining:
    score = learned.score if learned.score is not None and math.isfinite(learned.score) else None
    return LastTraining(now, learned.iteration or 0, learned.is_promoted, score)
