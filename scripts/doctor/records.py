"""What the doctor finds out about a project's records: the database looked at in a copy, the disks, the backups."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import StoreError
from bridge.files import PREFIX
from bridge.store import Store
from bridge.store.consistency import copy_store
from bridge.store.location import STORE_NAME, is_network_path
from scripts.project import Project


@dataclass(frozen=True, slots=True)
class Disk:
    """Room on a disk.

    Parameters
    ----------
    what
        Is kept there.
    """

    what: str
    path: Path
    free_bytes: float


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What was found of a project's records.

    Parameters
    ----------
    database
        None before the first writing command.
    problem
        Why it can't be read; None where it can.
    is_newer
        The problem is that a newer SlideBridge wrote it.
    is_on_share
        It lies on a network drive.
    backup_bytes, backup_files
        What the backups take.
    """

    database: Path | None = None
    problem: str | None = None
    is_newer: bool = False
    is_on_share: bool = False
    disks: tuple[Disk, ...] = ()
    backup_bytes: int = 0
    backup_files: int = 0
    stray: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """A project's records, to be asked: those in the copy, or none where they can't be read."""

    store: Store
    facts: RecordFacts


@contextmanager
def open_records(project: Project, folders: Iterable[Path], user: Path | None = None) -> Iterator[Records]:
    """Open a copy of the project's database, for looking changes nothing and stops nobody.

    Parameters
    ----------
    folders
        That we write to: temporary files of ours may be left there.
    user
        As in ``open_store``.
    """
    with ExitStack() as stack:
        beside = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        database, problem = _copied(project, beside, user)
        store = None
        if problem is None:
            try:
                store = stack.enter_context(Store.open(beside))
            except StoreError as error:
                problem = str(error).replace(str(beside / STORE_NAME), str(database))
        is_readable = store is not None
        if store is None:
            store = stack.enter_context(Store.open(beside / "none"))
        size, files = _size_of(project.data_folder / "backups")
        facts = RecordFacts(
            database,
            problem,
            is_newer=not is_readable and "update SlideBridge" in (problem or ""),
            is_on_share=database is not None and is_network_path(database.parent),
            disks=tuple(disks_of(project, database)),
            backup_bytes=size,
            backup_files=files,
            stray=tuple(stray for folder in folders for stray in _stray_files(folder)),
        )
        yield Records(store, facts)


def _copied(project: Project, beside: Path, user: Path | None) -> tuple[Path | None, str | None]:
    """Copy the database, if there is one; return where it is, and why it can't be copied."""
    database: Path | None = None
    try:
        folder = project.find_store(user)
        if folder is None:
            return None, None
        database = folder / STORE_NAME
        copy_store(database, beside)
    except (StoreError, OSError) as error:
        return database, str(error)
    return database, None


def disks_of(project: Project, database: Path | None) -> Iterator[Disk]:
    """Yield the disks that SlideBridge needs room on, each once."""
    places = [("models, backups and predictions", project.data_folder)]
    places += [("the database", database.parent)] if database is not None else []
    places += [("temporary files", Path(tempfile.gettempdir()))]
    seen = set()
    for what, path in places:
        there = next((folder for folder in (path, *path.parents) if folder.exists()), path)
        device = os.stat(there).st_dev  # noqa: PTH116 - follows links, as writing does
        if device not in seen:
            seen.add(device)
            yield Disk(what, there, shutil.disk_usage(there).free)


def _size_of(folder: Path) -> tuple[int, int]:
    sizes = [size for path in folder.rglob("*") if (size := _file_size(path)) is not None]
    return sum(sizes), len(sizes)


def _file_size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:  # removed meanwhile
        return None


def _stray_files(folder: Path) -> Iterator[Path]:
    for pattern in (f"{PREFIX}*.tmp", f"{PREFIX}*.part", f"{PREFIX}*.old"):
        yield from sorted(folder.glob(pattern))
