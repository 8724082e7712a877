"""Training: labelled slides in, a candidate out; the loop, the judge, the decision.

A training is a function of its arguments: slides, options, clock and stop come in, nothing is read from the environment
and the store is never opened. May call all other rooms of ``models`` but ``active``, and ``bridge``.
"""

from models.training.deepzoom import DeepZoom
from models.training.design import Design
from models.training.evaluate import WindowPredictor, evaluate
from models.training.fit import fit
from models.training.loop import TrainingProgress
from models.training.options import ModelOptions, TrainingOptions
from models.training.promote import Decision, promote
from models.training.run import Candidate, FitArguments, Run, forget_state
from models.training.state import HistoryEntry

__all__ = [
    "Candidate",
    "Decision",
    "DeepZoom",
    "Design",
    "FitArguments",
    "HistoryEntry",
    "ModelOptions",
    "Run",
    "TrainingOptions",
    "TrainingProgress",
    "WindowPredictor",
    "evaluate",
    "fit",
    "forget_state",
    "promote",
]
