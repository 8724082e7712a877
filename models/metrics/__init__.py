"""Metrics: label masks in, scores out. NumPy only; knows no file and no slide; calls nothing of ours."""

from models.metrics.confusion import Confusion
from models.metrics.scores import Scores

__all__ = ["Confusion", "Scores"]
