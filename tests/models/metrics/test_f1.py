from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score

from models.metrics import Confusion, macro_f1, micro_f1, weighted_f1

# "Learning to segment images with classification labels", table 1: matrix, images right, images in all, accuracy in %.
BACH = [[34, 4, 0, 2], [6, 35, 0, 1], [6, 5, 46, 1], [4, 6, 4, 46]]
GLEASON = [[53, 0, 1, 29, 21], [7, 25, 7, 4, 33], [2, 0, 36, 19, 11], [1, 0, 12, 201, 81], [2, 0, 15, 59, 268]]
DIGEST = [[256, 53], [100, 473]]


def confusion_of(rows: list[list[int]] | np.ndarray) -> Confusion:
    counts = np.array(rows, dtype=np.int64)
    return Confusion(counts, tuple(f"class {label}" for label in range(len(counts))))


def labels_of(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One pair of labels for each count."""
    pairs = np.argwhere(counts >= 0).repeat(counts.ravel(), axis=0)
    return pairs[:, 0], pairs[:, 1]


@pytest.mark.parametrize(
    ("rows", "right", "images", "percent"),
    [(BACH, 161, 200, 80), (GLEASON, 583, 887, 65), (DIGEST, 729, 882, 82)],
    ids=["BACH", "Gleason 2019", "DigestPath 2019"],
)
def test_published_matrices_give_the_published_accuracy(
    rows: list[list[int]], right: int, images: int, percent: int
) -> None:
    confusion = confusion_of(rows)
    assert (int(confusion.true_positives().sum()), confusion.pixels) == (right, images)
    # 80.5, 65.7 and 82.7 %: the paper cuts off
    assert math.floor(100 * confusion.accuracy()) == percent
    assert micro_f1(confusion) == confusion.accuracy()


def test_f1_of_a_matrix_worked_by_hand() -> None:
    confusion = confusion_of(DIGEST)
    first, second = 2 * 256 / (309 + 356), 2 * 473 / (573 + 526)
    assert macro_f1(confusion) == pytest.approx((first + second) / 2)
    assert weighted_f1(confusion) == pytest.approx((309 * first + 573 * second) / 882)
    # "equivalent when the F1 measure is calculated on a two-class problem" (§3.2) holds for none of the two readings
    assert len({round(f1(confusion), 3) for f1 in (macro_f1, micro_f1, weighted_f1)}) == 3


@given(hnp.arrays(np.int64, (4, 4), elements=st.integers(0, 6)))
@settings(max_examples=60, deadline=None)
def test_averages_agree_with_scikit_learn(counts: np.ndarray) -> None:
    confusion = confusion_of(counts)
    if confusion.pixels == 0:
        assert all(math.isnan(f1(confusion)) for f1 in (macro_f1, micro_f1, weighted_f1))
        return
    truth, predicted = labels_of(counts)
    assert macro_f1(confusion) == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert micro_f1(confusion) == pytest.approx(f1_score(truth, predicted, average="micro"))
    assert weighted_f1(confusion) == pytest.approx(f1_score(truth, predicted, average="weighted"))


def test_a_class_that_is_nowhere_does_not_lower_the_mean() -> None:
    assert macro_f1(confusion_of([[3, 0, 0], [0, 5, 0], [0, 0, 0]])) == 1
    assert weighted_f1(confusion_of([[3, 0, 0], [0, 5, 0], [0, 0, 0]])) == 1
    assert macro_f1(confusion_of([[3, 0, 1], [0, 4, 0], [0, 0, 0]])) == pytest.approx((6 / 7 + 1 + 0) / 3)
