from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.schedule import plan_steps, rate_at


@given(st.integers(1, 500), st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_rate_rises_to_the_top_and_falls_to_nearly_nothing(steps: int, warm_up: int) -> None:
    rates = [rate_at(step, steps, warm_up) for step in range(steps + 1)]
    assert all(0 < rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_ample_time_leaves_the_plan_alone() -> None:
    assert plan_steps(100, 10, 1.0, 60.0) == 100
    assert plan_steps(100, 10, 1000.0, None) == 100


def test_short_time_shrinks_the_plan_to_what_fits() -> None:
    assert plan_steps(1000, 10, 10.0, 60.0) == 60


def test_the_first_steps_are_not_taken_for_the_rule() -> None:
    assert plan_steps(100, 1, 50.0, 60.0) == 100


def test_time_that_is_up_ends_the_training() -> None:
    assert plan_steps(100, 40, 61.0, 60.0) == 40


@given(st.floats(0.01, 2.0), st.floats(1.0, 100.0))
@settings(max_examples=50, deadline=None)
def test_a_training_planned_by_time_ends_within_it(step_seconds: float, max_seconds: float) -> None:
    planned, step = 10_000, 0
    while step < planned:
        step += 1
        planned = plan_steps(planned, step, step * step_seconds, max_seconds)
    assert step * step_seconds <= max(max_seconds * 1.06, 5 * step_seconds)
    assert step == pytest.approx(min(10_000, max_seconds / step_seconds), rel=0.06, abs=6)
