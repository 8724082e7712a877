from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.store import SaveRecord
from models.metrics import EffortCurve
from scripts.loop.effort_account import Account, account
from scripts.loop.effort_saves import SavedWork, time_saves
from scripts.loop.effort_times import MeasuredTime
from scripts.loop.effort_work import Time, Work

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def saved(*places: tuple[str, int, int, float | None]) -> SavedWork:
    """Return work of (slide, iteration, regions, seconds)."""
    work = {(s, i): Work(added=n) for s, i, n, _ in places}
    return SavedWork(work, {(s, i): Time(n, t) for s, i, n, t in places if t is not None})


def test_time_is_normalized_by_that_without_predictions() -> None:
    found = account(saved(("s1", 0, 10, 400.0), ("s2", 0, 10, 200.0), ("s3", 1, 20, 300.0)))
    assert found.baseline_seconds == 30
    assert [i.seconds_per_region for i in found.iterations] == [30, 15]
    assert found.normalized(15) == 0.5
    assert [(s.start, s.end) for i in found.iterations for s in i.slides] == [(0, 10), (10, 20), (20, 40)]
    assert (found.iterations[0].by_slide.mean, found.iterations[0].by_slide.sd) == (30, pytest.approx(math.sqrt(200)))
    assert found.counted_minutes == pytest.approx(20 * 15 / 60)


def test_times_on_the_curve_give_it_back() -> None:
    curve, sizes = EffortCurve(120.0, 400), [1, 100, 100, 199]
    ends = np.cumsum(sizes)
    areas = 120 * (np.exp(-(ends - sizes) / 120) - np.exp(-ends / 120))
    times = areas / areas[0] * 40  # 40 s per region in iteration 0
    found = account(saved(*((f"s{i}", i, n, float(t)) for i, (n, t) in enumerate(zip(sizes, times, strict=True)))))
    assert found.fit is not None
    assert found.fit.curve.tau == pytest.approx(120, rel=0.01)
    assert found.fit.curve.savings == pytest.approx(curve.savings, abs=0.5)
    assert found.model_minutes == pytest.approx((400 - curve.normalized_time) * 40 / 60, rel=0.01)
    assert found.counted_minutes == pytest.approx((400 * 40 - times.sum()) / 60)


def test_no_decay_is_said() -> None:
    found = account(saved(("s1", 0, 10, 100.0), ("s2", 1, 10, 150.0)))
    assert found.fit is not None
    assert (found.fit.decays, found.fit.curve.savings, found.model_minutes) == (False, 0, 0)
    assert found.counted_minutes == pytest.approx(-50 / 60)


def test_untimed_regions_count_as_annotated() -> None:
    places = saved(("s1", 0, 10, 100.0), ("s2", 0, 30, None), ("s3", 1, 10, 50.0))
    found = account(places)
    assert found.regions == 50
    assert [i.timed_regions for i in found.iterations] == [10, 10]
    assert [s.start for i in found.iterations for s in i.slides] == [0, 10, 40]
    assert found.iterations[0].slides[1].seconds_per_region is None


def test_rejections_cost_time_of_their_iteration() -> None:
    work = {("s1", 0): Work(added=10), ("s2", 1): Work(accepted=5), ("s3", 1): Work(rejected=9)}
    times = {("s1", 0): Time(10, 100), ("s2", 1): Time(5, 10), ("s3", 1): Time(0, 15)}
    found = account(SavedWork(work, times))
    assert found.iterations[1].seconds_per_region == 5
    assert found.work == Work(accepted=5, rejected=9, added=10)


def test_measured_times_win() -> None:
    places = saved(("s1", 0, 10, 100.0), ("s2", 0, 10, 700.0), ("s3", 1, 20, 300.0))
    lines = (MeasuredTime("s2", 0, 4, 80.0), MeasuredTime("s2", 0, 6, 120.0), MeasuredTime("s9", 1, 5, 10.0))
    found = account(places, lines)
    first, second = found.iterations
    assert [(s.slide_key, s.seconds, s.is_measured) for s in first.slides] == [("s1", 100, False), ("s2", 200, True)]
    assert [(s.slide_key, s.regions, s.is_measured) for s in second.slides] == [("s3", 20, False), ("s9", 5, True)]
    assert (found.regions, first.seconds_per_region) == (45, 15)
    assert first.is_measured and found.work.added == 40, "what was counted stays"


def test_stopwatch_on_a_part_of_the_regions() -> None:
    found = account(saved(("s1", 0, 10, 999.0)), (MeasuredTime("s1", 0, 4, 80.0),))
    assert (found.regions, found.iterations[0].timed_regions, found.baseline_seconds) == (10, 4, 20)


def test_stopwatch_on_more_regions_than_were_counted() -> None:
    found = account(saved(("s1", 0, 10, 999.0)), (MeasuredTime("s1", 0, 40, 80.0),))
    assert (found.regions, found.work.added) == (40, 10)


def test_fit_heeds_how_many_regions_were_timed() -> None:
    def tau(timed: int) -> float:
        odd = (MeasuredTime("s2", 1, timed, timed * 9.0), MeasuredTime("s3", 1, 50, 50 * 1.0))
        fit = account(saved(("s1", 0, 10, 100.0), ("s2", 1, 50, None), ("s3", 1, 50, None)), odd).fit
        assert fit is not None
        return fit.curve.tau

    assert tau(50) > 1.5 * tau(1)


def test_whole_iteration_takes_the_place_of_its_slides() -> None:
    places = saved(("s1", 0, 10, 100.0), ("s2", 0, 10, 700.0), ("s3", 1, 20, 300.0))
    found = account(places, (MeasuredTime(None, 0, 15, 150.0),))
    (whole,) = found.iterations[0].slides
    assert (whole.slide_key, whole.regions, whole.timed_regions, whole.seconds) == (None, 20, 15, 150)
    assert found.iterations[1].seconds == 300


def test_stopwatch_alone_is_enough() -> None:
    lines = tuple(MeasuredTime(None, i, n, n * t) for i, (n, t) in enumerate([(32, 60), (84, 30), (86, 15)]))
    found = account(SavedWork(), lines)
    assert found.missing is None and found.fit is not None
    assert [found.normalized(i.seconds_per_region) for i in found.iterations] == [1, 0.5, 0.25]
    assert found.regions == 202


@pytest.mark.parametrize(
    ("places", "said"),
    [
        (saved(), "nothing is annotated yet"),
        (SavedWork({("s1", 1): Work(rejected=3, patch_labels=2)}), "nothing is annotated yet"),
        (saved(("s1", 0, 5, 50.0)), "no predictions have been answered yet"),
        (saved(("s1", 0, 5, None), ("s2", 1, 5, 9.0)), r"\(before the first training\) isn't known.*--times"),
        (saved(("s1", 1, 5, 50.0)), r"without predictions \(before the first training\) isn't known"),
        (saved(("s1", 0, 5, 0.0), ("s2", 1, 5, 9.0)), r"without predictions \(before the first training\) isn't known"),
        (saved(("s1", 0, 5, 50.0), ("s2", 1, 5, None)), "time per region with predictions isn't known"),
    ],
    ids=["nothing", "no region", "not predicted", "no start", "no iteration 0", "no time at all", "not timed"],
)
def test_what_is_missing_is_said_in_a_line(places: SavedWork, said: str) -> None:
    found = account(places)
    assert found.fit is None and found.model_minutes is None and found.counted_minutes is None
    assert found.missing is not None and "\n" not in found.missing
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(found.missing)


SIZES = (32, 84, 86, 418, 293)  # of the paper's iterations


def paces(tau: float, baseline: float) -> list[float]:
    """Return seconds per region, by iteration: as the curve is over it, but nobody takes less than two."""
    ends = np.cumsum(SIZES)
    means = tau * (np.exp(-(ends - SIZES) / tau) - np.exp(-ends / tau)) / SIZES
    return [max(2.0, baseline * float(mean)) for mean in means]


def history(tau: float, baseline: float, seed: int, *, has_pauses: bool) -> list[SaveRecord]:
    """Return an annotator's saves, with a pause in nearly half of them, or none."""
    random = np.random.default_rng(seed)
    at = 10.0
    found = [SaveRecord("s", "", START + timedelta(seconds=at))]
    for iteration, (size, pace) in enumerate(zip(SIZES, paces(tau, baseline), strict=True)):
        count = max(5, size // 20)
        breaks = random.permutation(count)[: (count - 1) // 2]
        for number, pieces in enumerate(np.diff(np.round(np.linspace(0, size, count + 1))).astype(int)):
            pause = float(random.choice([2700, 3600, 50_000, 250_000]))  # lunch, night, weekend
            at += pieces * pace * random.uniform(0.85, 1.15) + (pause if has_pauses and number in breaks else 0)
            moment = START + timedelta(seconds=at)
            found.append(SaveRecord(f"s{number % 4}", f"{iteration}-{number}", moment, {}, {iteration: int(pieces)}))
    return found


@given(st.floats(150, 300), st.floats(20, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_savings_come_out_of_saves_whatever_the_pauses(tau: float, baseline: float, seed: int) -> None:
    exact = zip(SIZES, paces(tau, baseline), strict=True)
    truth = savings_of(account(saved(*(("s", i, n, n * pace) for i, (n, pace) in enumerate(exact)))))
    for has_pauses in (False, True):
        saves = history(tau, baseline, seed, has_pauses=has_pauses)
        assert savings_of(account(time_saves(saves, START))) == pytest.approx(truth, abs=8)


def savings_of(found: Account) -> float:
    assert found.fit is not None and found.regions == 913
    return found.fit.curve.savings
