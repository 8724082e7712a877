"""Experiments by name; each is loaded when it is asked for, as torch takes seconds to load."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from scripts.experiments.comparisons.experiment import Experiment, ExperimentOptions

EXPERIMENTS: Mapping[str, str] = MappingProxyType(
    {
        "deepzoom": "scripts.experiments.comparisons.deepzoom:DeepZoomExperiment",
        "transfer": "scripts.experiments.comparisons.transfer:TransferExperiment",
        "forgetting": "scripts.experiments.comparisons.forgetting:ForgettingExperiment",
        "hybrid": "scripts.experiments.comparisons.hybrid:HybridExperiment",
        "selection": "scripts.experiments.comparisons.selection:SelectionExperiment",
        "actions": "scripts.experiments.comparisons.actions:ActionsExperiment",
        "weak": "scripts.experiments.comparisons.weak:WeakExperiment",
    }
)
"""Name → ``module:class``; the class is called with `ExperimentOptions`."""


def open_experiment(name: str, options: ExperimentOptions) -> Experiment:
    """Return an experiment.

    Raises
    ------
    ValueError
        None is called so.
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"no experiment is called {name!r}; there are {', '.join(EXPERIMENTS)}")
    module, _, made_by = EXPERIMENTS[name].partition(":")
    experiment: Experiment = getattr(import_module(module), made_by)(options)
    return experiment
