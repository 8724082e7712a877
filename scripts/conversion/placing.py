"""A new annotation file put in place by the safe way: the order of ``bridge.export``, without its journal.

    compose ──▶ back up ──▶ stage ──▶ check ──▶ exchange ──▶ verify ──▶ files beside ──▶ displaced file settled

What is converted is people's work, not ours: the store doesn't hear of it, so that the watcher reads it like any save.
Without a journal a crash may leave a stray temporary file; the old bytes are in the backups.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bridge.annotations import SlideEntry, Source
from bridge.errors import WriteConflictError, WriteFailedError
from bridge.files import replace_whole
from bridge.store import Backups, WriteRecord
from bridge.store.placement import Displaced, Placement, settle_displaced, temp_name
from scripts.config import FILE_NAME, Settings, load_settings

DATA_FOLDER = ".slidebridge"
_MARKER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Site:
    """Where the file lies and how carefully it is written.

    Parameters
    ----------
    backups
        Of the project that the folder belongs to, else of the folder.
    settle_seconds
        How long a displaced file is kept: a tool may still be writing into it.
    sleep
        Waits that long.
    """

    source: Source
    entry: SlideEntry
    backups: Backups
    settle_seconds: float
    sleep: Callable[[float], None] = time.sleep

    @property
    def target(self) -> Path:
        """The file itself, links followed."""
        return self.entry.annotation_path.resolve()


def find_site(source: Source, entry: SlideEntry, sleep: Callable[[float], None] = time.sleep) -> Site:
    """Find out which project a file belongs to: the folder with ``slidebridge.toml`` at or above it.

    Raises
    ------
    ConfigError
        That project's settings are wrong.
    """
    home, settings = settings_above(source.root)
    backups = Backups((home or source.root.resolve()) / DATA_FOLDER / "backups")
    return Site(source, entry, backups, settings.watch.settle_seconds, sleep)


def settings_above(folder: Path) -> tuple[Path | None, Settings]:
    """Return the folder with ``slidebridge.toml`` at or above one, None where there is none, and what holds there.

    Raises
    ------
    ConfigError
        That project's settings are wrong.
    """
    folders = [folder.resolve(), *folder.resolve().parents]
    home = next((above for above in folders if (above / FILE_NAME).is_file()), None)
    settings = load_settings(None if home is None else home / FILE_NAME).settings
    search = tuple((home or folders[0]) / path for path in settings.slides.search)
    return home, replace(settings, slides=replace(settings.slides, search=search))


def refuse_blocked(site: Site) -> None:
    """Refuse a file that is being saved just now.

    Raises
    ------
    WriteConflictError
        It is; the message says by what it shows.
    """
    said = site.source.blocker(site.entry)
    if said is not None:
        raise WriteConflictError(f"{site.entry.annotation_path}: {said}; nothing was written")


def put_in_place(site: Site, base: bytes | None, new: bytes) -> tuple[str, ...]:
    """Put a file in place of the one that was read, whole or not at all.

    Parameters
    ----------
    base
        The file as it was read; None when there was none: it is created then, never replaced.

    Returns
    -------
    tuple of str
        Lines for people.

    Raises
    ------
    WriteConflictError
        The file isn't what was read, or is being saved; it holds that save.
    WriteFailedError
        Folder or disk don't take it; the file is as it was.
    StoreError
        The backup can't be written; the file is as it was.
    """
    if base == new:
        return ("the file holds exactly this already",)
    record = _record(site, None if base is None else site.backups.keep(base), new)
    placement = Placement(record, base, lambda: site.source.blocker(site.entry), site.backups.keep)
    try:
        placement.put(new)
    except WriteConflictError:
        raise
    except OSError as error:
        raise WriteFailedError(
            f"{site.target}: {error.strerror or error}; make room or the folder writable and try again"
        ) from error
    warnings = _write_companions(site, new)
    _settle(site, record)
    if base is None:
        return warnings
    return (*warnings, f"the file as it was: {site.backups.path_of(record.base_revision or '')}")


def _record(site: Site, base_revision: str | None, new: bytes) -> WriteRecord:
    marker = secrets.token_hex(_MARKER_BYTES)
    return WriteRecord(
        marker,
        site.entry.key,
        base_revision,
        hashlib.sha256(new).hexdigest(),
        site.target,
        temp_name(marker),
        iteration=0,
        begun_at=datetime.now(UTC),
    )


def _write_companions(site: Site, new: bytes) -> tuple[str, ...]:
    """Bring the files beside up to date; they only hint at what the main file says, so none can fail the write."""
    warnings = []
    for path, content in site.source.companions(new, site.entry).items():
        try:
            replace_whole(path, content)
        except OSError as error:
            warnings.append(f"{path}: {error.strerror or error}; it is out of date until the next save")
    return tuple(warnings)


def _settle(site: Site, record: WriteRecord) -> None:
    """Wait, look whether a tool has saved into the file that was displaced, and delete it if not."""
    if not record.temp.exists():
        return
    site.sleep(site.settle_seconds)
    result = settle_displaced(
        record,
        may_delete=True,
        blocker=lambda: site.source.blocker(site.entry),
        keep=site.backups.keep,
        before_put_back=lambda: None,
    ).outcome
    if result is Displaced.PUT_BACK:
        raise WriteConflictError(
            f"{site.target} was being saved meanwhile; the save is back in its place, convert again"
        )
    if result in (Displaced.KEPT, Displaced.WAITING):
        raise WriteConflictError(f"{site.target} was saved meanwhile; the other save is {record.temp}, compare the two")
