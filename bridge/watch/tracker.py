"""Which files may have changed, and when each has come to rest: a pure function of what was seen, and when.

A hint (an event, a rescan) says that something may have happened to a slide's file. From then on the file is looked at
until it has been still, by our own monotonic clock, for ``settle_seconds``; then it is handed out, once. Nothing here
touches a file or asks for the time: the daemon brings both, tests play them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bridge.watch.settling import FileState, SettleOptions

_LOOKS_PER_SETTLING = 8  # at most, while events keep coming in
_PATIENCE = 8  # a file blocked for long is looked at again after this part of the time that it has been so …
_LONGEST_PAUSE = 30.0  # … and at least this often, in seconds


@dataclass(frozen=True, slots=True)
class Look:
    """What the file system said of one slide's annotation file.

    Parameters
    ----------
    at
        When it was asked, monotonic seconds. Two looks are equal when they saw the same, whenever that was.
    state
        None when there is no file.
    blocker
        Why it can't be read as truth now (a save in progress, a share that is away), a clause about "it"; else None.
    is_away
        The file system gave no answer: ``state`` means nothing, least of all that the file is gone.
    """

    at: float = field(compare=False)
    state: FileState | None
    blocker: str | None = None
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class AtRest:
    """A slide whose annotation file may be read.

    Parameters
    ----------
    key
        The slide's.
    state
        What it looked like; None when there is no file (any more).
    blocker
        What has stood in the way for ``stale_save_seconds``: a save that failed, to be read by ``read_settled``. None
        when the file is simply at rest.
    is_told
        An event told of the change; False when only a scan found it.
    """

    key: str
    state: FileState | None
    blocker: str | None
    is_told: bool


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a slide isn't read yet.

    Parameters
    ----------
    since
        Of the first hint, monotonic seconds: a slide that is saved over and over waits since then.
    changed
        Of the last change or hint, monotonic seconds.
    why
        A clause about "it", for people.
    """

    since: float
    changed: float
    why: str


@dataclass(frozen=True, slots=True)
class _Pending:
    since: float
    hinted: float
    changed: float
    is_told: bool
    look: Look | None = None

    def seen(self, look: Look) -> _Pending:
        if self.look is not None and look.at < self.look.at:
            return self  # it tells of the past
        changed = self.changed if look == self.look else max(self.changed, look.at)
        return replace(self, look=look, changed=changed)

    def is_at_rest(self, options: SettleOptions) -> bool:
        if self.look is None or self.look.is_away:
            return False
        still = options.settle_seconds if self.look.blocker is None else options.stale_save_seconds
        return self.look.at >= self.changed + still

    def due(self, options: SettleOptions) -> float:
        """Return when the next look is worth while."""
        look, settle = self.look, options.settle_seconds
        if look is None:
            return self.hinted
        if look.at < self.hinted:
            return max(self.hinted, look.at + settle / _LOOKS_PER_SETTLING)
        if look.blocker is None:
            return self.changed + settle
        pause = min(max(settle, (look.at - self.changed) / _PATIENCE), max(settle, _LONGEST_PAUSE))
        if look.is_away:
            return look.at + pause
        stale = self.changed + options.stale_save_seconds
        return min(look.at + pause, stale) if look.at < stale else look.at

    def why(self) -> str:
        if self.look is None:
            return "it hasn't been looked at yet"
        return self.look.blocker or "it changed a moment ago; it is read once it has been still for a while"


@dataclass(frozen=True, slots=True)
class Tracker:
    """The slides whose files may have changed and haven't been handed out. A value: every step returns the next one.

    A slide is handed out once a change: hints that come to nothing (the file rests as it was handed out before) are
    dropped, so that a folder in which reading counts as an event never makes us read for ever. Two saves between which
    there was a rest differ in their times.

    A slide saved again and again is handed out at its first rest, never before, however long that takes; ``waiting``
    says since when. A file that is gone is handed out once it has been away for ``settle_seconds``, for tools that
    replace a file have none for a moment.

    Examples
    --------
    >>> tracker = Tracker(SettleOptions(settle_seconds=2)).hint(["12.svs"], now=100.0)
    >>> saved = FileState(4096, 1.0)
    >>> tracker = tracker.look({"12.svs": Look(100.0, saved)}).look({"12.svs": Look(102.0, saved)})
    >>> [found.key for found in tracker.settled()]
    ['12.svs']
    >>> tracker.taken(["12.svs"]).settled()
    ()
    """

    options: SettleOptions
    pending: Mapping[str, _Pending] = field(default_factory=dict)
    handed_out: Mapping[str, Look] = field(default_factory=dict)

    def hint(self, keys: Iterable[str], now: float, *, is_told: bool = True) -> Tracker:
        """Note that something may have happened to the files of some slides.

        Parameters
        ----------
        keys
            Keys of slides.
        now
            Monotonic seconds.
        is_told
            By an event; False: found by a scan that no event had announced. What the first scan finds counts as told:
            nobody was there to tell.
        """
        new = {key: self._hinted(key, now, is_told=is_told) for key in keys}
        return replace(self, pending={**self.pending, **new}) if new else self

    def _hinted(self, key: str, now: float, *, is_told: bool) -> _Pending:
        before = self.pending.get(key)
        if before is None:
            return _Pending(since=now, hinted=now, changed=now, is_told=is_told)
        return replace(
            before,
            since=min(before.since, now),
            hinted=max(before.hinted, now),
            changed=max(before.changed, now),
            is_told=before.is_told or is_told,
        )

    def due(self, now: float) -> tuple[str, ...]:
        """Return the keys of the slides to look at now."""
        return tuple(key for key, slide in self.pending.items() if slide.due(self.options) <= now)

    def next_time(self) -> float | None:
        """Return when to look again, monotonic seconds (it may be over); None when nothing is waited for."""
        return min((slide.due(self.options) for slide in self.pending.values()), default=None)

    def look(self, looks: Mapping[str, Look]) -> Tracker:
        """Take in what was seen, by slide; of slides that nothing was heard of it is of no interest."""
        new = {key: self.pending[key].seen(look) for key, look in looks.items() if key in self.pending}
        if not new:
            return self
        same = {key for key, slide in new.items() if self._came_to_nothing(key, slide)}
        return replace(self, pending={key: slide for key, slide in {**self.pending, **new}.items() if key not in same})

    def _came_to_nothing(self, key: str, slide: _Pending) -> bool:
        return key in self.handed_out and slide.look == self.handed_out[key] and slide.is_at_rest(self.options)

    def settled(self) -> tuple[AtRest, ...]:
        """Return the slides that may be read, the one that has been still for longest first.

        They stay until they are ``taken``.
        """
        ready = [(slide.changed, key) for key, slide in self.pending.items() if slide.is_at_rest(self.options)]
        return tuple(self._at_rest(key) for _, key in sorted(ready))

    def _at_rest(self, key: str) -> AtRest:
        slide = self.pending[key]
        assert slide.look is not None, "nothing rests unseen"
        return AtRest(key, slide.look.state, slide.look.blocker, slide.is_told)

    def taken(self, keys: Iterable[str]) -> Tracker:
        """Take slides out that were handed out; only another change brings them back."""
        gone = frozenset(keys)
        rested = {key: slide.look for key, slide in self.pending.items() if key in gone and slide.look is not None}
        left = {key: slide for key, slide in self.pending.items() if key not in gone}
        return replace(self, pending=left, handed_out={**self.handed_out, **rested})

    def forget(self, keys: Iterable[str]) -> Tracker:
        """Know nothing of slides: they left the project, or are to be handed out again after the next hint."""
        gone = frozenset(keys)
        return replace(
            self,
            pending={key: slide for key, slide in self.pending.items() if key not in gone},
            handed_out={key: look for key, look in self.handed_out.items() if key not in gone},
        )

    def waiting(self) -> Mapping[str, Waiting]:
        """Return what is waited for, and why, by slide; also what is at rest and wasn't taken out yet."""
        return {key: Waiting(slide.since, slide.changed, slide.why()) for key, slide in self.pending.items()}
