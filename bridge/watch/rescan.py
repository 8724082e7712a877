"""Looking at annotation files, whatever the events said: one ``stat`` a slide.

What the file system can't answer is never taken for a file that is gone: a share that is away is away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations.source import SlideEntry, Source
from bridge.watch.settling import FileState, observe
from bridge.watch.tracker import Look


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What differs from what was known.

    Parameters
    ----------
    changed
        Keys of slides whose file is new or another.
    gone
        Keys of slides whose file was known and is no longer there.
    away
        Key → why its file can't be looked at now, a clause about "it".
    states
        Key → what is known from now on: the ``known`` of the next scan. Slides that are away keep what was known.
    """

    changed: tuple[str, ...]
    gone: tuple[str, ...]
    away: Mapping[str, str]
    states: Mapping[str, FileState | None]

    @property
    def hinted(self) -> tuple[str, ...]:
        """The slides to hint the tracker at."""
        return (*self.changed, *self.gone)


def scan(entries: Iterable[SlideEntry], known: Mapping[str, FileState | None], *, root: Path) -> ScanResult:
    """Look at the annotation file of every slide.

    Parameters
    ----------
    entries
        The slides of a source. Those that only ``known`` has are forgotten.
    known
        Key → what was seen last; no key for a slide that was never looked at.
    root
        The source's folder. Where it isn't there, nothing in it is gone: it is away.
    """
    seen = {entry.key: _look(entry) for entry in entries}
    is_any_gone = any(state is None and known.get(key) is not None for key, state in seen.items())
    if is_any_gone and (said := _missing(root)) is not None:
        seen = {key: said if state is None else state for key, state in seen.items()}
    away = {key: found for key, found in seen.items() if isinstance(found, str)}
    states = {key: found for key, found in seen.items() if not isinstance(found, str)}
    kept = {key: known[key] for key in away if key in known}
    return ScanResult(
        changed=tuple(key for key, state in states.items() if state is not None and known.get(key) != state),
        gone=tuple(key for key, state in states.items() if state is None and known.get(key) is not None),
        away=away,
        states={**states, **kept},
    )


def look_at(source: Source, entry: SlideEntry, clock: Callable[[], float]) -> Look:
    """Return what the file system says of a slide's annotation file, and its source of a save in progress.

    Parameters
    ----------
    clock
        Monotonic seconds.
    """
    at = clock()
    found = _look(entry)
    if found is None:
        found = _missing(source.root)
    if isinstance(found, str):
        return Look(at, None, found, is_away=True)
    try:
        return Look(at, found, source.blocker(entry))
    except OSError as error:
        return Look(at, None, _unreachable(error), is_away=True)


def _look(entry: SlideEntry) -> FileState | str | None:
    """Return the file's state, or why there is no telling."""
    try:
        return observe(entry.annotation_path)
    except OSError as error:
        return _unreachable(error)


def _missing(root: Path) -> str | None:
    """Say that a source's folder isn't there; None when it is."""
    try:
        root.stat()
    except FileNotFoundError:
        return "its folder isn't there; is the drive connected?"
    except OSError as error:
        return _unreachable(error)
    return None


def _unreachable(error: OSError) -> str:
    return f"it can't be looked at ({error.strerror or error}); check that its folder can be reached"
