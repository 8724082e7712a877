from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.metrics import Confusion

NAMES = ("Background", "Tumor", "Stroma")
masks = hnp.arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2, 255]))
answers = hnp.arrays(np.uint8, (5, 7), elements=st.sampled_from([0, 1, 2]))


@given(masks, answers)
@settings(max_examples=60, deadline=None)
def test_scores_agree_with_set_arithmetic(truth: np.ndarray, predicted: np.ndarray) -> None:
    confusion = Confusion.from_labels(truth, predicted, NAMES)
    kept = truth != 255
    assert confusion.pixels == kept.sum()
    for label, name in enumerate(NAMES):
        a, b = (truth == label) & kept, (predicted == label) & kept
        both, either = (a & b).sum(), (a | b).sum()
        if either == 0:
            assert math.isnan(confusion.dice()[name])
            continue
        assert confusion.dice()[name] == pytest.approx(2 * both / (a.sum() + b.sum()))
        assert confusion.iou()[name] == pytest.approx(both / either)
        if a.any():
            assert confusion.sensitivity()[name] == pytest.approx(both / a.sum())
        if b.any():
            assert confusion.precision()[name] == pytest.approx(both / b.sum())
        if (kept & ~a).any():
            assert confusion.specificity()[name] == pytest.approx((kept & ~a & ~b).sum() / (kept & ~a).sum())


@given(masks, answers)
@settings(max_examples=40, deadline=None)
def test_parts_add_up_to_the_whole(truth: np.ndarray, predicted: np.ndarray) -> None:
    whole = Confusion.from_labels(truth, predicted, NAMES)
    top, rest = (Confusion.from_labels(truth[part], predicted[part], NAMES) for part in (slice(2), slice(2, None)))
    assert np.array_equal((top + rest).counts, whole.counts)
    assert np.array_equal((Confusion.empty(NAMES) + whole).counts, whole.counts)


def test_pooling_forgives_a_wrong_name() -> None:
    truth = np.array([[0, 1, 1, 2]], np.uint8)
    predicted = np.array([[0, 2, 1, 0]], np.uint8)
    pooled = Confusion.from_labels(truth, predicted, NAMES).pooled()
    assert pooled.counts.tolist() == [[1, 0], [1, 2]]
    assert pooled.dice()["any class"] == pytest.approx(4 / 5)


def test_a_label_beyond_the_names_is_refused() -> None:
    with pytest.raises(ValueError, match="label 3"):
        Confusion.from_labels(np.array([[3]], np.uint8), np.array([[0]], np.uint8), NAMES)


def test_matrices_of_other_classes_dont_add_up() -> None:
    with pytest.raises(ValueError, match="don't add up"):
        Confusion.empty(NAMES) + Confusion.empty(("Background", "Stroma", "Tumor"))
