"""``python -m scripts.experiments NAME``: run one of the papers' comparisons, and write what came of it.

Units that are done are not run again: a run that was cut off goes on where it was. The same seeds give the same
numbers (times apart). The folder may be deleted at any time; then everything is made again.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import platformdirs

from bridge.errors import BridgeError
from scripts.executors import begin_logging, check_scheduler, open_chosen
from scripts.experiments.comparisons.experiment import ExperimentOptions
from scripts.experiments.comparisons.registry import EXPERIMENTS, open_experiment
from scripts.options import ComputeOptions

_INTERRUPTED = 130
_MOST_WORKERS = 4  # a training takes one to two GB


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, write, print; return the exit status."""
    asked = _parser().parse_args(arguments)
    begin_logging()
    try:
        options = ExperimentOptions(asked.folder, asked.data, asked.seeds, asked.full, asked.threads)
        compute = ComputeOptions(asked.scheduler)
        check_scheduler(compute)
        print(_run(asked.name, options, asked.workers, compute, asked.docs))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return _INTERRUPTED
    except (BridgeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _run(name: str, options: ExperimentOptions, workers: int, compute: ComputeOptions, docs: Path) -> str:
    import torch

    from scripts.experiments.comparisons.kept import KeptResults, surroundings
    from scripts.experiments.comparisons.running import run_units, work_of, write_account

    torch.set_num_threads(options.threads)
    experiment = open_experiment(name, options)
    kept = KeptResults(options.folder / "results" / name, surroundings(options))
    if experiment.is_timed:
        workers, compute = 1, ComputeOptions()
    is_here = workers == 1 and not compute.scheduler
    work = None if is_here else work_of(name, options)
    with open_chosen(replace(compute, workers=workers), workers, begin_logging) as (executor, _):
        results = run_units(experiment, kept, executor=executor, work=work)
    document = write_account(experiment, results, options, docs)
    readings = "\n".join(f"- {reading}" for reading in experiment.readings(results))
    return f"{experiment.table(results).to_markdown()}\n{readings}\n\nwritten: {document}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.experiments", description=__doc__)
    cache = platformdirs.user_cache_path("slidebridge", appauthor=False) / "experiments"
    parser.add_argument("name", choices=list(EXPERIMENTS), help="which comparison")
    parser.add_argument("--folder", type=Path, default=cache, help="of slides and results (default: in the cache)")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="real pictures (default: %(default)s)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument("--full", action="store_true", help="the long form")
    parser.add_argument("--threads", type=int, default=1, help="of torch and ONNX Runtime (default: 1)")
    parser.add_argument(
        "--workers",
        type=int,
        default=min(os.cpu_count() or 1, _MOST_WORKERS),
        help="units at a time, a process each; an experiment that measures time takes one (default: %(default)s)",
    )
    parser.add_argument(
        "--scheduler",
        default="",
        help="tcp://host:port of a Dask scheduler whose workers run the units, and see the folders by the same paths;"
        " or local (default: processes of this machine, without Dask)",
    )
    parser.add_argument("--docs", type=Path, default=Path("docs"), help="where the section goes (default: docs)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
