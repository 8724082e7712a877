"""Active learning: acquisition (probabilities → score map) and selection (priority map → regions).

Arrays in, arrays and boxes out; NumPy and SciPy only, no file, no slide, no torch.
"""

from models.active.acquisition import (
    Acquisition,
    acquisition_of,
    bald,
    checkpoint_disagreement,
    entropy,
    least_confidence,
    margin,
)
from models.active.options import MapBox, ScoredBox, Selection, SelectionMethod, SelectionOptions, SizeRule
from models.active.selection import select_regions

__all__ = [
    "Acquisition",
    "MapBox",
    "ScoredBox",
    "Selection",
    "SelectionMethod",
    "SelectionOptions",
    "SizeRule",
    "acquisition_of",
    "bald",
    "checkpoint_disagreement",
    "entropy",
    "least_confidence",
    "margin",
    "select_regions",
]
