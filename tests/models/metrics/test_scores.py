from __future__ import annotations

import math

import numpy as np
import pytest

from models.metrics import Confusion, Scores

NAMES = ("Background", "Tumor", "Stroma")


def scores(truth: list[int], predicted: list[int]) -> Scores:
    return Scores(Confusion.from_labels(np.array([truth], np.uint8), np.array([predicted], np.uint8), NAMES))


def test_classes_that_are_nowhere_dont_count() -> None:
    result = scores([0, 1, 1], [0, 1, 0])
    assert result.mean_dice == pytest.approx(2 / 3)
    assert math.isnan(result.dice["Stroma"])
    assert "dice Stroma" not in result.to_dict()


def test_score_is_between_naming_and_finding() -> None:
    result = scores([0, 1, 2, 2], [0, 2, 2, 2])
    assert result.pooled_dice == pytest.approx(1)
    assert result.mean_dice < result.score < result.pooled_dice


def test_no_pixels_no_score() -> None:
    result = scores([255], [1])
    assert math.isnan(result.score)
    assert result.to_dict() == {}
