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
from models.active.budget import Allotment, Budget, Candidate, Fate, allot
from models.active.diversity import DiversityOptions
from models.active.options import (
    MapBox,
    ScoredBox,
    Selection,
    SelectionMethod,
    SelectionOptions,
    SelectionVariant,
    SizeRule,
)
from models.active.selection import select_regions

__all__ = [
    "Acquisition",
    "Allotment",
    "Budget",
    "Candidate",
    "DiversityOptions",
    "Fate",
    "MapBox",
    "ScoredBox",
    "Selection",
    "SelectionMethod",
    "SelectionOptions",
    "SelectionVariant",
    "SizeRule",
    "acquisition_of",
    "allot",
    "bald",
    "checkpoint_disagreement",
    "entropy",
    "least_confidence",
    "margin",
    "select_regions",
]
