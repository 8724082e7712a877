"""When a file has come to rest: played time, no files."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.watch import AtRest, FileState, Look, SettleOptions, Tracker

SETTLE, STALE = 2.0, 600.0
OPTIONS = SettleOptions(settle_seconds=SETTLE, stale_save_seconds=STALE)
GRACE = SETTLE / 4  # a file may be handed out this much later than it could be
KEY = "12.svs"
CHECKED = settings(max_examples=150, deadline=None)

# Multiples of 1/16 s: sums of them are exact.
moments = st.integers(0, 40 * 16).map(lambda sixteenths: sixteenths / 16)
# Whether a change is followed by a rest is never a matter of the grace.
gaps = st.one_of(st.integers(1, 31), st.integers(40, 96)).map(lambda sixteenths: sixteenths / 16)
timelines = st.lists(moments, min_size=1, max_size=12, unique=True).map(sorted)


def state(number: int) -> FileState:
    return FileState(number, float(number))


@dataclass(frozen=True)
class Timeline:
    """A file that is another one from each of some moments on."""

    changes: Sequence[float]
    blocker: Callable[[float], str | None] = lambda _: None

    def look(self, now: float) -> Look:
        return Look(now, state(bisect_right(self.changes, now)), self.blocker(now))


def play(
    file: Timeline, hints: Iterable[float], looks: Iterable[float] = (), until: float = 100.0
) -> list[tuple[float, AtRest]]:
    """Return what is handed out when, by a daemon that wakes for hints, when it wanted to, and at other moments."""
    tracker = Tracker(OPTIONS)
    found: list[tuple[float, AtRest]] = []
    coming = sorted({*((time, True) for time in hints), *((time, False) for time in looks)})
    now = 0.0
    while True:
        wanted = tracker.next_time()
        next_time = min([time for time, _ in coming[:1]] + ([wanted] if wanted is not None else []), default=until)
        now = max(now, next_time)
        if now >= until:
            return found
        is_extra = False
        while coming and coming[0][0] <= now:
            _, is_hint = coming.pop(0)
            is_extra = is_extra or not is_hint
            tracker = tracker.hint([KEY], now) if is_hint else tracker
        keys = tracker.pending if is_extra else tracker.due(now)
        tracker = tracker.look({key: file.look(now) for key in keys})
        rested = tracker.settled()
        found += [(now, slide) for slide in rested]
        tracker = tracker.taken(slide.key for slide in rested)


def at(seconds: float, number: int = 1, blocker: str | None = None) -> dict[str, Look]:
    return {KEY: Look(seconds, state(number), blocker)}


def absent(seconds: float, blocker: str | None = None) -> dict[str, Look]:
    return {KEY: Look(seconds, None, blocker)}


def away(seconds: float) -> dict[str, Look]:
    return {KEY: Look(seconds, None, "the share is away", is_away=True)}


def seen(*looks: dict[str, Look], hinted: float = 0.0) -> Tracker:
    tracker = Tracker(OPTIONS).hint([KEY], hinted)
    for look in looks:
        tracker = tracker.look(look)
    return tracker


# ── laws ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@CHECKED
@given(timelines, st.lists(moments, max_size=12), st.lists(moments, max_size=30))
def test_nothing_is_handed_out_that_changed_a_moment_ago(
    changes: list[float], late: list[float], looks: list[float]
) -> None:
    file = Timeline(changes)
    for now, found in play(file, [*changes, *late], looks):
        assert found.state == file.look(now).state
        assert now - max((time for time in changes if time <= now), default=-SETTLE) >= SETTLE


@CHECKED
@given(timelines, st.lists(moments, max_size=12), st.lists(moments, max_size=30))
def test_every_rest_is_handed_out_once(changes: list[float], late: list[float], looks: list[float]) -> None:
    """However many hints there are, and however late; hints that come to nothing only make a rest come later."""
    file = Timeline(changes)
    numbers = [found.state.size for _, found in play(file, [*changes, *late], looks) if found.state is not None]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == len(changes), "what it came to in the end"
    hints = sorted([*changes, *late])
    quiet = [after - before for before, after in itertools.pairwise([*hints, 100.0])]
    long = {bisect_right(changes, hint) for hint, rest in zip(hints, quiet, strict=True) if rest > SETTLE + GRACE}
    assert long - {0} <= set(numbers)


@CHECKED
@given(st.lists(gaps, min_size=1, max_size=12), st.lists(moments, max_size=40))
def test_looking_more_often_changes_nothing_but_a_moment(between: list[float], looks: list[float]) -> None:
    changes = list(itertools.accumulate(between))
    rarely, often = (play(Timeline(changes), changes, extra) for extra in ((), looks))
    assert [found for _, found in rarely] == [found for _, found in often]
    assert all(abs(a - b) <= GRACE for (a, _), (b, _) in zip(rarely, often, strict=True))


@CHECKED
@given(st.lists(st.tuples(st.sets(st.sampled_from("abc")), moments, st.booleans()), max_size=8), st.randoms())
def test_order_of_hints_does_not_matter(hints: list[tuple[set[str], float, bool]], random: object) -> None:
    def told(order: list[tuple[set[str], float, bool]]) -> Tracker:
        tracker = Tracker(OPTIONS)
        for keys, now, is_told in order:
            tracker = tracker.hint(keys, now, is_told=is_told)
        return tracker

    other = hints[:]
    random.shuffle(other)  # type: ignore[attr-defined]
    assert told(hints) == told(other)


@CHECKED
@given(moments, st.lists(moments, max_size=20))
def test_what_a_failed_save_left_is_handed_out_once_and_not_before_it_is_stale(
    saved: float, looks: list[float]
) -> None:
    file = Timeline([saved], blocker=lambda now: "cut" if now >= saved else None)
    found = [slide for slide in play(file, [saved], looks, until=2000) if slide[1].blocker]
    assert [slide.state for _, slide in found] == [state(1)]
    assert STALE <= found[0][0] - saved <= STALE + GRACE


@CHECKED
@given(timelines)
def test_time_only_matters_as_a_difference(changes: list[float]) -> None:
    """No clock of the world's is asked: hours later by the monotonic clock all is the same."""
    later = [time + 65536.0 for time in changes]
    found = play(Timeline(changes), changes), play(Timeline(later), later, until=66000.0)
    assert [(time + 65536.0, slide) for time, slide in found[0]] == found[1]


# ── examples ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_slide_saved_every_second_waits_and_says_since_when() -> None:
    saves = [float(second) for second in range(3600)]
    assert [(time, slide.state) for time, slide in play(Timeline(saves), saves, until=4000)] == [(3601.0, state(3600))]
    tracker = Tracker(OPTIONS)
    for save in saves:
        tracker = tracker.hint([KEY], save).look(at(save, int(save)))
    (waiting,) = tracker.waiting().values()
    assert (waiting.since, waiting.changed) == (0.0, 3599.0)


def test_events_without_end_lead_to_few_looks() -> None:
    tracker, looks = Tracker(OPTIONS), 0
    for event in range(1600):  # one every 1/160 s
        now = event / 160
        tracker = tracker.hint([KEY], now)
        due = tracker.due(now)
        looks += len(due)
        tracker = tracker.look({key: Look(now, state(1)) for key in due})
    assert looks <= 8 * 10 / SETTLE + 1


def test_blocked_file_is_read_once_the_save_is_over_and_rested() -> None:
    tracker = seen(at(0, 1, "there is a .bkp"), at(3, 1, "there is a .bkp"))
    assert tracker.settled() == ()
    assert tracker.waiting()[KEY].why == "there is a .bkp"
    tracker = tracker.look(at(5, 1))
    assert tracker.settled() == (), "it has just ended"
    assert tracker.look(at(7, 1)).settled() == (AtRest(KEY, state(1), None, is_told=True),)


def test_file_that_is_gone_for_a_moment_only_is_never_gone() -> None:
    tracker = seen(at(0, 1), absent(1), at(1.5, 2), at(3.5, 2))
    assert [slide.state for slide in tracker.settled()] == [state(2)]


def test_file_that_is_gone_is_handed_out_after_the_settling_time() -> None:
    assert seen(at(0, 1), absent(1), absent(2.5)).settled() == ()
    assert seen(at(0, 1), absent(1), absent(3)).settled() == (AtRest(KEY, None, None, is_told=True),)


def test_share_that_is_away_is_waited_for_however_long_and_asked_less_and_less() -> None:
    tracker, asked, now = seen(away(0)), 0, 0.0
    while now < 86400:
        now = tracker.next_time() or 0.0
        tracker = tracker.look(away(now))
        asked += 1
        assert tracker.settled() == ()
    assert asked < 86400 / 25
    back = tracker.look(at(now + 1)).look(at(now + 3))
    assert [slide.state for slide in back.settled()] == [state(1)]


def test_hint_that_came_to_nothing_is_dropped() -> None:
    tracker = seen(at(0), at(2)).taken([KEY]).hint([KEY], 10).look(at(10)).look(at(12))
    assert tracker.settled() == ()
    assert tracker.next_time() is None


def test_failed_save_that_was_repaired_without_changing_the_file_is_handed_out() -> None:
    tracker = seen(at(0, 1, "cut"), at(600, 1, "cut"))
    assert [slide.blocker for slide in tracker.settled()] == ["cut"]
    tracker = tracker.taken([KEY]).hint([KEY], 700).look(at(700)).look(at(702))
    assert [slide.blocker for slide in tracker.settled()] == [None]


def test_forgotten_slide_is_handed_out_again() -> None:
    tracker = seen(at(0), at(2)).taken([KEY]).forget([KEY]).hint([KEY], 10).look(at(10)).look(at(12))
    assert [slide.key for slide in tracker.settled()] == [KEY]


def test_only_changes_that_no_event_told_of_are_untold() -> None:
    scanned = Tracker(OPTIONS).hint([KEY], 0, is_told=False)
    assert [slide.is_told for slide in scanned.look(at(0)).look(at(2)).settled()] == [False]
    told = scanned.hint([KEY], 0)
    assert [slide.is_told for slide in told.look(at(0)).look(at(2)).settled()] == [True]
    again = told.hint([KEY], 0, is_told=False)
    assert [slide.is_told for slide in again.look(at(0)).look(at(2)).settled()] == [True]


def test_look_from_the_past_changes_nothing() -> None:
    tracker = seen(at(0, 1), at(1, 2))
    assert tracker.look(at(0.5, 1)) == tracker


def test_looks_at_slides_nobody_spoke_of_change_nothing() -> None:
    tracker = seen(at(0))
    assert tracker.look({"other.svs": Look(1.0, state(1))}) == tracker


def test_longest_at_rest_comes_first() -> None:
    tracker = Tracker(OPTIONS).hint(["b"], 0).hint(["a"], 1)
    for now in (0.0, 1.0, 3.0):
        tracker = tracker.look({key: Look(now, state(1)) for key in ("a", "b")})
    tracker = tracker.hint(["a"], 3.0).look({"a": Look(5.0, state(1))})
    assert [slide.key for slide in tracker.settled()] == ["b", "a"]


def test_settling_of_no_time_believes_at_once() -> None:
    tracker = replace(seen(), options=SettleOptions(settle_seconds=0.0))
    assert [slide.key for slide in tracker.look(at(0)).settled()] == [KEY]
