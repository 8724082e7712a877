"""The versions of a slide's annotation file that the backups keep: what they hold, and how one comes back."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

from bridge.annotations import SlideEntry
from bridge.annotations.fingerprints import count_of
from bridge.errors import AnnotationFileError, ConfigError, WriteConflictError, WriteFailedError
from bridge.export import finish_displaced, recover, restore_version
from bridge.files import write_new
from bridge.ingest import place_if_found, revision_of
from bridge.store import Backups, Store, VersionRecord
from bridge.store.pruning import kept_versions
from bridge.watch import read_settled
from scripts.loop.pull import believe, keep_version, read_entry
from scripts.project import Project, find_called, open_project, open_store, open_to_write

_PREFIX = re.compile("[0-9a-f]{4,64}")


@dataclass(frozen=True, slots=True)
class Version:
    """One version as it is listed; ``why`` it is kept is None for one that the next pruning removes."""

    record: VersionRecord
    why: str | None
    is_there: bool

    @property
    def human_count(self) -> int | None:
        """Objects that people drew; None where nobody has looked."""
        return None if self.record.human_keys is None else count_of(self.record.human_keys)

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "revision": self.record.revision,
            "kept_at": self.record.kept_at,
            "seen_at": self.record.seen_at,
            "bytes": self.record.size,
            "human_objects": self.human_count,
            "by": "slidebridge" if self.record.is_ours else "person",
            "why_kept": self.why,
            "is_there": self.is_there,
        }

    def line(self) -> str:
        """Return the facts for people."""
        drawn = "unread" if self.human_count is None else f"{self.human_count} drawn"
        by = "ours" if self.record.is_ours else "a person's"
        when = self.record.seen_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        what = f"{self.record.revision[:12]}  {when}  {drawn}, {self.record.size:,} bytes, {by}"
        return f"{what}; {self.why or 'goes at the next write'}" + ("" if self.is_there else "; MISSING")


def list_versions(path: Path, name: str | None = None) -> Mapping[str, tuple[Version, ...]]:
    """Return the versions per slide name, newest first; of one slide where a name is given.

    Raises
    ------
    BridgeError
        There is no project or no such slide, or its store can't be opened.
    """
    project = open_project(path)
    entries = project.source.slides() if name is None else (find_called(project, name),)
    with open_store(project, is_dry_run=True) as store:
        return {entry.name: tuple(reversed(_versions(project, store, entry))) for entry in entries}


def _versions(project: Project, store: Store, entry: SlideEntry) -> tuple[Version, ...]:
    backups, kept = _backups(project), kept_versions(store, _backups(project), entry.key, project.settings.store)
    return tuple(
        Version(record, kept.get(record.revision), backups.has(record.revision, record.size))
        for record in store.versions(entry.key)
    )


def _backups(project: Project) -> Backups:
    return Backups(project.data_folder / "backups")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoring did, or would do; ``to`` is the file that it went into."""

    slide: str
    revision: str
    to: Path
    is_beside: bool = False  # into a file of the caller's, not into the slide's
    is_dry_run: bool = False
    warnings: tuple[str, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "slide": self.slide,
            "revision": self.revision,
            "file": str(self.to),
            "restored": not self.is_dry_run and not self.is_beside,
            "dry_run": self.is_dry_run,
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        verb = "would be written to" if self.is_dry_run else "is in"
        lines = [f"{self.slide}: version {self.revision[:12]} {verb} {self.to}", *self.warnings]
        if not self.is_beside and not self.is_dry_run:
            lines.append("reload the image in the viewer before saving it there (QuPath: File > Reload data)")
        return lines


def restore(path: Path, name: str, revision: str, *, to: Path | None = None, is_dry_run: bool = False) -> Restored:
    """Bring a version back: into the slide's file, or beside, into a new file.

    The file as it is now is backed up first. Nothing of ours that the version lacks counts as deleted by a person, and
    the next reading believes the version, however little it holds.

    Parameters
    ----------
    revision
        As listed; four digits are enough where they tell it from the others.
    to
        A file that isn't there yet; the slide's stays as it is.

    Raises
    ------
    ConfigError
        No such slide or version.
    ProjectBusyError
        Another SlideBridge is at work on the project.
    WriteConflictError
        A save of the slide is in progress, or came in between.
    WriteFailedError, StoreError, AnnotationFileError
        The version is gone or not whole, or the folder doesn't take it; the file is as it was.
    """
    project = open_project(path)
    entry, _ = place_if_found(find_called(project, name), project.settings.slides)
    needs_no_lease = is_dry_run or to is not None
    with open_to_write(project, "backups restore", is_dry_run=needs_no_lease) as (store, _):
        found = _find(store, entry, revision)
        data = _backups(project).load(found)
        if to is not None:
            return _write_beside(entry, found, data, to, is_dry_run=is_dry_run)
        project.source.parse(data, entry)
        if not is_dry_run:
            _recover(project, store, entry)
        base = _read_now(project, store, entry)
        restored = Restored(entry.name, found, entry.annotation_path, is_dry_run=is_dry_run)
        if is_dry_run:
            return restored
        return _put(project, store, entry, base, data, restored)


def _find(store: Store, entry: SlideEntry, revision: str) -> str:
    wanted = revision.lower()
    if _PREFIX.fullmatch(wanted) is None:
        raise ConfigError(f"{revision!r} names no version; give four digits or more of one that `backups list` shows")
    found = [v.revision for v in store.versions(entry.key) if v.revision.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{len(found)} versions of {entry.name} begin with {wanted}; give more digits")
    raise ConfigError(f"{entry.name} has no version {wanted}; see `slidebridge backups list {entry.name!r}`")


def _write_beside(entry: SlideEntry, revision: str, data: bytes, to: Path, *, is_dry_run: bool) -> Restored:
    if to.exists():
        raise WriteFailedError(f"{to} is there already; name a file that isn't")
    if not is_dry_run:
        try:
            write_new(to, data)
        except OSError as error:
            raise WriteFailedError(
                f"{to}: {error.strerror or error}; name a file in a folder that can be written"
            ) from error
    return Restored(entry.name, revision, to, is_beside=True, is_dry_run=is_dry_run)


def _recover(project: Project, store: Store, entry: SlideEntry) -> None:
    """Finish or undo a write that was cut short: the file must not be taken for what it isn't."""
    owners = {e.key: (project.source, e) for e in project.source.slides()}
    settle_seconds = project.settings.watch.settle_seconds
    recover(store, _backups(project), datetime.now(UTC), settle_seconds=settle_seconds, resolve=owners.get)


def _read_now(project: Project, store: Store, entry: SlideEntry) -> bytes | None:
    last = store.last_read(entry.key)
    known = last.revision if last is not None else None
    try:
        file = read_settled(project.source, entry, project.settings.watch, known_revision=known)
    except AnnotationFileError as error:
        raise WriteConflictError(f"{error}; if it stays so, move that file away and restore again") from error
    if file.failed_save is not None:
        raise WriteConflictError(file.failed_save)
    return file.data


def _put(
    project: Project, store: Store, entry: SlideEntry, base: bytes | None, data: bytes, restored: Restored
) -> Restored:
    backups, marker = _backups(project), f"restore-{uuid.uuid4()}"
    result = restore_version(project.source, entry, base, data, store, backups, marker=marker, now=datetime.now(UTC))
    store.forget_predicted(entry.key)  # what was predicted since isn't in it
    if result.is_displaced:
        sleep(project.settings.watch.settle_seconds)
        finish_displaced(
            marker,
            store,
            backups,
            datetime.now(UTC),
            settle_seconds=project.settings.watch.settle_seconds,
            target=entry.annotation_path,
            blocker=lambda: project.source.blocker(entry),
        )
    reading = read_entry(project, store, entry)
    if reading.data is not None and revision_of(reading.data) == restored.revision:
        keep_version(store, backups, reading, datetime.now(UTC))
        believe(store, reading, datetime.now(UTC), project.settings.labels)
    return Restored(restored.slide, restored.revision, restored.to, warnings=result.warnings)
