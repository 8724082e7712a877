"""Simulation on slides that are annotated already: which way of asking for boxes has to annotate least.

Runs of ``models.simulation`` as units that are kept and resumed, their curves, the paper's figure and table, and what
they say. ``simulate_project`` is ``slidebridge simulate``; experiments run the same on generated slides.
"""

from scripts.simulation.account import Account
from scripts.simulation.arms import ActionSet, Arm, arms_of
from scripts.simulation.curves import Curve, Simulated
from scripts.simulation.options import SimulateOptions, default_ks, default_steps
from scripts.simulation.project import find_annotated, simulate_project
from scripts.simulation.runs import Material, Run, RunOptions, SlideSet, gather, runs_of, simulate

__all__ = [
    "Account",
    "ActionSet",
    "Arm",
    "Curve",
    "Material",
    "Run",
    "RunOptions",
    "SimulateOptions",
    "Simulated",
    "SlideSet",
    "arms_of",
    "default_ks",
    "default_steps",
    "find_annotated",
    "gather",
    "runs_of",
    "simulate",
    "simulate_project",
]
