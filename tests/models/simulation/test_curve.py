from __future__ import annotations

import json

import numpy as np
import pytest

from models.active import MapBox
from models.simulation import CycleStep, curve_band, first_to_reach


def _step(cycle: int, share: float, miou: float) -> CycleStep:
    return CycleStep(cycle, share, {"Tumor": miou}, miou, clicks=cycle, seconds=0.0, regions=0)


STEPS = [_step(0, 0.1, 0.5), _step(1, 0.2, 0.71), _step(2, 0.3, 0.65), _step(3, 0.4, 0.8)]


def test_the_first_cycle_that_reaches_the_level_counts() -> None:
    assert [first_to_reach(STEPS, level) for level in (0.7, 0.71, 0.72)] == [STEPS[1], STEPS[1], STEPS[3]]


def test_a_level_that_is_never_reached_has_no_cycle() -> None:
    assert first_to_reach(STEPS, 0.81) is None
    assert first_to_reach([], 0.0) is None


def test_the_first_cycle_says_what_it_cost() -> None:
    found = first_to_reach(STEPS, 0.75)
    assert found is not None
    assert found.clicks == 3


def test_a_band_lies_between_its_curves_where_they_share_an_axis() -> None:
    band = curve_band([[(0.0, 0.0), (2.0, 1.0)], [(1.0, 1.0), (3.0, 1.0)]], points=3)
    np.testing.assert_allclose(band.x, [1.0, 1.5, 2.0])
    np.testing.assert_allclose(band.mean, [0.75, 0.875, 1.0])
    np.testing.assert_allclose(band.least, [0.5, 0.75, 1.0])
    np.testing.assert_allclose(band.most, [1.0, 1.0, 1.0])


def test_where_nothing_new_was_annotated_the_last_cycle_counts() -> None:
    band = curve_band([[(1.0, 0.2), (1.0, 0.6), (2.0, 0.8)]], points=2)
    np.testing.assert_allclose(band.mean, [0.6, 0.8])


def test_curves_that_share_no_stretch_have_an_empty_band() -> None:
    assert curve_band([[(0.0, 0.0), (1.0, 1.0)], [(2.0, 0.0), (3.0, 1.0)]]).x.size == 0


def test_curves_of_one_point_have_a_band_of_one() -> None:
    assert curve_band([[(1.0, 0.2)], [(1.0, 0.4)]]).mean == pytest.approx([0.3])


@pytest.mark.parametrize("curves", [[], [[]], [[(1.0, 0.0), (0.5, 0.0)]]], ids=["none", "empty", "falling"])
def test_what_is_no_curve_is_refused(curves: list[list[tuple[float, float]]]) -> None:
    with pytest.raises(ValueError, match="x never falling"):
        curve_band(curves)


def test_a_step_comes_back_from_json_as_it_was() -> None:
    box = MapBox(1, 2, 3, 4)
    step = CycleStep(
        1, 0.1 + 0.2, {"Tumor": 1 / 3}, 1 / 3, 5, 1.7, 2, {"a": (box,)}, {"a": ((box, 1),)}, {"b": "no place"}, 1
    )
    assert CycleStep.from_data(json.loads(json.dumps(step.to_data()))) == step
