"""Running an experiment: each unit once, then its table, figure and section."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import lru_cache, partial
from pathlib import Path
from time import monotonic

from scripts.executors import InlineExecutor
from scripts.experiments.comparisons.document import replace_section, section
from scripts.experiments.comparisons.experiment import Experiment, ExperimentOptions, Numbers, Result
from scripts.experiments.comparisons.kept import KeptResults, surroundings
from scripts.experiments.comparisons.registry import open_experiment
from scripts.figures import save_figure
from scripts.units import Unit

logger = logging.getLogger(__name__)


def run_units(
    experiment: Experiment,
    kept: KeptResults,
    *,
    executor: Executor | None = None,
    work: Callable[[Unit], Numbers] | None = None,
    clock: Callable[[], float] = monotonic,
) -> list[Result]:
    """Return the results of all units; those that are kept are not run again.

    Parameters
    ----------
    executor
        Runs the units; one after another if None.
    work
        Does a unit's work, where an executor can't be given the experiment itself (`work_of`).

    Raises
    ------
    ValueError
        Two units of one name.
    """
    units = list(experiment.units())
    if len({unit.name for unit in units}) != len(units):
        raise ValueError(f"experiment {experiment.name} has two units of one name")
    found = {unit.name: kept.find(unit) for unit in units}
    missing = [unit for unit in units if found[unit.name] is None]
    logger.info("experiment begins: name=%s units=%d of=%d", experiment.name, len(missing), len(units))
    one = partial(_run_one, work or experiment.run, kept, clock)
    made = {result.unit.name: result for result in (executor or InlineExecutor()).map(one, missing)}
    return [found[unit.name] or made[unit.name] for unit in units]


def work_of(name: str, options: ExperimentOptions) -> Callable[[Unit], Numbers]:
    """Return what does a unit's work in any process, by the experiment's name."""
    return partial(_work, name, options)


def _work(name: str, options: ExperimentOptions, unit: Unit) -> Numbers:
    return _opened(name, options).run(unit)


@lru_cache(maxsize=1)  # an experiment may keep pictures open from unit to unit
def _opened(name: str, options: ExperimentOptions) -> Experiment:
    import torch

    torch.set_num_threads(options.threads)
    return open_experiment(name, options)


def _run_one(work: Callable[[Unit], Numbers], kept: KeptResults, clock: Callable[[], float], unit: Unit) -> Result:
    logger.info("unit begins: name=%s", unit.name)
    began = clock()
    result = Result(unit, work(unit), clock() - began)
    kept.keep(result)
    logger.info("unit done: name=%s seconds=%.1f", unit.name, result.seconds)
    return result


def write_account(experiment: Experiment, results: Sequence[Result], options: ExperimentOptions, docs: Path) -> Path:
    """Write table, figure and section; return the document.

    Parameters
    ----------
    docs
        Gets ``experiments.md``, of which only this experiment's section is touched, and ``experiments/NAME.csv`` and
        ``.svg``.
    """
    beside = docs / "experiments"
    beside.mkdir(parents=True, exist_ok=True)
    table = experiment.table(results)
    (beside / f"{experiment.name}.csv").write_text(table.to_csv(), encoding="utf-8", newline="\n")
    save_figure(experiment.figure(results), beside / f"{experiment.name}.svg")
    document = docs / "experiments.md"
    text = section(experiment, results, options, surroundings(options))
    replace_section(document, experiment.name, text)
    return document
