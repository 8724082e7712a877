"""The files of one project, watched by the main thread: which of them came to rest after a change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bridge.annotations import SlideEntry, Source
from bridge.files import PREFIX
from bridge.watch import AtRest, FileState, Tracker, WatchOptions
from bridge.watch.changes import FileIndex, index_files
from bridge.watch.observed_root import WatchedRoot
from bridge.watch.observers import Observers
from bridge.watch.rescan import look_at, scan
from bridge.watch.tracker import Waiting

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class FileWatch:
    """Puts events, scans and looks together.

    Parameters
    ----------
    project_file
        The file that lists the slides, where there is one.
    is_remote
        The source lies on a network drive.
    clock
        Monotonic seconds.

    Attributes
    ----------
    is_list_old
        There may be other slides than those that are watched; whoever lists them anew takes this back before it begins,
        for slides may come meanwhile, and calls ``watch`` afterwards.
    """

    source: Source
    options: WatchOptions
    observers: Observers
    clock: Callable[[], float]
    project_file: Path | None = None
    is_remote: bool = False
    is_list_old: bool = True
    _entries: Mapping[str, SlideEntry] = field(default_factory=dict)
    _index: FileIndex | None = None
    _tracker: Tracker = field(default_factory=lambda: Tracker(WatchOptions()))
    _known: Mapping[str, FileState | None] = field(default_factory=dict)
    _next_scan: float = 0.0

    def __post_init__(self) -> None:
        self._tracker = Tracker(self.options)

    @property
    def mode(self) -> str:
        """How changes are noticed: ``events`` or ``polling``."""
        is_known = self._index is not None
        return "polling" if is_known and self.observers.is_polling(self.source.root) else "events"

    def watch(self, entries: Iterable[SlideEntry]) -> None:
        """Watch these slides; those that are new, or whose file is another one now, are looked at at once."""
        now, before = self.clock(), self._entries
        self._entries = {entry.key: entry for entry in entries}
        self._index = index_files(
            self.source.root, self._entries.values(), own_prefix=PREFIX, project_file=self.project_file
        )
        self.observers.watch([WatchedRoot(self.source.root, self._index.watched, self.is_remote)])
        self._tracker = self._tracker.forget(before.keys() - self._entries.keys())
        self.hint([key for key, entry in self._entries.items() if key not in before or _is_moved(before[key], entry)])
        self._next_scan = now + self.options.rescan_seconds

    def hint(self, keys: Iterable[str]) -> None:
        """Have some slides' files handed out once they are at rest, changed or not."""
        known = [key for key in keys if key in self._entries]
        self._tracker = self._tracker.forget(known).hint(known, self.clock())

    def at_rest(self) -> tuple[AtRest, ...]:
        """Return the slides whose files came to rest since the last time, each once per change."""
        now = self.clock()
        self._hear(now)
        if now >= self._next_scan:
            self._next_scan = now + self.options.rescan_seconds
            self.is_list_old = True
            self._scan(now)
        elif self.observers.polls_due(now):
            self._scan(now)
        due = [key for key in self._tracker.due(now) if key in self._entries]
        self._tracker = self._tracker.look({k: look_at(self.source, self._entries[k], self.clock) for k in due})
        found = self._tracker.settled()
        if found:
            self._tracker = self._tracker.taken(rest.key for rest in found)
            self._known = {**self._known, **{rest.key: rest.state for rest in found}}
        return found

    def missed(self, key: str) -> None:
        """Take note that a person's save was found though no event had told of it."""
        if key in self._entries:
            self.observers.missed(self._entries[key].annotation_path)

    def waiting(self) -> Mapping[str, Waiting]:
        """Return why slides aren't read yet, by key."""
        return self._tracker.waiting()

    def next_time(self) -> float:
        """Return when to look again, monotonic seconds."""
        times = [self._next_scan, self._tracker.next_time(), self.observers.next_poll()]
        return min(time for time in times if time is not None)

    def _hear(self, now: float) -> None:
        paths = self.observers.drain()
        if not paths or self._index is None:
            return
        hinted = self._index.hinted(paths)
        self.is_list_old = self.is_list_old or hinted.is_list_changed
        self._tracker = self._tracker.hint(hinted.keys, now)

    def _scan(self, now: float) -> None:
        result = scan(self._entries.values(), self._known, root=self.source.root)
        for key, why in result.away.items():
            logger.debug("slide=%s not looked at: %s", self._entries[key].name, why)
        pending = self._tracker.waiting()
        self._tracker = self._tracker.hint((k for k in result.hinted if k not in pending), now, is_told=False)


def _is_moved(before: SlideEntry, now: SlideEntry) -> bool:
    return before.annotation_path != now.annotation_path
