from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from models.metrics import EffortCurve, TimePoint, fit_effort

_REGIONS = st.floats(1, 1e6)


@pytest.mark.parametrize(("savings", "tau"), [(81.3, 171.6), (82.0, 165.0), (72.7, 256.6)])
def test_annotators_of_the_paper(savings: float, tau: float) -> None:
    curve = EffortCurve.from_savings(savings, regions=913)
    assert curve.tau == pytest.approx(tau, abs=0.05)
    assert EffortCurve(tau, 913).savings == pytest.approx(savings, abs=0.01)


@given(st.floats(1e-9, 100 - 1e-9), _REGIONS)
def test_curve_of_savings_saves_them(savings: float, regions: float) -> None:
    assert EffortCurve.from_savings(savings, regions).savings == pytest.approx(savings, rel=1e-12)


@given(st.floats(1e-9, 1e6), _REGIONS)
def test_savings_tell_the_curve(ratio: float, regions: float) -> None:
    tau = regions / ratio
    known_to = max(1e-12, 1e-15 * ratio)  # 100 − P holds so many digits only
    assert EffortCurve.from_savings(EffortCurve(tau, regions).savings, regions).tau == pytest.approx(tau, rel=known_to)


@given(st.floats(1e-3, 1e3), st.floats(0.1, 1e3))
@settings(max_examples=40)
def test_normalized_time_is_the_area_under_the_curve(tau: float, regions: float) -> None:
    curve = EffortCurve(tau, regions)
    area, _ = quad(lambda r: math.exp(-r / tau), 0, min(regions, 40 * tau), limit=200)  # nothing is left beyond
    assert curve.normalized_time == pytest.approx(area, rel=1e-9)
    assert curve.savings == pytest.approx(100 * (1 - curve.normalized_time / curve.baseline), abs=1e-9)


@given(st.floats(-9, 2).map(lambda power: 10**power))
def test_savings_have_all_their_digits(ratio: float) -> None:
    with localcontext() as context:
        context.prec = 60
        x = Decimal(1000) / Decimal(1000 / ratio)
        exact = 100 * (1 - (1 - (-x).exp()) / x)
    assert EffortCurve(1000 / ratio, 1000).savings == pytest.approx(float(exact), rel=1e-11)


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12), _REGIONS)
def test_slower_decay_saves_less(one: float, other: float, regions: float) -> None:
    fast, slow = sorted((one, other))
    assert EffortCurve(fast, regions).savings >= EffortCurve(slow, regions).savings - 1e-13


def test_limits() -> None:
    never = EffortCurve(math.inf, 50)
    assert (never.savings, never.normalized_time, never.baseline) == (0, 50, 50)
    assert never.time_at([0, 50]).tolist() == [1, 1]
    assert EffortCurve(1e-300, 50).savings == 100


@pytest.mark.parametrize("savings", [0, 100, -1, 101, math.nan])
def test_savings_without_a_curve_are_refused(savings: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 100"):
        EffortCurve.from_savings(savings, 10)


@pytest.mark.parametrize(("tau", "regions"), [(0, 5), (-1, 5), (math.nan, 5), (1, 0), (1, math.inf), (1, math.nan)])
def test_no_curve(tau: float, regions: float) -> None:
    with pytest.raises(ValueError, match="no effort curve"):
        EffortCurve(tau, regions)


def spans(tau: float, sizes: Sequence[int], noise: Sequence[float]) -> list[TimePoint]:
    """Return times averaged over slides of these sizes, by an independent sum over fine steps."""
    points, start = [], 0
    for size, factor in zip(sizes, noise, strict=True):
        steps = start + (np.arange(size * 1000) + 0.5) / 1000
        points.append(TimePoint(start, start + size, float(np.exp(-steps / tau).mean() * factor), size))
        start += size
    return points


@given(st.floats(3, 3000), st.lists(st.integers(1, 60), min_size=2, max_size=12))
@settings(max_examples=40)
def test_fit_finds_tau_behind_averages(tau: float, sizes: list[int]) -> None:
    fit = fit_effort(spans(tau, sizes, [1.0] * len(sizes)), sum(sizes))
    assert fit.decays
    assert fit.curve.tau == pytest.approx(tau, rel=1e-3)
    assert fit.error < 1e-4
    assert fit.curve.regions == sum(sizes)


@given(st.floats(50, 400), st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_fit_recovers_tau_from_noise(tau: float, seed: int) -> None:
    noise = np.random.default_rng(seed).lognormal(0, 0.2, 40)
    fit = fit_effort(spans(tau, [25] * 40, list(noise)), 1000)
    assert fit.curve.tau == pytest.approx(tau, rel=0.4)
    assert fit.curve.savings == pytest.approx(EffortCurve(tau, 1000).savings, abs=8)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_no_other_tau_fits_better(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes, times, weights = random.integers(1, 40, 6), random.uniform(0, 1.5, 6), random.uniform(0.1, 5, 6)
    ends = np.cumsum(sizes)
    points = [TimePoint(e - s, e, t, w) for s, e, t, w in zip(sizes, ends, times, weights, strict=True)]
    fit = fit_effort(points, float(ends[-1]))
    taus = np.geomspace(1e-2, 1e6, 3000)[:, None]
    means = taus * (np.exp(-(ends - sizes) / taus) - np.exp(-ends / taus)) / sizes
    errors = np.sqrt((weights * (times - means) ** 2).sum(axis=1) / weights.sum())
    assert fit.error <= errors.min() + 1e-9
    flat = math.sqrt(float((weights * (times - 1) ** 2).sum() / weights.sum()))
    assert fit.error <= flat + 1e-12


@pytest.mark.parametrize("times", [[1, 1, 1], [1, 1.3, 2]], ids=["flat", "slower"])
def test_times_that_do_not_fall_have_no_finite_tau(times: list[float]) -> None:
    fit = fit_effort([TimePoint(10 * i, 10 * i + 10, t) for i, t in enumerate(times)], 30)
    assert (fit.decays, fit.curve.tau, fit.curve.savings) == (False, math.inf, 0)
    assert fit.error == pytest.approx(math.sqrt(np.mean([(t - 1) ** 2 for t in times])))


def test_points_count_by_their_weight() -> None:
    heavy, light = TimePoint(10, 10, math.exp(-10 / 20), 1e6), TimePoint(10, 10, math.exp(-10 / 80), 1)
    assert fit_effort([heavy, light], 10).curve.tau == pytest.approx(20, rel=1e-3)
    assert fit_effort([TimePoint(10, 10, 0.2, 0), light], 10).curve.tau == pytest.approx(80, rel=1e-6)


def test_times_that_fall_to_nothing_have_the_least_tau() -> None:
    assert 0 < fit_effort([TimePoint(5, 5, 0.0)], 10).curve.tau < 0.5


@pytest.mark.parametrize(
    "points", [[], [TimePoint(0, 0, 1)], [TimePoint(0, 5, 1, 0)]], ids=["none", "at 0", "weightless"]
)
def test_nothing_to_fit(points: list[TimePoint]) -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_effort(points, 10)


@pytest.mark.parametrize(
    "numbers", [(2, 1, 1, 1), (0, 1, math.nan, 1), (0, 1, -1, 1), (0, 1, 1, -1), (-1, 1, 1, 1)], ids=str
)
def test_impossible_times_are_refused(numbers: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="no time per region"):
        TimePoint(*numbers)
