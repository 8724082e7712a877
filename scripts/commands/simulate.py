"""``slidebridge simulate``: what a way of asking for boxes would have saved on slides that are annotated already."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from scripts.commands import completing
from scripts.commands.common import AsJson, print_json
from scripts.telling import say

_MOST_WORKERS = 4  # each holds the features of all slides


def simulate(
    project: Annotated[
        Path, typer.Argument(help="Project folder, or any file or folder in it.", show_default="here")
    ] = Path(),
    methods: Annotated[
        str,
        typer.Option(help="random, standard, standard_nonsquare, adaptive.", autocompletion=completing.methods),
    ] = "random,standard,standard_nonsquare,adaptive",
    region_um: Annotated[
        str | None,
        typer.Option(help="Sides of a box, µm.", show_default="propose.region_um, and twice; --full: 1, 2 and 3 times"),
    ] = None,
    k: Annotated[str | None, typer.Option(help="Boxes per slide and cycle.", show_default="1,3; --full: 1,3,5")] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions, each with other first boxes.")] = 3,
    cycles: Annotated[int, typer.Option(help="Cycles of a run at most.")] = 10,
    subsets: Annotated[int, typer.Option(help="Slides are annotated a subset of so many at a time.")] = 5,
    actions: Annotated[
        str,
        typer.Option(
            help="What the expert may do, each simulated apart: draw; correct (predictions, too); patch (labels, too);"
            " all."
        ),
    ] = "draw",
    variant: Annotated[
        str, typer.Option(help="paper, or code: the published program's behaviour, for comparison.")
    ] = "paper",
    cell_um: Annotated[float, typer.Option(help="Side of a cell of the map, µm.")] = 64.0,
    full: Annotated[
        bool,
        typer.Option("--full", help="Train the whole network in every cycle, three sizes, three numbers: takes days."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Runs at a time, a process each; on a cluster ([compute] scheduler) its workers count.",
            show_default="one per core, at most 4",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results.", show_default=".slidebridge/simulation")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reveal fully annotated slides box by box, and say how much each way of choosing boxes has to annotate.

    Slides count as fully annotated where their tissue is labelled: by [labels] complete = "slide", or by ROIs that
    cover it. Nothing is written beside them. A run that was stopped goes on where it was.
    """
    from models.active import SelectionMethod, SelectionVariant
    from scripts.executors import open_chosen
    from scripts.progress import show_progress
    from scripts.project import open_project
    from scripts.simulation import ActionSet, SimulateOptions, default_ks, default_steps, simulate_project
    from scripts.simulation.options import read_name, read_names, read_numbers, read_whole

    opened = open_project(project)
    steps = default_steps(opened.settings.propose.region_um, is_full=full)
    options = SimulateOptions(
        methods=read_names(methods, "--methods", SelectionMethod),
        region_um=steps if region_um is None else read_numbers(region_um, "--region-um"),
        ks=default_ks(is_full=full) if k is None else read_whole(k, "--k"),
        actions=read_names(actions, "--actions", ActionSet),
        seeds=seeds,
        cycles=cycles,
        subsets=subsets,
        cell_um=cell_um,
        variant=read_name(variant, "--variant", SelectionVariant),
        is_full=full,
    )
    folder = opened.data_folder / "simulation" if out is None else out
    count = workers or min(os.cpu_count() or 1, _MOST_WORKERS)
    with ExitStack() as stack:
        progress = stack.enter_context(show_progress(is_shown=not as_json))
        compute = opened.settings.compute
        is_here = count == 1 and not compute.scheduler  # one after another, each told when it is done
        executor = None if is_here else stack.enter_context(open_chosen(compute, count))[0]
        account = simulate_project(opened, options, folder, executor, datetime.now(UTC), progress)
    account.write()
    if as_json:
        print_json(account.as_json())
        return
    for line in account.lines():
        say(line)
    say(f"\nwritten: {folder}")
