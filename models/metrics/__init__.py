"""Metrics: label masks or outlines in, scores out.

NumPy, SciPy and shapely only; knows no file and no slide; of ours it takes the tissue options of ``bridge.slides``.
"""

from models.metrics.class_scores import ClassScores, class_scores
from models.metrics.confusion import Confusion
from models.metrics.cost import (
    Correction,
    Price,
    PriceOptions,
    confirmation_price,
    correction_price,
    drawing_price,
    patch_label_price,
)
from models.metrics.effort import EffortCurve, EffortFit, TimePoint, fit_effort
from models.metrics.f1 import macro_f1, micro_f1, weighted_f1
from models.metrics.froc import Froc, FrocOptions, Lesions, SlideDetections, detect, find_lesions, froc
from models.metrics.judgement import JudgeOptions, SlideJudgement
from models.metrics.objects import ObjectCounts, count_objects, match_objects
from models.metrics.per_slide import GroupScores, SlideScore, Spread
from models.metrics.scores import Scores
from models.metrics.tukey import PairDifference, tukey_range_test

__all__ = [
    "ClassScores",
    "Confusion",
    "Correction",
    "EffortCurve",
    "EffortFit",
    "Froc",
    "FrocOptions",
    "GroupScores",
    "JudgeOptions",
    "Lesions",
    "ObjectCounts",
    "PairDifference",
    "Price",
    "PriceOptions",
    "Scores",
    "SlideDetections",
    "SlideJudgement",
    "SlideScore",
    "Spread",
    "TimePoint",
    "class_scores",
    "confirmation_price",
    "correction_price",
    "count_objects",
    "detect",
    "drawing_price",
    "find_lesions",
    "fit_effort",
    "froc",
    "macro_f1",
    "match_objects",
    "micro_f1",
    "patch_label_price",
    "tukey_range_test",
    "weighted_f1",
]
