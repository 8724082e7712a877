"""What a crash, or a tool with the old file still open, left of our writes: decided by hashes, repeatable at any time.

    target   temp            the write
    ──────   ────            ─────────
    ours     none/base       is in place: finished
    other    base            was in place, a person has saved since: finished
    other    ours/none       was never in place, or was put back: abandoned (unless the target carries its marker)
    any      a person's      abandoned; the save goes back to the target's name, or both are kept

Only what is as it was read (a backup has it) or as we wrote it is ever deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from bridge import files
from bridge.annotations.source import SlideEntry, Source
from bridge.errors import AnnotationFileError, WriteConflictError, WriteFailedError
from bridge.store import atomic
from bridge.store.backups import Backups
from bridge.store.companions import write_companions
from bridge.store.placement import Displaced, Exchange, settle_displaced
from bridge.store.records import WriteRecord, WriteState

if TYPE_CHECKING:  # SQLAlchemy comes with it
    from bridge.store.store import Store

logger = logging.getLogger(__name__)
Resolve = Callable[[str], tuple[Source, SlideEntry] | None]


class Recovery(Enum):
    """What became of a write that was cut short or had a displaced file left."""

    FINISHED = "finished"
    ABANDONED = "abandoned"
    SETTLED = "settled"
    WAITING = "waiting"
    PUT_BACK = "put back"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Recovered:
    """One write; ``message`` is a line for people where there is something to tell."""

    marker: str
    slide_key: str
    target: Path
    outcome: Recovery
    message: str | None = None


@dataclass(frozen=True, slots=True)
class RecoveryReport:
    """What ``recover`` found.

    Parameters
    ----------
    strays
        Temporary files of ours that no write in the journal waits for; left alone.
    """

    writes: tuple[Recovered, ...] = ()
    strays: tuple[Path, ...] = ()

    @property
    def messages(self) -> tuple[str, ...]:
        """Lines for people."""
        told = tuple(w.message for w in self.writes if w.message is not None)
        return (
            *told,
            *(f"{path} was left by a write that nobody remembers; look at it, then delete it" for path in self.strays),
        )


def no_source(slide_key: str) -> None:
    """Resolve nothing: recovery then goes by hashes alone."""


def recover(
    store: Store,
    backups: Backups,
    now: datetime,
    *,
    settle_seconds: float = 2.0,
    resolve: Resolve = no_source,
    exchange: Exchange = atomic.exchange,
) -> RecoveryReport:
    """Finish or abandon every write that was cut short, and look after displaced files. Call it at start.

    Parameters
    ----------
    settle_seconds
        Displaced files younger than this wait (``finish_displaced``).
    resolve
        Slide key → its source and entry, or None: where the file is now, whether a save is in progress, whether it
        carries a write's marker, and which companions to bring up to date.

    Raises
    ------
    StoreError
        The store can't be written. A file that can't be read leaves its write waiting, with a message.
    """
    done = []
    for journalled in store.unfinished_writes():
        site = _Site(store, backups, now, resolve(journalled.slide_key), exchange)
        record = _at_home(journalled, site.owner)
        try:
            done.append(site.recover(record, settle_seconds))
        except OSError as error:
            message = f"{record.target}: {error.strerror or error}; the write to it is settled at the next start"
            done.append(Recovered(record.marker, record.slide_key, record.target, Recovery.WAITING, message))
    waiting = {_at_home(record, resolve(record.slide_key)).temp for record in store.unfinished_writes()}
    folders = {*store.written_folders(), *(w.target.parent for w in done)}
    return RecoveryReport(tuple(done), _strays(folders, waiting))


def _at_home(record: WriteRecord, owner: tuple[Source, SlideEntry] | None) -> WriteRecord:
    """Return the record with the target where it is today: projects move."""
    target = None if owner is None else owner[1].written_path
    return record if target is None else replace(record, target=target.resolve())


def finish_displaced(
    marker: str,
    store: Store,
    backups: Backups,
    now: datetime,
    *,
    settle_seconds: float = 2.0,
    target: Path | None = None,
    blocker: Callable[[], str | None] = lambda: None,
    exchange: Exchange = atomic.exchange,
) -> bool:
    """Look after the file that a write displaced, ``settle_seconds`` after it.

    Parameters
    ----------
    target
        Where the annotation file is today: projects move, and are copied; None for where it was written.

    Returns
    -------
    bool
        True: nothing is left to do. False: call again later.

    Raises
    ------
    WriteConflictError
        A tool had the old file open and has saved into it. The save is the target again and our write is abandoned; or,
        where yet another save was there, both are kept and the message names them. Read the file again.
    WriteFailedError
        The folder can't be reached or written; nothing was changed, call again later.
    """
    record = store.write(marker)
    if record.displaced_since is None:
        return True
    if target is not None:
        record = replace(record, target=target.resolve())
    site = _Site(store, backups, now, None, exchange)
    try:
        found = site.settle(record, settle_seconds, blocker)
    except OSError as error:
        message = f"{record.target}: {error.strerror or error}; what lies beside it is looked after at the next start"
        raise WriteFailedError(message) from error
    if found.outcome in (Recovery.PUT_BACK, Recovery.KEPT):
        raise WriteConflictError(found.message)
    return found.outcome is not Recovery.WAITING


@dataclass(frozen=True, slots=True)
class _Site:
    store: Store
    backups: Backups
    now: datetime
    owner: tuple[Source, SlideEntry] | None
    exchange: Exchange

    def recover(self, record: WriteRecord, settle_seconds: float) -> Recovered:
        outcome = Recovery.SETTLED
        if record.state is WriteState.BEGUN:
            outcome = self._decide(record)
            if outcome is Recovery.WAITING:
                message = f"{record.target.parent} is not there; the write to it is settled when it is back"
                return Recovered(record.marker, record.slide_key, record.target, outcome, message)
            record = replace(self.store.write(record.marker), target=record.target)
        if record.displaced_since is None:
            return Recovered(record.marker, record.slide_key, record.target, outcome)
        found = self.settle(record, settle_seconds, self._blocker)
        quiet = found.outcome in (Recovery.SETTLED, Recovery.WAITING)
        return replace(found, outcome=outcome) if quiet and outcome is not Recovery.SETTLED else found

    def _decide(self, record: WriteRecord) -> Recovery:
        target, temp = record.target, record.temp
        if not _is_reachable(record):
            return Recovery.WAITING
        atomic.mend_exchange(target, temp)
        files.remove_part(temp)
        there, beside = files.sha256_of(target), files.sha256_of(temp)
        since = None if beside is None else self.now  # how long after its beginning it was displaced, nobody noted
        if self._was_placed(record, there, beside):
            if self.owner is not None and there == record.new_revision:
                write_companions(*self.owner, target.read_bytes())
            self.store.finish_write(record.marker, self.now, displaced_since=since)
            return Recovery.FINISHED
        self.store.abandon_write(record.marker, "it was cut short", self.now, displaced_since=since)
        return Recovery.ABANDONED

    def _was_placed(self, record: WriteRecord, there: str | None, beside: str | None) -> bool:
        if beside not in (None, record.base_revision, record.new_revision):
            return False  # a person's save is in it and goes back
        if there == record.new_revision:
            return True
        if beside is not None:
            return beside == record.base_revision
        if there in (None, record.base_revision):
            return self._spare_revision() == record.new_revision
        return self._spare_revision() == record.new_revision or self._carries_marker(record)

    def _spare_revision(self) -> str | None:
        """Return what a save in progress, or a failed one, has moved aside: our file was in place before it."""
        spare = None if self.owner is None else self.owner[0].spare(self.owner[1])
        return None if spare is None else files.sha256_of(spare)

    def _carries_marker(self, record: WriteRecord) -> bool:
        if self.owner is None:
            return False
        source, entry = self.owner
        try:
            return source.parse(record.target.read_bytes(), entry).write_marker == record.marker
        except AnnotationFileError:  # a save in progress: whatever it is, it isn't our whole file
            return False

    def _blocker(self) -> str | None:
        return None if self.owner is None else self.owner[0].blocker(self.owner[1])

    def settle(self, record: WriteRecord, settle_seconds: float, blocker: Callable[[], str | None]) -> Recovered:
        """Look after a displaced file and bring the journal up to date."""
        assert record.displaced_since is not None, "only writes with a displaced file are settled"
        if not _is_reachable(record):
            return Recovered(record.marker, record.slide_key, record.target, Recovery.WAITING)
        why = "a save was under way into the file that it replaced"
        result = settle_displaced(
            record,
            may_delete=self.now - record.displaced_since >= timedelta(seconds=settle_seconds),
            blocker=blocker,
            keep=lambda data: keep_save(self.store, self.backups, record.slide_key, data, self.now),
            before_put_back=lambda: self.store.abandon_write(record.marker, why, self.now, displaced_since=self.now),
            exchange=self.exchange,
        )
        if result.outcome in (Displaced.GONE, Displaced.DELETED):
            self.store.settle_write(record.marker)
        elif result.outcome is Displaced.KEPT:
            self.store.settle_write(record.marker, f"another save is kept as {record.temp}")
        outcome, message = _TOLD[result.outcome]
        if message is not None and result.saved is not None:
            message = message.format(target=record.target, temp=record.temp, version=result.saved[:12])
            logger.warning("write=%s %s", record.marker, message)
        return Recovered(record.marker, record.slide_key, record.target, outcome, message)


def keep_save(store: Store, backups: Backups, slide_key: str, data: bytes, now: datetime) -> str:
    """Back up a save that came in between, list it among the slide's versions, and return its SHA-256.

    Raises
    ------
    StoreError
        Backup or store can't be written.
    """
    revision = backups.keep(data)
    store.record_version(slide_key, revision, now, size=len(data))
    return revision


_TOLD = {
    Displaced.GONE: (Recovery.SETTLED, None),
    Displaced.DELETED: (Recovery.SETTLED, None),
    Displaced.WAITING: (Recovery.WAITING, None),
    Displaced.PUT_BACK: (
        Recovery.PUT_BACK,
        "{target} was being saved while we wrote; the save is back in its place (version {version} in the backups),"
        " read it again",
    ),
    Displaced.KEPT: (
        Recovery.KEPT,
        "{target} was saved twice at once; the other save is kept as {temp} (version {version} in the backups), compare"
        " the two and delete one",
    ),
}


def _is_reachable(record: WriteRecord) -> bool:
    """Say whether the file could be there: a share that is not mounted is no folder, or one with nothing in it."""
    folder = record.target.parent
    folders = (folder,) if record.base_revision is not None else (folder, folder.parent)
    return any(f.is_dir() and any(f.iterdir()) for f in folders)


def _strays(folders: Iterable[Path], waiting: set[Path]) -> tuple[Path, ...]:
    found: set[Path] = set()
    for folder in folders:
        if folder.is_dir():
            found |= set(folder.glob(f"{files.PREFIX}*"))
    return tuple(sorted(found - waiting))
