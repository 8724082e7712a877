"""READ: from a file that came to rest to what its slide teaches; one job for each save of a person's."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from bridge.annotations import SlideEntry
from bridge.errors import AnnotationFileError, BridgeError
from bridge.ingest import SlideReading, revision_of
from bridge.store import Backups, JobKind, JobRecord, JobState, Store
from bridge.watch import AtRest, FileState, SettledFile, observe, read_still
from scripts.daemon import happenings
from scripts.daemon import wording as said
from scripts.daemon.beginning import CONFIRMED, begin_job
from scripts.daemon.deciding import retry_delay
from scripts.daemon.heartbeat import LastRead
from scripts.daemon.slides_now import SlidesNow
from scripts.daemon.world import World
from scripts.loop.knowing import NO_FILE
from scripts.loop.patch_labels import unheeded
from scripts.loop.pull import believe, count_added, keep_version, reading_of, record_reading, suspicion
from scripts.plain_words import counted
from scripts.project import Project

logger = logging.getLogger(__name__)
_UNREADABLE = "unreadable"


@dataclass(slots=True)
class Reader:
    """Reads a project's files, one thread's work.

    Parameters
    ----------
    saved_at
        Slide key → when a person's last save was noticed.
    awaited
        Keys of slides that we wrote to ourselves: nothing is decided about them until the new file was read.
    last_read
        A person's newest save; None before the first that this process reads.
    """

    project: Project
    store: Store
    backups: Backups
    slides: SlidesNow
    world: World
    saved_at: dict[str, datetime] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    last_read: LastRead | None = None
    _taken_in: dict[str, tuple[str, bool]] = field(default_factory=dict)  # slide key → what ``slides`` shows

    def read(self, rest: AtRest) -> bool:
        """Read a file that came to rest; False when something is at work on it again."""
        entry = self.slides.entries.get(rest.key)
        if entry is None:
            return True
        try:
            file = self._file(entry, rest.state, is_given_up=rest.blocker is not None)
        except AnnotationFileError as error:
            self._failed(entry, self._begin(entry.key, _UNREADABLE), error)
            return True
        if file is not None:
            self._read(entry, file)
        return file is not None

    def read_job(self, job: JobRecord) -> None:
        """Do a READ job that waited: of a slide that failed before, or of a save that a person believes."""
        entry = self.slides.entries.get(job.slide_key or "")
        if entry is None:
            self.store.supersede_job(job.id, self.world.now(), "the slide is not in the project any more")
            return
        started = begin_job(self.store, job, self.world.now())
        if started is None:
            return
        try:
            file = self._file(entry, observe(entry.annotation_path), is_given_up=True)
            if file is None:
                raise AnnotationFileError("it is being saved", path=entry.annotation_path)
            self._take_in(entry, file, started, is_believed=job.input_hash.startswith(CONFIRMED))
        except (BridgeError, OSError) as error:
            self._failed(entry, started, error)
        except Exception as error:  # as in ``_read``
            logger.exception("a defect in SlideBridge, please report it: %s", said.work(JobKind.READ))
            self._failed(entry, started, error)

    def fail(self, entry: SlideEntry, error: Exception) -> None:
        """Take down that a slide can't be used just now: it is read again after a while, until it can be."""
        self._failed(entry, self._begin(entry.key, _UNREADABLE), error)

    def _file(self, entry: SlideEntry, state: FileState | None, *, is_given_up: bool) -> SettledFile | None:
        return read_still(self.project.source, entry, state, self.project.settings.watch, is_given_up=is_given_up)

    def wait_for(self, key: str) -> None:
        """Take down that we wrote to a slide's file: what we know of it is old."""
        self.awaited.add(key)
        self._taken_in.pop(key, None)

    def _read(self, entry: SlideEntry, file: SettledFile) -> None:
        key, revision = entry.key, _revision(file)
        if self._taken_in.get(key) == _shown(file) and self.slides.reading(key) is not None:
            return  # a slide that left the project and came back was forgotten there
        job = self._begin(key, revision) if self._is_news(key, revision) else None
        try:
            self._take_in(entry, file, job)
        except (BridgeError, OSError) as error:
            self._failed(entry, job or self._begin(key, revision), error)
        except Exception as error:  # a defect of ours must cost this slide, not the others; it is told in full
            logger.exception("a defect in SlideBridge, please report it: %s", said.work(JobKind.READ))
            self._failed(entry, job or self._begin(key, revision), error)

    def _is_news(self, key: str, revision: str) -> bool:
        """Say whether a person saved this since we last wrote or read."""
        last, marker = self.store.last_read(key), self.store.newest_marker(key)
        if revision == NO_FILE:
            return last is not None and last.revision != NO_FILE
        if revision == self.store.suspicious_revision(key):
            return False
        if marker is not None and self.store.write(marker).new_revision == revision:
            return False
        return last is None or last.revision != revision

    def _begin(self, key: str, revision: str) -> JobRecord:
        now = self.world.now()
        job = self.store.ask_job(JobKind.READ, key, revision, now)
        if job.state is JobState.DONE:  # a person went back to what had been read before
            job = self.store.ask_job(JobKind.READ, key, revision, now, is_forced=True)
        return job if job.state is JobState.RUNNING else self.store.start_job(job.id, now)

    def _take_in(
        self, entry: SlideEntry, file: SettledFile, job: JobRecord | None, *, is_believed: bool = False
    ) -> None:
        now = self.world.now()
        reading = reading_of(self.project, self.store, entry, file, commit_at=now)
        is_suspicious = self._record(reading, now, is_believed=is_believed)
        self.slides.put(reading, is_suspicious=is_suspicious)
        self._taken_in[entry.key] = _shown(file)
        self.awaited.discard(entry.key)
        if job is None:
            self._recall_save(entry.key)
            return
        self.saved_at[entry.key] = now
        self.last_read = LastRead(entry.name, now)
        note = suspicion(reading) if is_suspicious else f"{counted(reading.human_count, 'object')} of people's"
        self.store.finish_job(job.id, self.world.now(), note)
        if is_suspicious:
            logger.warning("%s", said.doubted(entry, note))
        else:
            logger.info("%s", said.read(entry, reading))
            settings = self.project.settings
            unheeded_labels = unheeded(reading, settings.model, settings.source.kind)
            if unheeded_labels is not None:
                logger.warning("slide=%s %s", entry.name, unheeded_labels)

    def _recall_save(self, key: str) -> None:
        last = self.store.last_read(key)
        if last is not None:
            self.saved_at.setdefault(key, last.first_read_at)

    def _record(self, reading: SlideReading, now: datetime, *, is_believed: bool) -> bool:
        if not is_believed:
            kept = self.slides.reading(reading.entry.key)
            return record_reading(self.project, self.store, self.backups, reading, now, kept=kept)
        keep_version(self.store, self.backups, reading, now)
        count_added(self.project, self.store, self.backups, reading)
        believe(self.store, reading, now, self.project.settings.labels)
        return False

    def _failed(self, entry: SlideEntry, job: JobRecord, error: Exception) -> None:
        now = self.world.now()
        again, told = now + retry_delay(job.attempts), str(error) or type(error).__name__
        self.slides.fail(entry, told)
        self._taken_in.pop(entry.key, None)
        self.awaited.discard(entry.key)
        self.store.retry_job(job.id, now, told, again)
        logger.warning("%s", said.failed(job, told, again, slide=entry.name))
        self.world.tell("failure", happenings.failure(job, told, again, slide=entry.name))


def _revision(file: SettledFile) -> str:
    return NO_FILE if file.data is None else revision_of(file.data)


def _shown(file: SettledFile) -> tuple[str, bool]:
    return _revision(file), file.failed_save is None
