"""Simulation: fully annotated slides, revealed box by box to a model that asks for the next ones.

Says how much has to be annotated, and what that costs, until a model does as well as one that has seen everything.
Nothing is read from the environment, no store is opened; results are handed to the caller cycle by cycle. May call all
other rooms of ``models``, and ``bridge``.
"""

from models.simulation.area import annotated_share
from models.simulation.curve import CurveBand, curve_band, first_to_reach
from models.simulation.cycles import full_annotation, run_cycles
from models.simulation.features import Extractor, FeatureCache
from models.simulation.grid import GridOptions, LabelRule
from models.simulation.head import FrozenHead, HeadOptions
from models.simulation.learner import Learned, Learner
from models.simulation.making import simulated_slide
from models.simulation.options import Actions, CycleOptions, SplitOptions
from models.simulation.slide import SimulatedSlide
from models.simulation.split import Split, split_slides
from models.simulation.step import CycleStep
from models.simulation.whole_network import WholeNetwork, cell_classifier

__all__ = [
    "Actions",
    "CurveBand",
    "CycleOptions",
    "CycleStep",
    "Extractor",
    "FeatureCache",
    "FrozenHead",
    "GridOptions",
    "HeadOptions",
    "LabelRule",
    "Learned",
    "Learner",
    "SimulatedSlide",
    "Split",
    "SplitOptions",
    "WholeNetwork",
    "annotated_share",
    "cell_classifier",
    "curve_band",
    "first_to_reach",
    "full_annotation",
    "run_cycles",
    "simulated_slide",
    "split_slides",
]
