"""The papers' comparisons: what an experiment is, how its units are run once each, and what is written about them.

An experiment is a list of units, each of them some numbers for some inputs; results are kept by a hash of the inputs,
so that a run that was cut off goes on and a run that was complete only writes its table, figure and section again.
``python -m scripts.experiments NAME`` runs one; ``EXPERIMENTS`` names them.
"""

from scripts.experiments.comparisons.experiment import (
    Experiment,
    ExperimentOptions,
    Numbers,
    Reading,
    Result,
    spread_of,
)
from scripts.experiments.comparisons.registry import EXPERIMENTS, open_experiment
from scripts.tables import Cell, Table
from scripts.units import Unit

__all__ = [
    "EXPERIMENTS",
    "Cell",
    "Experiment",
    "ExperimentOptions",
    "Numbers",
    "Reading",
    "Result",
    "Table",
    "Unit",
    "open_experiment",
    "spread_of",
]
