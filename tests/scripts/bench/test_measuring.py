from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.bench.measuring import (
    MIB,
    Figure,
    Row,
    Scaling,
    at_least,
    at_most,
    exponent,
    in_child,
    in_turn,
    ratio_at_least,
)


class Hands:
    """A clock that works move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done: list[str] = []

    def work(self, name: str, seconds: Iterator[float]) -> Callable[[], str]:
        def go() -> str:
            self.now += next(seconds)
            self.done.append(name)
            return f"{name}{self.done.count(name)}"

        return go


def fill(mebibytes: int) -> int:
    return int(np.ones(mebibytes * MIB, np.uint8).sum())


def test_works_run_in_turn_and_each_begins_as_often_as_the_other() -> None:
    hands = Hands()
    ours = hands.work("a", iter([1.0, 5.0, 2.0, 3.0]))
    theirs = hands.work("b", iter([10.0, 40.0, 20.0, 30.0]))

    our_seconds, their_seconds, ours_last, theirs_last = in_turn(ours, theirs, runs=4, clock=lambda: hands.now)

    assert our_seconds == Figure(2.5, 1.0, 5.0, "s", 4)
    assert their_seconds == Figure(25.0, 10.0, 40.0, "s", 4)
    assert (ours_last, theirs_last) == ("a4", "b4")
    assert "".join(hands.done) == "abbaabba"


def test_ratio_says_how_many_times_better_ours_is_of_times_and_of_rates() -> None:
    seconds, slower = Figure.of([2.0]), Figure.of([6.0])
    assert Row("w", seconds, "them", slower).ratio == pytest.approx(3)
    assert Row("w", seconds.rate(12, "tiles"), "them", slower.rate(12, "tiles")).ratio == pytest.approx(3)
    assert Row("w", seconds.each(12, "tile"), "them", slower.each(12, "tile")).ratio == pytest.approx(3)
    assert Row("w", seconds).ratio is None


def test_rate_turns_the_quickest_run_into_the_most() -> None:
    assert Figure.of([1.0, 2.0, 4.0]).rate(8, "tiles") == Figure(4.0, 2.0, 8.0, "tiles/s", 3)
    assert Figure.of([1.0, 2.0, 4.0]).each(1_000_000, "object") == Figure(2.0, 1.0, 4.0, "µs/object", 3)


@pytest.mark.parametrize(
    ("row", "is_reached"),
    [
        pytest.param(Row("w", Figure.of([3.0]), target=at_most(3, "s")), True, id="time reached"),
        pytest.param(Row("w", Figure.of([3.1]), target=at_most(3, "s")), False, id="time missed"),
        pytest.param(Row("w", Figure.of([79.0], "%"), target=at_least(80, "%")), False, id="share missed"),
        pytest.param(Row("w", Figure.of([2.0]), "p", Figure.of([2.1]), ratio_at_least(1)), True, id="ratio reached"),
        pytest.param(Row("w", Figure.of([2.0]), "p", None, ratio_at_least(1)), None, id="peer missing"),
        pytest.param(Row("w", Figure.of([2.0])), None, id="no target"),
    ],
)
def test_row_knows_whether_its_target_is_reached(row: Row, is_reached: bool | None) -> None:
    assert row.is_reached is is_reached


def test_row_is_slow_only_below_its_bound_and_never_without_the_peer() -> None:
    ours, theirs = Figure.of([2.0]), Figure.of([3.0])
    assert Row("w", ours, "p", theirs, least_ratio=1.6).is_slow
    assert not Row("w", ours, "p", theirs, least_ratio=1.5).is_slow
    assert not Row("w", ours, "p", None, least_ratio=1.6).is_slow
    assert not Row("w", ours, "p", theirs).is_slow


def test_figures_of_different_units_are_refused() -> None:
    with pytest.raises(ValueError, match="MiB and s can't be compared"):
        Row("w", Figure.of([2.0]), "p", Figure.of([3.0], "MiB"))
    with pytest.raises(ValueError, match="ms and s can't be compared"):
        Row("w", Figure.of([2.0]), target=at_most(3, "ms"))


@settings(max_examples=30, deadline=None)
@given(
    power=st.floats(-1, 3),
    factor=st.floats(0.001, 1000),
    sizes=st.lists(st.integers(1, 10**6), min_size=2, max_size=6, unique=True),
)
def test_exponent_of_a_power_law_is_its_power(power: float, factor: float, sizes: list[int]) -> None:
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power, abs=1e-6)


def test_scaling_beyond_its_bound_is_slow() -> None:
    seconds = tuple(Figure.of([value]) for value in (1.0, 8.0, 64.0))
    assert Scaling("w", (1, 2, 4), seconds, "slides", most_exponent=2.9).is_slow
    assert not Scaling("w", (1, 2, 4), seconds, "slides", most_exponent=3.1).is_slow
    assert not Scaling("w", (1, 2, 4), seconds, "slides").is_slow


def test_child_tells_its_result_and_the_memory_of_the_work_alone() -> None:
    (small, one), (large, many) = (in_child(fill, size) for size in (1, 100))
    assert (one, many) == (MIB, 100 * MIB)
    assert large.grown_bytes - small.grown_bytes > 80 * MIB
    assert large.peak_bytes > large.grown_bytes
    assert large.seconds > 0


def test_figures_are_told_by_three_digits() -> None:
    said = [str(Figure.of([value])) for value in (0.0123456, 1.23456, 12.3456, 123.456, 12345.6)]
    assert said == ["0.0123 s", "1.23 s", "12.3 s", "123 s", "12,346 s"]
