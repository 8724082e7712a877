"""Metrics: label masks in, scores out. NumPy and SciPy only; knows no file and no slide; calls nothing of ours."""

from models.metrics.confusion import Confusion
from models.metrics.f1 import macro_f1, micro_f1, weighted_f1
from models.metrics.per_slide import GroupScores, SlideScore, Spread, scores_by_group
from models.metrics.scores import Scores
from models.metrics.tukey import PairDifference, tukey_range_test

__all__ = [
    "Confusion",
    "GroupScores",
    "PairDifference",
    "Scores",
    "SlideScore",
    "Spread",
    "macro_f1",
    "micro_f1",
    "scores_by_group",
    "tukey_range_test",
    "weighted_f1",
]
