import math

import pytest
from simulation_lab import curve

from models.active import SelectionMethod
from scripts.simulation import Simulated
from scripts.simulation.efficiency import differences, least_dependent, size_dependence

ADAPTIVE, STANDARD = SelectionMethod.ADAPTIVE, SelectionMethod.STANDARD


def two_methods(gains: list[float]) -> Simulated:
    """Return runs in which adaptive lies above standard by so much, seed by seed."""
    base = [(0.1, 0.3), (0.5, 0.7)]
    runs = []
    for seed, gain in enumerate(gains):
        runs.append(curve([(share, miou + 0.01 * seed) for share, miou in base], STANDARD, seed=seed))
        runs.append(curve([(share, miou + 0.01 * seed + gain) for share, miou in base], ADAPTIVE, seed=seed))
    return Simulated(tuple(runs), dict.fromkeys(range(len(gains)), 1.0))


def test_difference_is_taken_within_a_seed() -> None:
    (found,) = differences(two_methods([0.1, 0.2, 0.3]), ADAPTIVE, STANDARD)

    assert found.step == (1, 8)
    assert found.gain.mean == pytest.approx(0.2)
    assert found.gain.sd == pytest.approx(0.1)
    assert found.shares == (0.1, 0.5)
    assert not found.is_worse


@pytest.mark.parametrize(
    ("gains", "is_worse"), [([-0.1, -0.1, -0.1], True), ([-0.1, 0.1, -0.03], False), ([-0.1], True)]
)
def test_worse_is_below_by_more_than_the_sd(gains: list[float], is_worse: bool) -> None:
    (found,) = differences(two_methods(gains), ADAPTIVE, STANDARD)

    assert found.is_worse is is_worse


def test_curves_that_share_no_range_are_not_compared() -> None:
    runs = (curve([(0.1, 0.5), (0.2, 0.5)], ADAPTIVE), curve([(0.3, 0.5), (0.4, 0.5)], STANDARD))

    (found,) = differences(Simulated(runs, {0: 1.0}), ADAPTIVE, STANDARD)

    assert found.gain.count == 0 and found.shares is None and not found.is_worse


def test_dependence_on_size_is_the_spread_at_the_same_annotated_tissue() -> None:
    runs = (
        curve([(0.0, 0.5), (0.4, 0.5)], ADAPTIVE, size=8),
        curve([(0.1, 0.6), (0.5, 0.6)], ADAPTIVE, size=16),
        curve([(0.0, 0.2), (0.4, 0.6)], STANDARD, size=8),  # 0.3 to 0.6, from 0.1 to 0.4: 0.45 on average
        curve([(0.1, 0.9), (0.5, 0.9)], STANDARD, size=16),
    )
    found = Simulated(runs, {0: 1.0})

    assert size_dependence(found, ADAPTIVE).mean == pytest.approx(0.1)
    assert size_dependence(found, STANDARD).mean == pytest.approx(0.45)
    assert least_dependent(found, [STANDARD, ADAPTIVE]) is ADAPTIVE


def test_one_size_says_nothing_of_dependence() -> None:
    found = Simulated((curve([(0.1, 0.5), (0.2, 0.5)]),), {0: 1.0})

    assert math.isnan(size_dependence(found, ADAPTIVE).mean)
    assert least_dependent(found, [ADAPTIVE]) is None
