"""How long people worked, from the times of their saves: what one save brought was done since the one before it.

Saves know nothing of lunch, night and weekend. Time is left out, together with what it brought, by this rule:

1. Saves of all slides of a project stand in one row: **one person works on a project at a time** (a file doesn't say
   who saved it). Two who save at once share the time, which is then counted once, not twice: how often saves of two
   slides interleave is told, so that this shows.
2. Saves less than ``together_seconds`` apart are one; one that brought nothing (an autosave, a look) lends its time to
   the next that did. So it matters neither how often a viewer saves, nor how many slides one reading finds changed.
3. The first save has no beginning, nor has any from before SlideBridge first looked: many may hide behind it.
4. The typical pace of an iteration is the median over its saves of seconds per piece of work; where two are in the
   middle, the faster. By iteration, since pace is what predictions change; the median, since as long as fewer than
   half of the saves hold a pause, it lies among those that hold none.
5. A save that took longer than ``factor`` times the typical pace holds a pause, and is left out whole: its time would
   be too long, and what part of it was work nobody knows. Below ``floor_seconds`` none is: a moment's thought is work.
   Above ``longest_seconds`` all are, whatever was brought: an iteration with a single save has no other measure.

Hence a pause, however long, in a save of ``n`` of an iteration's ``N`` timed pieces changes the iteration's seconds
per piece by at most ``max(floor_seconds, factor · typical · n) / (N − n)``, as long as no work is that slow.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.store import SaveRecord
from scripts.loop.effort_work import Place, Time, Work, work_of


@dataclass(frozen=True, slots=True)
class PauseRule:
    """The numbers of the rule above."""

    together_seconds: float = 2.0  # one reading of several slides, or a tool that writes twice
    factor: float = 3.0  # a hard slide takes twice the usual, and must not pass for a pause
    floor_seconds: float = 120.0
    longest_seconds: float = 7200.0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Work whose time isn't known.

    Parameters
    ----------
    without_start, with_pause
        Regions of saves before which nothing was saved, and of saves that hold a pause.
    pauses
        Saves that hold one.
    pause_seconds
        Their time, work in them included.
    interleaved
        Saves with which a slide was returned to though another was saved in between, without a pause.
    """

    without_start: int = 0
    with_pause: int = 0
    pauses: int = 0
    pause_seconds: float = 0.0
    interleaved: int = 0


@dataclass(frozen=True, slots=True)
class SavedWork:
    """What saves tell.

    Parameters
    ----------
    work
        All of it, in the order of the first save of each place.
    times
        Of the part whose time is known; places without any are absent.
    """

    work: Mapping[Place, Work] = field(default_factory=dict)
    times: Mapping[Place, Time] = field(default_factory=dict)
    left_out: LeftOut = LeftOut()


def time_saves(saves: Sequence[SaveRecord], first_look: datetime | None, rule: PauseRule = PauseRule()) -> SavedWork:
    """Return what the saves of a project brought, and how long it took.

    Parameters
    ----------
    saves
        In order of time.
    first_look
        When SlideBridge first looked at the project; None for never.
    """
    stretches = list(_stretches(saves, first_look, rule))
    known = [s for s in stretches if s.seconds is not None and s.seconds <= rule.longest_seconds]
    typical = _typical_paces(known)
    timed = [s for s in known if s.seconds_known <= _limit(s, typical, rule)]
    work: dict[Place, Work] = {}
    times: dict[Place, Time] = {}
    for stretch in stretches:
        for place, done in stretch.work.items():
            work[place] = work.get(place, Work()) + done
    for stretch in timed:
        for place, time in stretch.times():
            times[place] = times.get(place, Time()) + time
    return SavedWork(work, times, _left_out(stretches, timed))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Work from one save to another; ``seconds`` is None where the beginning isn't known."""

    work: Mapping[Place, Work]
    seconds: float | None

    @property
    def pieces(self) -> int:
        return sum(work.pieces for work in self.work.values())

    @property
    def seconds_known(self) -> float:
        assert self.seconds is not None, "only stretches with a beginning are asked"
        return self.seconds

    @property
    def iteration(self) -> int:
        """That of most of the work; the earlier of two."""
        pieces: dict[int, int] = defaultdict(int)
        for (_, iteration), work in self.work.items():
            pieces[iteration] += work.pieces
        return min(pieces, key=lambda iteration: (-pieces[iteration], iteration))

    def times(self) -> Iterator[tuple[Place, Time]]:
        """Return the time, shared out by pieces of work."""
        for place, work in self.work.items():
            seconds = self.seconds_known * work.pieces / self.pieces
            yield place, Time(work.regions, seconds) if work.on_outlines else Time(box_seconds=seconds)


def _stretches(saves: Sequence[SaveRecord], first_look: datetime | None, rule: PauseRule) -> Iterator[_Stretch]:
    start: datetime | None = None
    for group in _together(saves, timedelta(seconds=rule.together_seconds)):
        work: dict[Place, Work] = {}
        for save in group:
            for place, done in work_of(save).items():
                if done.pieces:
                    work[place] = work.get(place, Work()) + done
        end = group[-1].at
        is_watched = first_look is not None and end > first_look
        if work:
            yield _Stretch(work, (end - start).total_seconds() if start is not None and is_watched else None)
        if work or start is None:
            start = end


def _together(saves: Sequence[SaveRecord], apart: timedelta) -> Iterator[list[SaveRecord]]:
    group: list[SaveRecord] = []
    for save in saves:
        if group and save.at - group[-1].at >= apart:
            yield group
            group = []
        group.append(save)
    if group:
        yield group


def _typical_paces(stretches: Sequence[_Stretch]) -> Mapping[int, float]:
    paces: dict[int, list[float]] = defaultdict(list)
    for stretch in stretches:
        paces[stretch.iteration].append(stretch.seconds_known / stretch.pieces)
    return {iteration: statistics.median_low(found) for iteration, found in paces.items()}


def _limit(stretch: _Stretch, typical: Mapping[int, float], rule: PauseRule) -> float:
    return max(rule.floor_seconds, rule.factor * typical[stretch.iteration] * stretch.pieces)


def _left_out(stretches: Sequence[_Stretch], timed: Sequence[_Stretch]) -> LeftOut:
    kept = {id(stretch) for stretch in timed}
    paused = [s for s in stretches if s.seconds is not None and id(s) not in kept]
    return LeftOut(
        _regions([s for s in stretches if s.seconds is None]),
        _regions(paused),
        len(paused),
        sum(s.seconds_known for s in paused),
        _returns(stretches, kept),
    )


def _regions(stretches: Sequence[_Stretch]) -> int:
    return sum(work.regions for s in stretches for work in s.work.values())


def _returns(stretches: Sequence[_Stretch], kept: set[int]) -> int:
    seen: set[str] = set()
    last: set[str] = set()
    count = 0
    for stretch in stretches:
        slides = {slide for slide, _ in stretch.work}
        if id(stretch) not in kept:
            seen = set()
        elif (slides - last) & seen:
            count += 1
        seen |= slides
        last = slides
    return count
