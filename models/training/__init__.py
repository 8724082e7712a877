"""Training: labelled slides in, a candidate out; the loop, the judge, the decision.

A training is a function of its arguments: slides, options, clock and stop come in, nothing is read from the environment
and the store is never opened. May call all other rooms of ``models`` but ``active``, and ``bridge``.
"""

from models.training.deepzoom import DeepZoom
from models.training.design import Design
from models.training.evaluate import WindowPredictor, evaluate
from models.training.fit import fit
from models.training.hybrid import Hybrid
from models.training.hybrid_options import HybridOptions
from models.training.judge_slide import judge_slide
from models.training.loop import TrainingProgress
from models.training.options import ModelOptions, TrainingOptions
from models.training.patch_task import PatchLoss
from models.training.patchwise import Patchwise, train_patches
from models.training.patchwise_options import PatchwiseOptions, paper_patch_training
from models.training.presets import Preset, PresetName, preset
from models.training.promote import Decision, promote
from models.training.ranks import Ranks
from models.training.refinement_task import RefinementBatches
from models.training.run import Candidate, FitArguments, Run, forget_state
from models.training.state import HistoryEntry
from models.training.tissue_kinds import ClusterSearch
from models.training.weak import Weak, WeakOptions
from models.training.weak_task import WeakSteps

__all__ = [
    "Candidate",
    "ClusterSearch",
    "Decision",
    "DeepZoom",
    "Design",
    "FitArguments",
    "HistoryEntry",
    "Hybrid",
    "HybridOptions",
    "ModelOptions",
    "PatchLoss",
    "Patchwise",
    "PatchwiseOptions",
    "Preset",
    "PresetName",
    "Ranks",
    "RefinementBatches",
    "Run",
    "TrainingOptions",
    "TrainingProgress",
    "Weak",
    "WeakOptions",
    "WeakSteps",
    "WindowPredictor",
    "evaluate",
    "fit",
    "forget_state",
    "judge_slide",
    "paper_patch_training",
    "preset",
    "promote",
    "train_patches",
]
