from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import jaccard_score

from models.errors import TrainingDataError
from models.simulation import SimulatedSlide
from models.simulation.judging import judged, predicted_labels, slide_iou


def _slide(key: str, truth: list[list[int]], parts: int = 1) -> SimulatedSlide:
    found = np.array(truth, np.uint8)
    cells = found[::parts, ::parts]
    return SimulatedSlide(key, "", np.zeros((*cells.shape, 1), np.float32), cells, found, np.ones(cells.shape, bool))


@dataclass(frozen=True)
class _Fixed:
    maps: dict[str, NDArray[np.float32]]

    def probabilities(self, key: str) -> NDArray[np.float32]:
        return self.maps[key]


def _sure(labels: list[list[int]], classes: int = 2) -> NDArray[np.float32]:
    return np.asarray(np.array(labels)[None] == np.arange(classes)[:, None, None], np.float32)


def test_two_classes_are_told_at_one_half() -> None:
    positive = np.array([[0.49, 0.5, 0.51]], np.float32)
    assert predicted_labels(np.stack([1 - positive, positive])).tolist() == [[0, 1, 1]]


def test_of_several_classes_the_likeliest_is_taken() -> None:
    assert predicted_labels(np.array([[[0.3]], [[0.4]], [[0.3]]])).tolist() == [[1]]


def test_iou_of_a_slide_by_hand() -> None:
    # Cells of 2 × 2 parts. True: 5 parts of class 1. Predicted: the left cell, 4 parts, 3 of them right, 1 ignored.
    slide = _slide("one", [[1, 1, 1, 0], [1, 255, 1, 0]], parts=2)
    assert slide_iou(slide, np.array([[1, 0]], np.uint8), 3) == [3 / 5, None]


def test_iou_is_that_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(0, 4, (2, 20, 20), np.uint8)
    slide = _slide("one", truth.tolist())
    expected = jaccard_score(truth.ravel(), predicted.ravel(), labels=[1, 2, 3], average=None)
    np.testing.assert_allclose(np.array(slide_iou(slide, predicted, 4), float), expected)


def test_a_class_is_judged_on_the_slides_that_hold_it() -> None:
    slides = [_slide("half", [[1, 1, 0]]), _slide("none", [[0, 0, 0]]), _slide("all", [[0, 0, 1]])]
    maps = {"half": _sure([[1, 0, 0]]), "none": _sure([[1, 1, 1]]), "all": _sure([[0, 0, 1]])}
    assert judged(_Fixed(maps), slides, ("Background", "Tumor")) == {"Tumor": 0.75}


def test_a_class_that_no_slide_holds_is_left_out() -> None:
    maps = {"one": _sure([[0, 1]], 3)}
    assert judged(_Fixed(maps), [_slide("one", [[0, 1]])], ("Background", "Tumor", "Stroma")) == {"Tumor": 1.0}


def test_test_slides_without_any_class_are_refused() -> None:
    with pytest.raises(TrainingDataError, match="no test slide holds Tumor"):
        judged(_Fixed({"one": _sure([[0]])}), [_slide("one", [[0]])], ("Background", "Tumor"))
