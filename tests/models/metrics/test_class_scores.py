from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, f1_score, jaccard_score, precision_score, recall_score

from models.metrics import ClassScores, Confusion, class_scores

NAMES = ("Background", "Tumor", "Stroma")
masks = hnp.arrays(np.uint8, (6, 8), elements=st.sampled_from([0, 1, 2]))


def one_of(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return scikit-learn's scores of two boolean masks, NaN where it would have to make one up."""
    a, b, nan = truth.ravel(), predicted.ravel(), float("nan")
    return {
        "sensitivity": recall_score(a, b, zero_division=nan),
        "specificity": recall_score(~a, ~b, zero_division=nan),
        "precision": precision_score(a, b, zero_division=nan),
        "accuracy": accuracy_score(a, b),
        "f1": f1_score(a, b, zero_division=nan),
        "iou": jaccard_score(a, b) if (a | b).any() else nan,
    }


@given(masks, masks)
@settings(max_examples=40, deadline=None)
def test_each_class_and_all_together_score_as_scikit_learn_says(truth: np.ndarray, predicted: np.ndarray) -> None:
    found = class_scores(Confusion.from_labels(truth, predicted, NAMES))
    assert list(found) == ["Tumor", "Stroma", "any class"]
    for name, label in (("Tumor", 1), ("Stroma", 2)):
        expected = one_of(truth == label, predicted == label)
        assert {n: getattr(found[name], n) for n in ClassScores.names()} == pytest.approx(expected, nan_ok=True)
    expected = one_of(truth > 0, predicted > 0)
    assert {n: getattr(found["any class"], n) for n in ClassScores.names()} == pytest.approx(expected, nan_ok=True)


def test_by_hand() -> None:
    counts = np.array([[90, 4, 1], [2, 10, 3], [0, 5, 20]], np.int64)
    tumor = class_scores(Confusion(counts, NAMES))["Tumor"]
    assert tumor == ClassScores(
        sensitivity=10 / 15,
        specificity=(90 + 1 + 0 + 20) / 120,
        precision=10 / 19,
        accuracy=pytest.approx((10 + 111) / 135),
        f1=20 / 34,
        iou=10 / 24,
    )


def test_no_pixels_have_no_scores() -> None:
    found = class_scores(Confusion.empty(NAMES))
    assert all(math.isnan(getattr(scores, name)) for scores in found.values() for name in ClassScores.names())
