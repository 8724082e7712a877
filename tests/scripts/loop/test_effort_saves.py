from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bridge.annotations.roles import Fate
from bridge.store import SaveRecord
from scripts.loop.effort_saves import LeftOut, PauseRule, SavedWork, time_saves
from scripts.loop.effort_work import Time, Work, work_of

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
RULE = PauseRule()


def save(at: float, added: int = 0, slide: str = "s1", iteration: int = 0, **fates: int) -> SaveRecord:
    """Return a save, ``at`` seconds after the first look."""
    found = {(iteration, Fate[name.upper()]): number for name, number in fates.items()}
    drawn = {iteration: added} if added else {}
    return SaveRecord(slide, f"{slide}-{at}", START + timedelta(seconds=at), found, drawn)


def timed(*saves: SaveRecord) -> SavedWork:
    return time_saves(saves, START)


def pace(found: SavedWork, iteration: int) -> float:
    """Return seconds per region."""
    time = sum((t for (_, i), t in found.times.items() if i == iteration), Time())
    return time.seconds / time.regions


def test_save_brings_what_is_counted_by_iteration() -> None:
    fates = {(1, Fate.ACCEPTED): 5, (1, Fate.CORRECTED): 4, (2, Fate.REJECTED): 3, (2, Fate.DECLINED): 2}
    fates |= {(2, Fate.PATCH_LABEL): 6, (2, Fate.LABELLED): 7, (2, Fate.CLEARED): 100}
    found = work_of(SaveRecord("s1", "r", START, fates, {1: 8}))
    assert found == {
        ("s1", 1): Work(accepted=5, corrected=4, added=8),
        ("s1", 2): Work(rejected=3, declined=2, patch_labels=6, boxes=7),
    }
    assert [(w.regions, w.on_outlines, w.pieces) for w in found.values()] == [(17, 17, 17), (0, 3, 18)]


def test_time_between_saves_belongs_to_the_later_one() -> None:
    found = timed(save(10), save(110, 5), save(310, 4), save(340, 1, slide="s2"))
    assert found.times == {("s1", 0): Time(9, 300), ("s2", 0): Time(1, 30)}
    assert found.left_out == LeftOut()


def test_first_save_has_no_beginning() -> None:
    found = timed(save(100, 7), save(160, 2))
    assert found.times == {("s1", 0): Time(2, 60)}
    assert found.work == {("s1", 0): Work(added=9)}
    assert found.left_out == LeftOut(without_start=7)


def test_what_was_saved_before_anybody_looked_is_not_timed() -> None:
    found = timed(save(-900, 30), save(-600, 40, slide="s2"), save(0, 1, slide="s3"), save(60, 2))
    assert found.times == {("s1", 0): Time(2, 60)}
    assert found.left_out.without_start == 71
    assert time_saves([save(5, 1), save(9, 1)], None).times == {}


def test_saves_that_bring_nothing_lend_their_time() -> None:
    assert timed(save(10), save(40), save(70), save(100, 3)).times == {("s1", 0): Time(3, 90)}


def test_clearing_a_class_brings_nothing() -> None:
    assert timed(save(10), save(40, cleared=50), save(100, 3)).times == {("s1", 0): Time(3, 90)}


def test_saves_at_one_moment_share_the_time() -> None:
    found = timed(save(10), save(100, 3), save(101, 1, slide="s2"), save(101.5, 2, slide="s3"))
    assert found.times == {
        ("s1", 0): Time(3, pytest.approx(91.5 / 2)),
        ("s2", 0): Time(1, pytest.approx(91.5 / 6)),
        ("s3", 0): Time(2, pytest.approx(91.5 / 3)),
    }


def test_rejected_predictions_cost_time_and_bring_no_region() -> None:
    found = timed(save(10), save(70, 2, rejected=4), save(100, rejected=1))
    assert found.times == {("s1", 0): Time(2, 90)}


def test_time_of_boxes_is_none_of_regions() -> None:
    found = timed(save(10), save(40, patch_label=2, declined=1), save(100, 3, patch_label=3))
    assert found.times == {("s1", 0): Time(3, 60, box_seconds=30)}


def test_save_of_two_iterations_is_shared_out_by_pieces() -> None:
    both = SaveRecord("s1", "r", START + timedelta(seconds=110), {(1, Fate.REJECTED): 3}, {2: 1})
    found = timed(save(10), both)
    assert found.times == {("s1", 1): Time(0, 75), ("s1", 2): Time(1, 25)}


def test_lunch_is_left_out_with_what_its_save_brought() -> None:
    at = [0.5, 300, 600, 900, 900 + 3000, 900 + 3300]
    found = timed(*(save(t, 5) for t in at))
    assert found.times == {("s1", 0): Time(20, 299.5 + 600 + 300)}
    assert found.left_out == LeftOut(without_start=5, with_pause=5, pauses=1, pause_seconds=3000)


def test_night_is_left_out_though_nothing_else_is_known() -> None:
    found = timed(save(10, 1), save(7211, 50))
    assert (found.times, found.left_out.pauses) == ({}, 1)
    assert timed(save(10, 1), save(7210, 50)).times == {("s1", 0): Time(50, 7200)}


def test_many_regions_may_take_long() -> None:
    found = timed(save(10), save(70, 1), save(130, 1), save(190, 1), save(190 + 100 * 60, 100))
    assert found.times == {("s1", 0): Time(103, 180 + 6000)}


def test_moment_of_thought_is_no_pause() -> None:
    saves = [save(10), *(save(10 + 5 * i, 1) for i in range(1, 9)), save(50 + 120, 1), save(170 + 121, 1)]
    found = timed(*saves)
    assert found.times == {("s1", 0): Time(9, 160)}
    assert (found.left_out.pauses, found.left_out.pause_seconds) == (1, 121)


def test_pace_is_that_of_the_iteration() -> None:
    slow = [save(10 + 600 * i, 4) for i in range(4)]
    fast = [save(1810 + 30 * i, 10, iteration=1) for i in range(1, 30)]
    found = timed(*slow, *fast)
    assert found.left_out.pauses == 0, "the slow first iteration must not pass for pauses"
    assert pace(found, 0) == 150
    assert pace(found, 1) == 3


def test_faster_of_two_saves_is_typical() -> None:
    assert timed(save(10), save(70, 1), save(70 + 600, 1)).left_out.pauses == 1


def test_save_of_two_iterations_is_judged_by_the_one_of_most_work() -> None:
    slow = [save(10), *(save(10 + 60 * i, 1) for i in range(1, 4))]
    both = SaveRecord("s1", "r", START + timedelta(seconds=590), {(1, Fate.REJECTED): 1}, {0: 4})
    fast = [save(590 + 2.5 * i, 1, iteration=1) for i in range(1, 4)]
    assert timed(*slow, both, *fast).left_out.pauses == 0


def test_returning_to_a_slide_is_counted() -> None:
    order = ["s1", "s2", "s1", "s1", "s2", "s3"]
    saves = [save(10), *(save(10 + 30 * i, 1, slide=s) for i, s in enumerate(order, 1))]
    found = timed(*saves)
    assert found.left_out.interleaved == 2
    assert sum(t.seconds for t in found.times.values()) == 180, "time is counted once"
    late = [save(1000 + 30 * i, 1, slide=s) for i, s in enumerate(["s1", "s3"], 1)]
    assert timed(*saves, *late).left_out.interleaved == 2, "a pause begins anew"


def test_no_saves() -> None:
    assert time_saves([], None) == SavedWork()


# ---------------------------------------------------------------------------------------------------------- laws

WORK = st.tuples(st.integers(0, 12), st.sampled_from(["s1", "s2", "s3"]), st.integers(0, 2), st.integers(0, 3))
GAP = st.one_of(st.floats(0.1, 900), st.floats(900, 1e6))


@given(st.lists(st.tuples(GAP, WORK), max_size=25))
@settings(max_examples=150)
def test_nothing_is_lost_or_counted_twice(steps: list[tuple[float, tuple[int, str, int, int]]]) -> None:
    saves, at = [], 0.0
    for gap, (added, slide, iteration, rejected) in steps:
        at += gap
        saves.append(save(at, added, slide, iteration, rejected=rejected))
    found = timed(*saves)
    regions = sum(s.added.get(i, 0) for s in saves for i in range(3))
    out = found.left_out
    assert sum(w.regions for w in found.work.values()) == regions
    assert sum(t.regions for t in found.times.values()) + out.without_start + out.with_pause == regions
    spent = sum(t.seconds + t.box_seconds for t in found.times.values()) + out.pause_seconds
    assert spent <= at + 1e-6
    if saves and (any(saves[-1].added.values()) or saves[-1].fates.get((0, Fate.REJECTED))):
        between = (saves[-1].at - saves[0].at).total_seconds()
        assert spent == pytest.approx(between, rel=1e-9, abs=2 * len(saves))  # saves at one moment are one


@given(st.lists(st.tuples(st.floats(20, 90), st.integers(1, 9)), min_size=2, max_size=12), st.data())
@settings(max_examples=80)
def test_autosaves_change_nothing(work: list[tuple[float, int]], data: st.DataObject) -> None:
    at, saves, autosaves = 10.0, [save(10)], [save(10)]
    for gap, regions in work:
        for share in sorted(data.draw(st.lists(st.floats(0.15, 0.85), max_size=4, unique=True))):
            autosaves.append(save(at + gap * share))
        at += gap
        saves.append(save(at, regions))
        autosaves.append(save(at, regions))
    assert timed(*autosaves) == timed(*saves)


@st.composite
def sessions(draw: st.DrawFn) -> tuple[list[tuple[float, int]], list[int], list[float]]:
    """Return (seconds, pieces) of saves whose pace varies up to twofold, and pauses in fewer than half of them."""
    base = draw(st.floats(5, 80))
    count = draw(st.integers(5, 14))
    pieces = draw(st.lists(st.integers(1, 15), min_size=count, max_size=count))
    paces = draw(st.lists(st.floats(base, 2 * base), min_size=count, max_size=count))
    paused = draw(st.lists(st.integers(0, count - 1), max_size=(count - 1) // 2, unique=True))
    pauses = draw(st.lists(st.floats(10, 3e5), min_size=len(paused), max_size=len(paused)))
    return [(n * p, n) for n, p in zip(pieces, paces, strict=True)], paused, pauses


def played(work: Sequence[tuple[float, int]], pauses: dict[int, float] | None = None) -> SavedWork:
    at, saves = 10.0, [save(10)]
    for number, (seconds, pieces) in enumerate(work):
        at += seconds + (pauses or {}).get(number, 0.0)
        saves.append(save(at, pieces, slide=f"s{number % 3}"))
    return timed(*saves)


@given(sessions())
@settings(max_examples=150)
def test_pauses_change_the_time_per_region_by_no_more_than_is_stated(
    session: tuple[list[tuple[float, int]], list[int], list[float]],
) -> None:
    work, paused, lengths = session
    assume(all(seconds <= RULE.longest_seconds for seconds, _ in work))
    without = pace(played(work), 0)
    found = played(work, dict(zip(paused, lengths, strict=True)))
    typical = max(seconds / n for seconds, n in work)  # of the saves without a pause, the median is among them
    lost = sum(work[i][1] for i in paused)
    left = sum(n for _, n in work) - lost
    bound = sum(max(RULE.floor_seconds, RULE.factor * typical * work[i][1]) for i in paused) / left
    assert abs(pace(found, 0) - without) <= bound + 1e-9
    kept = {number for number in range(len(work)) if number not in paused}
    assert found.left_out.pauses <= len(paused), "work was taken for a pause"
    assert sum(t.regions for t in found.times.values()) >= sum(work[i][1] for i in kept)


@given(sessions(), st.floats(RULE.longest_seconds, 1e6))
@settings(max_examples=80)
def test_nights_leave_exactly_the_other_saves(
    session: tuple[list[tuple[float, int]], list[int], list[float]], night: float
) -> None:
    work, paused, _ = session
    assume(all(seconds <= RULE.longest_seconds for seconds, _ in work))
    found = played(work, dict.fromkeys(paused, night))
    kept = [w for number, w in enumerate(work) if number not in paused]
    assert pace(found, 0) == pytest.approx(sum(s for s, _ in kept) / sum(n for _, n in kept))
    assert found.left_out.pauses == len(paused)
    assert math.isclose(found.left_out.pause_seconds, sum(work[i][0] + night for i in paused), abs_tol=1e-3)
