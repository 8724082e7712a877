"""What a store alone can say of its own soundness, read from a copy: looking changes nothing, and stops nobody."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shapely
from sqlalchemy import Row, func, select

from bridge.annotations.roles import Fate
from bridge.annotations.source import MachineRole
from bridge.errors import StoreError
from bridge.store.backups import Backups
from bridge.store.migrate import HEAD
from bridge.store.records import JobState, WriteKind, WriteState
from bridge.store.schema import objects, reads, writes

if TYPE_CHECKING:
    from bridge.store.store import Store

_PATIENCE = timedelta(minutes=5)  # a write takes seconds; with nobody at work one of minutes was cut short
_BUSY_SECONDS = 10.0
_RESTORE = "restore it from a copy, or move it away to begin anew"
_SYNC = "run slidebridge sync"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not as it must be.

    Parameters
    ----------
    check
        Which of the checks found it.
    cure
        What mends it, one line.
    """

    check: str
    text: str
    cure: str


def copy_store(path: Path, folder: Path) -> Path:
    """Copy a database into another folder, as of its last whole step, and return the copy.

    Raises
    ------
    StoreError
        It can't be read.
    """
    target = folder / path.name
    try:
        address = f"{path.resolve().as_uri()}?mode=ro"
        old = sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS)
        with closing(old), closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(f"store {path}: {error}; another SlideBridge writes for long, try again") from error
        # A writer died in the middle: only with its journal beside it is the file whole, and that needs writing.
        _copy_with_journal(path, target)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"store {path}: {error}; {_RESTORE}") from error
    return target


def _copy_with_journal(path: Path, target: Path) -> None:
    journal = f"{path.name}-journal"
    try:
        shutil.copyfile(path, target)
        if path.with_name(journal).exists():
            shutil.copyfile(path.with_name(journal), target.with_name(journal))
    except OSError as error:
        raise StoreError(f"store {path}: {error.strerror}; make it readable") from error


def check_database(copy: Path) -> Iterator[Trouble]:
    """Check the file itself: SQLite's own checks, and whether it is of this version."""
    try:
        with closing(sqlite3.connect(copy)) as database:
            said = [row[0] for row in database.execute("PRAGMA integrity_check(10)")]
            orphans = database.execute("PRAGMA foreign_key_check").fetchall()
            version = database.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        yield Trouble("database", str(error), _RESTORE)
        return
    if said != ["ok"]:
        yield Trouble("database", f"damaged: {said[0]}" + (f" and {len(said) - 1} more" if said[1:] else ""), _RESTORE)
    if orphans:
        yield Trouble("database", f"{len(orphans)} rows of {orphans[0][0]} point to nothing", _RESTORE)
    if version is None or version[0] != HEAD:
        found = "none" if version is None else version[0]
        yield Trouble("database", f"of version {found}, not {HEAD}", f"{_SYNC}: it is brought up to date")


def check_jobs(store: Store, *, has_holder: bool) -> Iterator[Trouble]:
    """Find jobs that run though nobody is there to do them."""
    for job in () if has_holder else store.jobs(JobState.RUNNING):
        about = f"{job.kind.value} of slide {job.slide_key}" if job.slide_key is not None else job.kind.value
        text = f"job {job.id} ({about}) runs, and no slidebridge is at work"
        yield Trouble("jobs", text, "start slidebridge watch: it does it again")


def check_writes(store: Store, now: datetime, *, has_holder: bool) -> Iterator[Trouble]:
    """Find writes that were cut short."""
    for write in () if has_holder else store.unfinished_writes():
        if now - write.begun_at > _PATIENCE:
            is_done = write.state is WriteState.FINISHED
            what = "its displaced file is still there" if is_done else "it was cut short"
            text = f"write {write.marker} to {write.target} of {write.begun_at:%Y-%m-%d %H:%M}: {what}"
            yield Trouble("writes", text, f"{_SYNC}: it finishes or undoes it")


def check_objects(store: Store) -> Iterator[Trouble]:
    """Find predictions that count twice."""
    seen: set[tuple[str, ...]] = set()
    for row in _open_objects(store):
        keys: list[tuple[str, ...]] = [(row.slide_key, row.object_id)]
        if row.role == MachineRole.PREDICTION.value and row.fate == Fate.OPEN.value:
            outline = shapely.to_wkb(shapely.normalize(shapely.from_wkb(row.geometry)), hex=True)
            keys.append((row.slide_key, row.path_class, outline))
        if seen.intersection(keys):
            text = f"object {row.object_id} of slide {row.slide_key} is there twice (write {row.write_marker})"
            yield Trouble("predictions", text, "run slidebridge push --force: it writes them anew")
        seen.update(keys)


def _open_objects(store: Store) -> tuple[Row[Any], ...]:
    finished = select(writes.c.marker).where(writes.c.state == WriteState.FINISHED.value)
    is_open = select(objects).where(objects.c.is_open, objects.c.write_marker.in_(finished)).order_by(objects.c.id)
    with store.reading() as connection:
        return tuple(connection.execute(is_open).all())


def check_backups(store: Store, backups: Backups) -> Iterator[Trouble]:
    """Find slides whose last believed revision is not in the backups, whole."""
    for slide in store.slides():
        read = store.last_read(slide.key)
        if read is None or not read.revision:
            continue
        try:
            backups.load(read.revision)
        except StoreError as error:
            yield Trouble("backups", f"{slide.name}: {error}", f"{_SYNC} after the slide's next save keeps it anew")


def expected_revisions(store: Store) -> Mapping[str, str]:
    """Return slide key → revision that its file has unless somebody saved since: of the last read, or write of ours."""
    no_delivery = (writes.c.state == WriteState.FINISHED.value) & (writes.c.kind != WriteKind.DELIVERY.value)
    newest_writes = select(func.max(writes.c.id)).where(no_delivery).group_by(writes.c.slide_key)
    newest_reads = select(func.max(reads.c.id)).group_by(reads.c.slide_key)
    with store.reading() as connection:
        written = connection.execute(select(writes).where(writes.c.id.in_(newest_writes))).all()
        read = connection.execute(select(reads).where(reads.c.id.in_(newest_reads))).all()
    found = {row.slide_key: (row.read_at, row.revision) for row in read}
    for row in written:
        if row.slide_key not in found or row.ended_at >= found[row.slide_key][0]:
            found[row.slide_key] = (row.ended_at, row.new_revision)
    return {key: revision for key, (_, revision) in found.items()}
