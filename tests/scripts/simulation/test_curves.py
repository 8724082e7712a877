import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation_lab import curve

from models.active import SelectionMethod
from scripts.simulation import Arm, Curve, Simulated
from scripts.simulation.curves import common_range

SHARES = st.lists(st.integers(1, 99), min_size=2, max_size=8, unique=True).map(sorted)


@given(SHARES, st.data())
@settings(max_examples=50, deadline=None)
def test_mean_over_a_range_is_that_of_many_places_on_the_line(percents: list[int], data: st.DataObject) -> None:
    mious = data.draw(st.lists(st.floats(0, 1), min_size=len(percents), max_size=len(percents)))
    run = curve([(percent / 100, miou) for percent, miou in zip(percents, mious, strict=True)])
    low, high = run.shares

    places = np.linspace(low, high, 20_001)
    middles = (places[:-1] + places[1:]) / 2

    assert run.mean_between(low, high) == pytest.approx(run.at(middles).mean(), abs=1e-4)


def test_mean_over_a_part_of_a_curve_by_hand() -> None:
    run = curve([(0.1, 0.2), (0.2, 0.6), (0.4, 0.8)])

    # From 0.15 (0.4) to 0.2 (0.6): 0.05 × 0.5; on to 0.3 (0.7): 0.1 × 0.65.
    assert run.mean_between(0.15, 0.3) == pytest.approx((0.05 * 0.5 + 0.1 * 0.65) / 0.15)


def test_empty_range_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no range of shares"):
        curve([(0.1, 0.5), (0.2, 0.6)]).mean_between(0.2, 0.2)


def test_last_cycle_counts_where_nothing_was_left_to_annotate() -> None:
    run = curve([(0.1, 0.2), (0.3, 0.5), (0.3, 0.7)])

    assert run.at(np.array([0.3, 0.2])) == pytest.approx([0.7, 0.45])


def test_level_is_of_the_same_seeds_full_annotation() -> None:
    runs = [curve([(0.1, 0.5), (0.2, 0.79), (0.3, 0.9)], seed=seed) for seed in (1, 0)]
    found = Simulated(tuple(runs), {0: 0.8, 1: 1.0})

    first, second = found.reached(runs[0].arm, 0.9)

    assert first is not None and first.annotated_share == 0.2  # 0.72 of seed 0
    assert second is not None and second.annotated_share == 0.3  # 0.9 of seed 1
    assert found.reached(runs[0].arm, 0.95)[1] is None


def test_range_in_common_is_from_the_latest_begin_to_the_earliest_end() -> None:
    one, two, apart = curve([(0.1, 0), (0.5, 1)]), curve([(0.2, 0), (0.9, 1)]), curve([(0.6, 0), (0.9, 1)])

    assert common_range([one, two]) == (0.2, 0.5)
    assert common_range([one, two, apart]) is None
    assert common_range([]) is None


def test_run_without_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="has no cycle"):
        Curve(Arm(SelectionMethod.RANDOM, 1, 1), 0, ())
