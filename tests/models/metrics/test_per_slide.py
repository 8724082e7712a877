from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metrics import Confusion, GroupScores, SlideScore, Spread

NAMES = ("Background", "Tumor", "Stroma")


def confusion_of(truth: list[int], predicted: list[int]) -> Confusion:
    return Confusion.from_labels(np.array([truth], np.uint8), np.array([predicted], np.uint8), NAMES)


def test_scores_of_a_slide_forgive_a_wrong_name() -> None:
    score = SlideScore.from_confusion("a", confusion_of([0, 0, 1, 1, 2, 255], [0, 1, 2, 1, 0, 1]), group="grade 2")
    assert (score.slide, score.group) == ("a", "grade 2")
    assert score.recall == pytest.approx(2 / 3)
    assert score.precision == pytest.approx(2 / 3)
    assert score.dice == pytest.approx(4 / 6)


def test_recall_and_precision_are_not_exchanged() -> None:
    missed = SlideScore.from_confusion("missed", confusion_of([1, 1, 1, 1], [1, 0, 0, 0]))
    painted = SlideScore.from_confusion("painted", confusion_of([1, 0, 0, 0], [1, 1, 1, 1]))
    assert (missed.recall, missed.precision) == (0.25, 1)
    assert (painted.recall, painted.precision) == (1, 0.25)


def test_a_score_that_a_slide_cannot_have_is_left_out_and_counted() -> None:
    empty = SlideScore.from_confusion("empty", confusion_of([0, 0], [0, 0]))
    healthy = SlideScore.from_confusion("healthy", confusion_of([0, 0], [0, 1]))
    ill = SlideScore.from_confusion("ill", confusion_of([1, 0], [1, 0]))
    assert math.isnan(empty.dice)
    assert math.isnan(healthy.recall)
    assert healthy.dice == 0  # it was found where there is none
    summary = GroupScores.of([empty, healthy, ill])
    assert (summary.slides, summary.recall.count, summary.precision.count, summary.dice.count) == (3, 1, 2, 2)
    assert summary.dice.mean == 0.5


def test_each_slide_counts_alike() -> None:
    large = confusion_of([1] * 90 + [0] * 10, [1] * 90 + [0] * 10)
    small = confusion_of([1, 1], [0, 0])
    scores = [SlideScore.from_confusion("a", large), SlideScore.from_confusion("b", small)]
    both, alone = GroupScores.of(scores), GroupScores.of(scores[:1])
    assert both.dice.mean == 0.5
    assert both.dice.sd == pytest.approx(math.sqrt(0.5))
    assert alone.dice.mean == 1
    assert math.isnan(alone.dice.sd)


@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12))
@settings(max_examples=60, deadline=None)
def test_spread_is_that_of_the_sample(values: list[float]) -> None:
    kept = [value for value in values if not math.isnan(value)]
    spread = Spread.of(values)
    assert spread.count == len(kept)
    if kept:
        assert spread.mean == pytest.approx(statistics.fmean(kept))
    else:
        assert math.isnan(spread.mean)
    if len(kept) > 1:
        assert spread.sd == pytest.approx(statistics.stdev(kept), abs=1e-12)
    else:
        assert math.isnan(spread.sd)


def test_spread_reads_as_in_the_papers() -> None:
    assert str(Spread.of([0.9, 1.0])) == "0.950 ± 0.071 (n = 2)"
