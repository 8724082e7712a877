"""Annotation files, read once no save is in progress: many at a time, for waiting for one is waiting for all.

A file is believed when its size and time were still for ``settle_seconds`` and its source knows of no save in progress.
What a failed save left is told from one in progress by its age alone, so that nobody has to wait to find out.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.annotations.source import SlideEntry, Source
from bridge.errors import AnnotationFileError
from bridge.files import no_file, read_plain
from bridge.watch.settling import FileState, SettleOptions, is_settled, observe

_LOOKS = 30  # looks at a file that never comes to rest before we say so
_NOTHING_KNOWN: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class SettledFile:
    """An annotation file that may be believed.

    Parameters
    ----------
    data
        Its bytes; None when there is no file.
    failed_save
        A line for people where a save failed and ``data`` is what can be read all the same: the file must not be
        written until the tool has saved again. None otherwise.
    modified
        When the file says that it was saved, seconds since the epoch by the clock of the machine that holds it; None
        where nothing or another file was read.
    """

    data: bytes | None
    failed_save: str | None = None
    modified: float | None = field(default=None, compare=False)


def read_settled(
    source: Source,
    entry: SlideEntry,
    options: SettleOptions,
    *,
    known_revision: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> SettledFile:
    """Read one annotation file once no save is in progress; see ``read_all_settled``.

    Raises
    ------
    AnnotationFileError
        The file can't be read, or doesn't come to rest.
    """
    known = {entry.key: known_revision} if known_revision else _NOTHING_KNOWN
    ((_, found),) = read_all_settled(source, (entry,), options, known=known, sleep=sleep, clock=clock, wall=wall)
    if isinstance(found, AnnotationFileError):
        raise found
    return found


def read_all_settled(
    source: Source,
    entries: Iterable[SlideEntry],
    options: SettleOptions,
    *,
    known: Mapping[str, str] = _NOTHING_KNOWN,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
) -> Iterator[tuple[SlideEntry, SettledFile | AnnotationFileError]]:
    """Read annotation files, each as soon as no save of it is in progress.

    All are looked at before any is waited for. A file whose bytes are those of its known revision was believed before
    and isn't waited for; one that is known and not there is: tools that replace a file have none for a moment.

    Parameters
    ----------
    known
        ``SlideEntry.key`` → SHA-256 of the revision that was last believed; no key for slides without a file.
    sleep, clock, wall
        The world's: seconds to wait, monotonic seconds, seconds since the epoch.

    Yields
    ------
    tuple
        The slide, and its file, or why it can't be read. In the order in which they come to rest.
    """
    site = _Site(source, options, known, clock, wall)
    waiting = []
    for entry in entries:
        refused = _refusal(entry.annotation_path)
        if refused is None:
            waiting.append(site.begin(entry))
        else:
            yield entry, refused
    for turn in range(_LOOKS):
        if turn:
            sleep(max(options.settle_seconds / 4, 0.01))
        still: list[_Look] = []
        for look in waiting:
            found = site.look(look)
            if isinstance(found, _Look):
                still.append(found)
            else:
                yield look.entry, found
        waiting = still
        if not waiting:
            return
    for look in waiting:
        said = look.blocker or "it is still being written; run again when it was saved"
        yield look.entry, AnnotationFileError(said, path=look.entry.annotation_path)


def read_still(
    source: Source,
    entry: SlideEntry,
    state: FileState | None,
    options: SettleOptions,
    *,
    is_given_up: bool = False,
    wall: Callable[[], float] = time.time,
) -> SettledFile | None:
    """Read an annotation file that has come to rest; None when something is at work on it again.

    Parameters
    ----------
    state
        How it looked while it was still; None for no file.
    is_given_up
        Nobody waits any longer for a save in progress to end: one that still is there is an error.
    wall
        Seconds since the epoch.

    Raises
    ------
    AnnotationFileError
        The file can't be read.
    """
    site = _Site(source, options, _NOTHING_KNOWN, time.monotonic, wall)
    refused = _refusal(entry.annotation_path)
    if refused is not None:
        raise refused
    try:
        said = source.blocker(entry)
        if said is not None:
            left = site.left_by_a_failed_save(entry)
            if left is None and is_given_up:
                raise AnnotationFileError(said, path=entry.annotation_path)
            return left
        if state is None:
            return SettledFile(None) if observe(entry.annotation_path) is None else None
        data = _read_whole(entry.annotation_path, state)
    except OSError as error:
        raise AnnotationFileError(_unreadable(error), path=entry.annotation_path) from error
    return None if data is None else SettledFile(data, modified=state.modified)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a file looked like, and since when; ``blocker`` is why it wasn't read."""

    entry: SlideEntry
    state: FileState | None
    since: float
    blocker: str | None = None


@dataclass(frozen=True, slots=True)
class _Site:
    source: Source
    options: SettleOptions
    known: Mapping[str, str]
    clock: Callable[[], float]
    wall: Callable[[], float]

    def begin(self, entry: SlideEntry) -> _Look:
        """Look at a file for the first time."""
        try:
            return _Look(entry, observe(entry.annotation_path), self.clock())
        except OSError as error:
            return _Look(entry, None, self.clock(), _unreadable(error))

    def look(self, before: _Look) -> SettledFile | _Look:
        """Look again: the file if it may be believed, else what to compare with next time."""
        try:
            return self._look(before)
        except OSError as error:  # on Windows a file that a tool has open; on a share, one that is away
            return replace(before, blocker=_unreadable(error))

    def _look(self, before: _Look) -> SettledFile | _Look:
        entry, path = before.entry, before.entry.annotation_path
        said = self.source.blocker(entry)
        if said is not None:
            left = self.left_by_a_failed_save(entry)
            return self._again(before, observe(path), said) if left is None else left
        data = None if before.state is None else _read_whole(path, before.state)
        modified = None if before.state is None else before.state.modified
        if data is not None and self.known.get(entry.key) == hashlib.sha256(data).hexdigest():
            return SettledFile(data, modified=modified)
        now = observe(path)
        quiet = self.clock() - before.since
        settle = self.options.settle_seconds
        if data is not None and is_settled(before.state, now, quiet_seconds=quiet, settle_seconds=settle):
            return SettledFile(data, modified=modified)
        is_missed = entry.key in self.known and quiet < settle
        if before.state is None and now is None and not is_missed:
            return SettledFile(None)
        return self._again(before, now, None)

    def _again(self, before: _Look, now: FileState | None, said: str | None) -> _Look:
        since = before.since if now == before.state else self.clock()
        return _Look(before.entry, now, since, said)

    def left_by_a_failed_save(self, entry: SlideEntry) -> SettledFile | None:
        """Return what can be read of a file whose save failed; None while the save may be in progress."""
        spare, path = self.source.spare(entry), entry.annotation_path
        if spare is None or self.wall() - _last_change(path) < self.options.stale_save_seconds:
            return None
        whole = _whole_file(self.source, entry)
        if whole is not None:
            said = f"{path}: a save stopped at its very end and left {spare.name} beside it; the file is whole and read"
            return SettledFile(whole, f"{said}, but nothing is written to it until it is saved again")
        said = f"{path}: a save failed and left it cut; {spare.name}, the version before it, is read instead"
        return SettledFile(read_plain(spare), f"{said}, and nothing is written until the slide is saved again")


def _refusal(path: Path) -> AnnotationFileError | None:
    """Return why a path is never read, however long one waits: what lies there is no file."""
    try:
        found = no_file(path)
    except OSError:  # a share that is away: it may come back
        return None
    if found is None:
        return None
    return AnnotationFileError(f"it is {found}, not a file of annotations; remove it, or rename it", path=path)


def _unreadable(error: OSError) -> str:
    return f"it can't be read ({error.strerror or error}); check that it isn't held open and its folder can be reached"


def _read_whole(path: Path, expected: FileState) -> bytes | None:
    """Return the bytes, or None when the file changed while it was read."""
    try:
        data = read_plain(path)
    except FileNotFoundError:
        return None
    return data if observe(path) == expected and len(data) == expected.size else None


def _whole_file(source: Source, entry: SlideEntry) -> bytes | None:
    try:
        data = read_plain(entry.annotation_path)
        source.parse(data, entry)
    except (FileNotFoundError, AnnotationFileError):
        return None
    return data


def _last_change(path: Path) -> float:
    """Return when a save was last at work: on the file, or (the renaming to a spare) in its folder."""
    times = [place.stat().st_mtime for place in (path, path.parent) if place.exists()]
    return max(times, default=0.0)
