"""Running an experiment: each unit once, then its table, figure and section."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from scripts.experiments.comparisons.document import replace_section, section
from scripts.experiments.comparisons.experiment import Experiment, ExperimentOptions, Result
from scripts.experiments.comparisons.figures import save_figure
from scripts.experiments.comparisons.kept import KeptResults, surroundings

logger = logging.getLogger(__name__)


def run_units(experiment: Experiment, kept: KeptResults, *, clock: Callable[[], float] = monotonic) -> list[Result]:
    """Return the results of all units; those that are kept are not run again.

    Raises
    ------
    ValueError
        Two units of one name.
    """
    units = list(experiment.units())
    if len({unit.name for unit in units}) != len(units):
        raise ValueError(f"experiment {experiment.name} has two units of one name")
    results = []
    for number, unit in enumerate(units, 1):
        found = kept.find(unit)
        if found is None:
            logger.info("unit begins: %s (%d of %d)", unit.name, number, len(units))
            began = clock()
            numbers = experiment.run(unit)
            found = Result(unit, numbers, clock() - began)
            kept.keep(found)
            logger.info("unit done: %s seconds=%.1f", unit.name, found.seconds)
        results.append(found)
    return results


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
