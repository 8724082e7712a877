"""One project in the daemon: from files that came to rest to the next piece of work for each lane.

The main thread calls ``tick``; the work that it hands out runs in the lanes' threads: ``next_file_work`` in that of the
files, ``next_compute_work`` in that of the networks. Between the two goes what a queue or a flag can carry.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bridge.errors import BridgeError
from bridge.store import JobKind, JobRecord, JobState, Store
from bridge.watch import AtRest
from scripts.daemon import wording as said
from scripts.daemon.deciding import Attention, has_come, is_due, order_compute, order_files, retry_delay
from scripts.daemon.file_watch import FileWatch
from scripts.daemon.heartbeat import Failure
from scripts.daemon.memory import release_memory
from scripts.daemon.queue_now import Queue, queue_of
from scripts.daemon.reading import Reader
from scripts.daemon.schedule import NIGHTLY_MARK, night_name
from scripts.daemon.schedule import due as nightly_due
from scripts.daemon.viewing import Viewing
from scripts.daemon.wanting import Wants
from scripts.daemon.working import Worker
from scripts.daemon.world import Activity, World
from scripts.logs import about
from scripts.project import Project

logger = logging.getLogger(__name__)
Work = Callable[[], None]
_LOOK_FOR_JOBS = timedelta(seconds=2)  # other processes may ask for some
_CRASHES = 4  # times that a job may take its process with it before it has to wait
_LONG = 30.0  # seconds after which a file that doesn't come to rest is worth a line
_VIEW_SECONDS = 1.0  # between two looks at what viewers tell
_PATIENCE = 60.0  # seconds after which a file that never rests no longer holds up the others at the start


@dataclass(slots=True)
class ProjectLoop:
    """One project's part of the daemon."""

    project: Project
    store: Store
    files: FileWatch
    reader: Reader
    wants: Wants
    worker: Worker
    viewing: Viewing
    world: World
    activity: Activity
    _at_rest: deque[AtRest] = field(default_factory=deque)
    _again: deque[str] = field(default_factory=deque)  # slides to be looked at again, told by the lanes
    _unrecorded: deque[int] = field(default_factory=deque)  # jobs whose end couldn't be written down
    _listed: bool = False
    _is_asking: bool = True
    _settle_at: datetime | None = None
    _jobs: tuple[JobRecord, ...] = ()
    _queue: Queue = field(default_factory=Queue)
    _look_at: datetime | None = None
    _paused_until: datetime | None = None
    _pauses: int = 0
    _why_paused: str = ""
    _began: float | None = None
    _started_at: datetime | None = None
    _has_recovered: bool = False
    _has_trained: bool = False
    _has_given_up: bool = False
    _view_at: float = 0.0
    _told_waiting: frozenset[str] = frozenset()
    is_lost: bool = False

    def begin(self) -> None:
        """Take up what an earlier process left. Before the first ``tick``."""
        now = self.world.now()
        for job in self.store.jobs(JobState.RUNNING):
            if job.attempts >= _CRASHES:
                again = now + retry_delay(job.attempts - _CRASHES + 1)
                self.store.retry_job(job.id, now, "its process ended in the middle of it, again and again", again)
        left = self.store.requeue_jobs(now)
        if left:
            logger.info("%s", said.taken_up(len(left)))
        self._settle_at = now
        self._started_at = now
        self.viewing.begin()

    def tick(self) -> None:
        """Look at the files, and at the clock."""
        while self._again:
            self.files.hint([self._again.popleft()])
        if self._listed:
            self._listed = False
            self.files.watch(self.reader.slides.entries.values())
        self._at_rest.extend(self.files.at_rest())
        self._tell_of_waiting()
        if self._began is None:
            self._began = self.files.clock()
        if not self._has_given_up and self.files.clock() - self._began >= _PATIENCE:
            self._has_given_up = self._is_asking = True

    @property
    def is_paused(self) -> bool:
        """Whether something project-wide failed lately: the store, the disk, the project file."""
        return self._paused_until is not None and not has_come(self._paused_until, self.world.now())

    # work for the lanes

    def next_file_work(self) -> tuple[JobKind, str | None, Work] | None:
        """Return the next work on files (kind, slide's name, call); None when there is none now."""
        if self.is_paused or self.is_lost:
            return None
        if self.files.is_list_old:
            self.files.is_list_old = False
            return JobKind.READ, None, lambda: self._guarded(self._list)
        if self._at_rest:
            rest = self._at_rest.popleft()
            return JobKind.READ, self._name(rest.key), lambda: self._guarded(lambda: self._read(rest))
        if self._settle_at is not None and has_come(self._settle_at, self.world.now()):
            self._settle_at = None
            return JobKind.WRITE, None, lambda: self._guarded(self._settle)
        if self.viewing.viewer is not None and self.files.clock() >= self._view_at:
            self._view_at = self.files.clock() + _VIEW_SECONDS
            return JobKind.READ, None, lambda: self._guarded(self._look_at_viewers)
        if self._is_asking:
            self._is_asking = False
            return JobKind.READ, None, lambda: self._guarded(self._ask)
        return self._first(order_files(self._due(), self.attention()), self._do_file_job)

    def next_compute_work(self) -> tuple[JobKind, str | None, Work] | None:
        """Return the next work for the networks; None when there is none, or files are to be read first."""
        if self.is_paused or self.is_lost or self._is_asking or self._at_rest or self._unrecorded:
            return None
        return self._first(order_compute(self._due(), self.attention()), self._do)

    def _first(
        self, jobs: Sequence[JobRecord], do: Callable[[JobRecord], None]
    ) -> tuple[JobKind, str | None, Work] | None:
        if not jobs:
            return None
        job = jobs[0]
        return job.kind, self._name(job.slide_key), lambda: self._guarded(lambda: do(job))

    def attention(self) -> Attention:
        """Return where people are."""
        return Attention(self.viewing.on_screen, dict(self.reader.saved_at))

    def queue(self) -> Queue:
        """Return what is to be done, as of the last look at the jobs; a pause of all work comes before what failed."""
        if not self.is_paused or self._paused_until is None:
            return self._queue
        pause = Failure(self._why_paused, self._paused_until, attempts=self._pauses)
        return replace(self._queue, failures=(pause, *self._queue.failures))

    def _due(self) -> tuple[JobRecord, ...]:
        now = self.world.now()
        if self._look_at is None or has_come(self._look_at, now) or now < self._look_at - _LOOK_FOR_JOBS:
            self._look_at = now + _LOOK_FOR_JOBS  # before: a lane that ends a job meanwhile has us look again
            self._jobs = ()
            try:
                self._look_for_jobs(now)
            except (BridgeError, OSError) as error:
                with about(self.project.root):
                    self.pause(error)
        return self._jobs

    def _look_for_jobs(self, now: datetime) -> None:
        self._ask_nightly(now)
        found = self.store.jobs(JobState.WAITING)
        self._jobs = tuple(job for job in reversed(found) if is_due(job, now))
        self._queue = queue_of(tuple(reversed(found)), self._name)

    def _name(self, key: str | None) -> str | None:
        entry = self.reader.slides.entries.get(key or "")
        return None if entry is None else entry.name

    def _guarded(self, work: Work) -> None:
        """Do some work; a failure that is of no single job makes the project wait a while."""
        try:
            with about(self.project.root):
                work()
            self._pauses = 0
        except (BridgeError, OSError) as error:
            self.pause(error)
        except Exception as error:  # a defect of ours must not end the daemon; it is told in full
            logger.exception("a defect in SlideBridge, please report it")
            self.pause(error)
        finally:
            self._look_at = None

    def pause(self, error: Exception) -> None:
        """Do nothing for a while, longer each time in a row: something failed that is of no single job."""
        self._pauses += 1
        self._paused_until = self.world.now() + retry_delay(self._pauses, is_conflict=True)
        self._why_paused = " ".join(str(error).split()) or type(error).__name__
        self._is_asking = True
        logger.warning(
            "work on %s pauses: %s; goes on at %s",
            self.project.root,
            error,
            f"{self._paused_until.astimezone():%H:%M:%S}",
        )

    # in the file lane

    def _list(self) -> None:
        try:
            self.world.listed(self.reader.slides.list_entries())
        except Exception:
            self.files.is_list_old = True
            raise
        self._listed = True
        self._is_asking = True

    def _read(self, rest: AtRest) -> None:
        told_before = self.store.last_read(rest.key)
        try:
            if not self.reader.read(rest):
                self._again.append(rest.key)
        except Exception:
            self._again.append(rest.key)
            raise
        last = self.store.last_read(rest.key)
        if not rest.is_told and told_before is not None and last != told_before:
            self.files.missed(rest.key)
        self._is_asking = True

    def _settle(self) -> None:
        if not self._has_recovered and self.reader.slides.entries:
            self.worker.recover()
            self._has_recovered = True
        known = frozenset(self.reader.awaited)
        wait = self.worker.settle_displaced()
        self._again.extend(self.reader.awaited - known)
        self._settle_at = None if wait is None else self.world.now() + wait

    def _ask(self) -> None:
        self._take_up_unrecorded()
        self._give_up_waiting()
        if self._has_trained:
            self._has_trained = False
            self.reader.slides.forget_plans()
        self.wants.ask(self.attention())

    def _take_up_unrecorded(self) -> None:
        while self._unrecorded:
            job, now = self.store.job(self._unrecorded[0]), self.world.now()
            if job.state is JobState.RUNNING:
                again = now + retry_delay(job.attempts)
                self.store.retry_job(job.id, now, "what became of it couldn't be written down", again)
            self._unrecorded.popleft()

    def _look_at_viewers(self) -> None:
        ended = self.viewing.look()
        for key in ended:
            self.reader.wait_for(key)
            self._again.append(key)

    def _do_file_job(self, job: JobRecord) -> None:
        try:
            with self._recorded(job):
                (self.reader.read_job if job.kind is JobKind.READ else self.worker.do)(job)
        finally:
            if job.kind is not JobKind.READ:
                self._again.append(job.slide_key or "")
                self._settle_at = self.world.now()
            self._is_asking = True

    # in the compute lane

    def _do(self, job: JobRecord) -> None:
        try:
            with self._recorded(job):
                self.worker.do(job)
        finally:
            release_memory()
            self._has_trained = self._has_trained or job.kind is not JobKind.PREDICT
            self._is_asking = True

    # in both lanes

    @contextmanager
    def _recorded(self, job: JobRecord) -> Iterator[None]:
        """Remember a job whose end couldn't be written down: nothing begins one again that counts as running."""
        try:
            yield
        except Exception:
            self._unrecorded.append(job.id)
            raise

    # in the main thread

    def _ask_nightly(self, now: datetime) -> None:
        options = self.project.settings.schedule
        last = self.store.marked(NIGHTLY_MARK) or self._started_at  # nothing was missed before the first start
        moment = nightly_due(options, last, now)
        if moment is None:
            return
        self.store.ask_job(JobKind.NIGHTLY, None, night_name(options, moment), now)
        self.store.mark(NIGHTLY_MARK, now)

    def _tell_of_waiting(self) -> None:
        """Say, once for each, which slides have been waiting for long to be read."""
        now, entries = self.files.clock(), self.reader.slides.entries
        waiting = {k: w for k, w in self.files.waiting().items() if now - w.since >= _LONG and k in entries}
        for key in waiting.keys() - self._told_waiting:
            logger.info("%s", said.waiting_for(entries[key], f"a save to end: {waiting[key].why}"))
        self._told_waiting = frozenset(waiting)

    def _give_up_waiting(self) -> None:
        """After a while at the start, count a slide that never comes to rest as one that can't be read."""
        slides = self.reader.slides
        if self._began is None or self.files.clock() - self._began < _PATIENCE:
            return
        waiting = self.files.waiting()
        for key in slides.unread:
            if key in waiting and key in slides.entries:
                slides.fail(slides.entries[key], f"{slides.entries[key].annotation_path}: {waiting[key].why}")
