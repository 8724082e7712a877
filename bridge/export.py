"""The safe write: our edits into a file of people's, the same way for every source.

Compose, check that nothing human is lost, back up, journal, put in place, journal. Conflicts are raised, never forced:
to read again and merge again, a few times at most, is the caller's part.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bridge.annotations import Edits, SlideEntry, Source
from bridge.annotations.composition import Composed, compose, moved
from bridge.annotations.ownership import WrittenObject, match_written
from bridge.errors import AnnotationFileError, StoreError, WriteConflictError, WriteFailedError
from bridge.store import Backups, WriteRecord
from bridge.store.atomic import exchange as exchange_files
from bridge.store.companions import write_companions
from bridge.store.placement import Exchange, Placement, WriteStep, ignore_step, is_in_use, temp_name
from bridge.store.records import WriteKind, WriteState
from bridge.store.recovery import Recovered, Recovery, RecoveryReport, finish_displaced, keep_save, recover

if TYPE_CHECKING:  # SQLAlchemy comes with it
    from bridge.store import Store

__all__ = [
    "Recovered",
    "Recovery",
    "RecoveryReport",
    "WriteResult",
    "WriteStep",
    "finish_displaced",
    "recover",
    "restore_version",
    "write_edits",
]

_MARKER = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NO_RIGHT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


@dataclass(frozen=True, slots=True)
class WriteResult:
    """A write that stands.

    Parameters
    ----------
    revision
        SHA-256 of the file as it is now.
    written
        Our new objects as the file holds them, level-0 pixels of the slide.
    closed
        ``WrittenObject.object_id`` of those that it took out or made a person's.
    is_displaced
        The old file is still there: call ``finish_displaced`` after ``settle_seconds``.
    warnings
        One line each, for people.
    is_promoting_left_out
        No accepted or corrected prediction was made plain, though it was asked for: ``warnings`` says why.
    """

    marker: str
    revision: str
    written: tuple[WrittenObject, ...] = ()
    closed: frozenset[str] = frozenset()
    is_displaced: bool = False
    warnings: tuple[str, ...] = ()
    is_promoting_left_out: bool = False


def write_edits(
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    edits: Edits,
    store: Store,
    backups: Backups,
    *,
    iteration: int,
    now: datetime,
    exchange: Exchange = exchange_files,
    on_step: Callable[[WriteStep], None] = ignore_step,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> WriteResult:
    """Write our edits into a slide's annotation file, whole or not at all.

    Parameters
    ----------
    base
        The file as it was read; None when there was none: it is created then, never replaced.
    edits
        New objects in level-0 pixels of the slide as OpenSlide opens it; ``entry.origin`` is taken off here. The marker
        names the write: letters, digits, ``.``, ``_`` and ``-``, new for every try.
    store
        Must hold the outcomes of ``base`` (``record_outcomes``): what is deleted has to be live and as written.
    iteration
        The training whose predictions are written.
    now
        The moment of the call.
    exchange
        How two files change names (``atomic.exchange``).
    on_step
        Called between steps, by tests.
    sleep
        Waits some seconds between tries at a file that another program holds open; 1.55 s in all.
    clock
        Seconds of a clock that nobody sets: the old file is displaced long after ``now`` where a disk or share is slow.

    Raises
    ------
    WriteConflictError
        The file isn't what was read, or a save came in between; it holds that save. Read it again and merge again.
    WriteFailedError
        The new file would lose something, the folder or disk doesn't take it, nobody has placed the entry on its
        slide (``SlideEntry.crops_to_bounds``), or the file is people's alone (``FileUse.GIVEN``); it is as it was.
    AnnotationFileError
        The source can't make the edits; the file is as it was.
    StoreError
        The store or the backup can't be written. If that was after the new file was put in place, ``recover`` finishes
        the write.
    """
    check_marker(edits.write_marker)
    check_ours_to_write(entry)
    check_placed(entry)
    moment = _moments(now, clock)
    try:
        composed = compose(source, entry, base, edits, store.live_objects(entry.key), iteration=iteration)
    except AnnotationFileError as error:
        raise (error if error.path else error.at(entry.annotation_path)) from error
    on_step(WriteStep.COMPOSED)
    write = _Write(source, entry, base, store, backups, now, moment, exchange, on_step, sleep)
    return write.carry_out(edits.write_marker, composed, iteration)


def restore_version(
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    version: bytes,
    store: Store,
    backups: Backups,
    *,
    marker: str,
    now: datetime,
    exchange: Exchange = exchange_files,
    on_step: Callable[[WriteStep], None] = ignore_step,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.perf_counter,
) -> WriteResult:
    """Put an earlier version of a slide's annotation file in place of the one that was read, as safely as our own.

    What is ours and not in that version counts as taken out by us, never as deleted by a person; what came back with it
    is known again at the next reading (``superseded``). The version goes in byte for byte: the marker in it, if it is
    of a recent write of ours, becomes the newest one.

    Parameters
    ----------
    base
        The file as it was read; None when there was none.
    version
        From ``Backups.load``.
    marker
        A new name for this write; not put into the file.

    Raises
    ------
    AnnotationFileError
        The version is not a whole file of this source.
    WriteConflictError, WriteFailedError, StoreError
        As for ``write_edits``.
    """
    check_marker(marker)
    check_ours_to_write(entry)
    moment = _moments(now, clock)
    try:
        found = source.parse(version, entry)
    except AnnotationFileError as error:
        raise (error if error.path else error.at(entry.annotation_path)) from error
    live = store.live_objects(entry.key)
    x, y = entry.origin
    present = match_written(found.annotations, moved(live, (-x, -y)))
    closes = frozenset(w.object_id for w in live if w.object_id not in present)
    carried = found.write_marker if store.remembers_write(entry.key, found.write_marker) else None
    write = _Write(source, entry, base, store, backups, now, moment, exchange, on_step, sleep)
    return write.carry_out(marker, Composed(version, closes=closes), 0, kind=WriteKind.RESTORE, carried=carried)


def check_marker(marker: str) -> None:
    """Raise ValueError where a text can't name a write."""
    if _MARKER.fullmatch(marker) is None:
        raise ValueError(f"{marker!r} can't name a write: up to 64 letters, digits, dots, dashes")


def check_ours_to_write(entry: SlideEntry) -> None:
    """Raise WriteFailedError where a slide's annotation file is people's alone (``FileUse.GIVEN``)."""
    if entry.written_path is None:
        raise WriteFailedError(
            f"{entry.annotation_path}: this file is read only, and nothing is ever written to it; to have an earlier"
            " version back, `slidebridge backups restore --to FILE` and put that in its place yourself"
        )


def check_placed(entry: SlideEntry) -> None:
    """Raise WriteFailedError where nobody has placed the entry on its slide (``SlideEntry.crops_to_bounds``)."""
    if entry.crops_to_bounds and not entry.is_placed:
        raise WriteFailedError(
            f"{entry.annotation_path}: where on the slide QuPath counts from isn't known before the slide was opened,"
            " and nothing is written to a guessed place; bring the slide back, or add its folder to [slides] search"
        )


def _moments(now: datetime, clock: Callable[[], float]) -> Callable[[], datetime]:
    """Return what tells the moment from now on, by a clock that nobody sets."""
    began = clock()
    return lambda: now + timedelta(seconds=clock() - began)


@dataclass(frozen=True, slots=True)
class _Write:
    """One file that is to take the place of another, and everything that it takes."""

    source: Source
    entry: SlideEntry
    base: bytes | None
    store: Store
    backups: Backups
    now: datetime
    moment: Callable[[], datetime]
    exchange: Exchange
    on_step: Callable[[WriteStep], None]
    sleep: Callable[[float], None]

    def carry_out(
        self,
        marker: str,
        composed: Composed,
        iteration: int,
        *,
        kind: WriteKind = WriteKind.EDITS,
        carried: str | None = None,
    ) -> WriteResult:
        """Back up, journal, put in place, journal."""
        told = () if composed.left_out is None else (composed.left_out,)
        base_revision = None if self.base is None else self.backups.keep(self.base)
        self.on_step(WriteStep.BACKED_UP)
        if base_revision == composed.revision:
            return WriteResult(marker, composed.revision, warnings=told, is_promoting_left_out=bool(told))
        record = self._journal(marker, base_revision, composed, iteration, kind, carried)
        self.on_step(WriteStep.JOURNALLED)
        self._put(record, composed.data)
        displaced_since = self.moment()
        self.on_step(WriteStep.SYNCED)
        told_of_companions = write_companions(self.source, self.entry, composed.data)
        self.on_step(WriteStep.COMPANIONS)
        is_displaced = _may_exist(record)
        self._finish(marker, displaced_since if is_displaced else None)
        self.on_step(WriteStep.FINISHED)
        return WriteResult(
            marker,
            composed.revision,
            composed.written,
            composed.closes,
            is_displaced,
            (*told, *told_of_companions),
            is_promoting_left_out=bool(told),
        )

    def _finish(self, marker: str, displaced_since: datetime | None) -> None:
        try:
            self.store.finish_write(marker, self.now, displaced_since=displaced_since)
        except StoreError:
            # Another process may have taken the write for one that was cut short, before there was a displaced file.
            abandoned = self.store.write(marker)
            if abandoned.state is WriteState.ABANDONED:
                why = abandoned.why or "it was given up meanwhile"
                self.store.abandon_write(marker, why, self.now, displaced_since=displaced_since)
            raise

    def _journal(
        self,
        marker: str,
        base_revision: str | None,
        composed: Composed,
        iteration: int,
        kind: WriteKind,
        carried: str | None,
    ) -> WriteRecord:
        return self.store.begin_write(
            self.entry.key,
            marker,
            base_revision=base_revision,
            base_size=None if self.base is None else len(self.base),
            new_revision=composed.revision,
            target=self.entry.annotation_path.resolve(),
            temp_name=temp_name(marker),
            iteration=iteration,
            written=composed.written,
            closes=composed.closes,
            kind=kind,
            carried_marker=carried,
            now=self.now,
        )

    def _put(self, record: WriteRecord, data: bytes) -> None:
        placement = Placement(
            record,
            self.base,
            lambda: self.source.blocker(self.entry),
            lambda save: keep_save(self.store, self.backups, self.entry.key, save, self.now),
            self.exchange,
            self.on_step,
            sleep=self.sleep,
        )
        try:
            placement.put(data)
        except OSError as error:
            raise _ended(placement, self.store, error, self.moment()) from error


def _ended(placement: Placement, store: Store, error: OSError, now: datetime) -> OSError:
    """Close the journal after a write that didn't come about, and say so in our words."""
    record = placement.record
    target = record.target
    if not isinstance(error, WriteConflictError) and _may_be_in_place(placement):
        return WriteFailedError(f"{target}: {error.strerror or error}, right after writing; start again to settle it")
    since = now if _may_exist(record) else None
    store.abandon_write(record.marker, str(error), now, displaced_since=since)
    if isinstance(error, WriteConflictError):
        return error
    return WriteFailedError(f"{target}: {error.strerror or error}; {_way_out(error)}, the file is as it was")


def _may_be_in_place(placement: Placement) -> bool:
    try:
        return placement.is_in_place()
    except OSError:  # the share or disk is gone: the journal stays open until somebody can look
        return True


def _may_exist(record: WriteRecord) -> bool:
    try:
        return record.temp.exists()
    except OSError:  # nobody can look now: the journal remembers to
        return True


_WAYS_OUT = {
    errno.ENAMETOOLONG: "move the project to a folder with a shorter path and write again",
    errno.EXDEV: "the file is mounted by itself: mount its folder instead and write again",
    errno.ENOENT: "make its folder, or bring the disk or share back, and write again",
}


def _way_out(error: OSError) -> str:
    if error.errno in _NO_SPACE:
        return "free some disk space and write again"
    if isinstance(error, PermissionError) and getattr(error, "winerror", None) is not None:
        return "close it in other programs, or make it writable for this account, and write again"
    if error.errno in _NO_RIGHT:
        return "make the file and its folder writable for this account"
    if is_in_use(error):
        return "close it in the program that holds it open and write again"
    return _WAYS_OUT.get(error.errno or 0, "check the disk or share and write again")
