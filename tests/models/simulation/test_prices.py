from __future__ import annotations

import numpy as np
import pytest
import shapely

from models.active import MapBox
from models.metrics.cost import PriceOptions, drawing_price, patch_label_price
from models.simulation import Actions, SimulatedSlide
from models.simulation.prices import look_again, main_class, outlines_of, work_on_box

PRICES = PriceOptions(unit_um=64)
BOTH = Actions(corrections=True, patch_labels=True)
BOX = MapBox(0, 0, 10, 10)
OBJECT = (1, shapely.box(2, 2, 8, 8))


def _slide(truth: np.ndarray, tissue: np.ndarray | None = None) -> SimulatedSlide:
    shape = (10, 10)
    cells = truth[:: truth.shape[0] // 10, :: truth.shape[1] // 10]
    tissue = np.ones(shape, bool) if tissue is None else tissue
    return SimulatedSlide("one", "", np.zeros((*shape, 1), np.float32), cells, truth, tissue, (OBJECT,))


def _truth() -> np.ndarray:
    truth = np.zeros((20, 20), np.uint8)
    truth[4:16, 4:16] = 1
    return truth


def test_without_other_actions_a_box_is_drawn() -> None:
    work = work_on_box(_slide(_truth()), BOX, [OBJECT], Actions(), PRICES)
    assert work.price == drawing_price([OBJECT], (0, 0, 10, 10), PRICES)
    assert (work.patch_label, work.is_corrected) == (None, False)


def test_a_prediction_that_is_right_is_cheaper_than_drawing() -> None:
    work = work_on_box(_slide(_truth()), BOX, [OBJECT], BOTH, PRICES)
    assert work.is_corrected
    assert work.price.clicks < drawing_price([OBJECT], (0, 0, 10, 10), PRICES).clicks


def test_predictions_that_would_cost_more_are_not_corrected() -> None:
    false = [(1, shapely.box(x, 0, x + 0.5, 1)) for x in range(9)]
    work = work_on_box(_slide(_truth()), BOX, false, BOTH, PRICES)
    assert not work.is_corrected
    assert work.price == drawing_price([OBJECT], (0, 0, 10, 10), PRICES)


def test_before_there_is_a_model_nothing_is_corrected() -> None:
    assert not work_on_box(_slide(_truth()), BOX, None, BOTH, PRICES).is_corrected


@pytest.mark.parametrize(("wrong_parts", "label"), [(0, 1), (40, 1), (41, None)])
def test_a_box_of_nine_tenths_one_class_gets_a_patch_label(wrong_parts: int, label: int | None) -> None:
    truth = np.ones(400, np.uint8)
    truth[:wrong_parts] = 0
    work = work_on_box(_slide(truth.reshape(20, 20)), BOX, None, BOTH, PRICES)
    assert work.patch_label == label
    if label is not None:
        assert work.price == patch_label_price(PRICES)


def test_glass_and_what_is_not_labelled_do_not_count_for_the_main_class() -> None:
    tissue = np.zeros((10, 10), bool)
    tissue[:, :4] = True
    truth = np.zeros((20, 20), np.uint8)
    truth[:, :6], truth[:, 6:8] = 1, 255
    assert main_class(_slide(truth, tissue), BOX, 0.9) == 1
    assert main_class(_slide(truth, np.zeros((10, 10), bool)), BOX, 0.9) is None
    assert main_class(_slide(np.full((20, 20), 255, np.uint8)), BOX, 0.9) is None


def test_the_main_class_is_of_the_box_alone() -> None:
    assert main_class(_slide(_truth()), MapBox(2, 2, 6, 6), 1.0) == 1
    assert main_class(_slide(_truth()), MapBox(0, 0, 2, 10), 1.0) == 0


def test_outlines_are_in_cells() -> None:
    labels = np.zeros((4, 5), np.uint8)
    labels[1:3, 2:5] = 1
    ((label, outline),) = outlines_of(labels, ("Background", "Tumor"))
    assert label == 1
    assert outline.equals(shapely.box(2, 1, 5, 3))


def test_looking_at_a_drawn_box_again_costs_less_than_drawing_it() -> None:
    assert look_again(PRICES).price.clicks < drawing_price([OBJECT], (0, 0, 10, 10), PRICES).clicks


def test_a_share_that_half_of_the_box_contradicts_is_refused() -> None:
    with pytest.raises(ValueError, match="patch label"):
        Actions(patch_share=0.5)
