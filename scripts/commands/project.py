"""Commands on a project that do one step of the loop, and ``status``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Protocol

import typer

from scripts.commands import completing
from scripts.commands.common import AsJson, DryRun, Force, ProjectPath, print_json, run_pass
from scripts.naming.hidden import HiddenNames, hiding
from scripts.telling import say, tell


def train(
    project: ProjectPath = Path(),
    design: Annotated[
        str | None,
        typer.Option(
            help="deepzoom, patchwise, hybrid or weak, in place of the setting.", autocompletion=completing.designs
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="fast or paper (the paper's own numbers), in place of the setting.",
            autocompletion=completing.presets,
        ),
    ] = None,
    one_network: Annotated[
        bool | None, typer.Option("--one-network/--two-networks", help="deepzoom without, or with, its coarse pass.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="File of the encoder's ImageNet weights, in place of the setting.")
    ] = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    force: Force = False,
) -> None:
    """Train the model on with what is newly labelled; the better of the two is used from then on.

    --force trains though nothing is new, and takes the new model though it is worse.

    What is said here of the network holds for this training only; slidebridge.toml says it for all. On several GPUs:
    torchrun --nproc-per-node 2 --no-python slidebridge train
    """
    said = {
        "model.design": design,
        "model.preset": preset,
        "model.one_network": one_network,
        "model.weights": None if weights is None else weights.absolute(),
    }
    given = {name: value for name, value in said.items() if value is not None}
    tells = run_pass(project, "train", as_json=as_json, is_dry_run=dry_run, is_forced=force, given=given)
    if tells and given and not as_json:
        say("the next training follows slidebridge.toml again: write down there what is to stay")


def predict(
    project: ProjectPath = Path(), as_json: AsJson = False, dry_run: DryRun = False, force: Force = False
) -> None:
    """Predict every slide with the model in use and write the predictions. --force renews current ones."""
    run_pass(project, "predict", as_json=as_json, is_dry_run=dry_run, is_forced=force)


def propose(
    project: ProjectPath = Path(),
    as_json: AsJson = False,
    dry_run: DryRun = False,
    force: Force = False,
    again: Annotated[bool, typer.Option("--again", help="Ask for boxes that were declined once more.")] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say which boxes each slide would get now, and why no others; write nothing."),
    ] = False,
) -> None:
    """Write the boxes that are worth labelling next. --force replaces boxes that nobody has answered."""
    if not explain:
        run_pass(project, "propose", as_json=as_json, is_dry_run=dry_run, is_forced=force, asks_again=again)
        return
    from scripts.loop.explain import explain as explained
    from scripts.progress import show_progress

    with show_progress(is_shown=not as_json) as progress:
        found = explained(project, asks_again=again, progress=progress)
    _print(found, as_json=as_json)
    if found.problems:
        raise typer.Exit(1)


def status(
    project: ProjectPath = Path(),
    as_json: AsJson = False,
    read: Annotated[
        bool,
        typer.Option("--read", help="Read every file now, also what is as a daemon or pass read it."),
    ] = False,
    names: Annotated[
        bool, typer.Option("--names", help="Print which slide each hash stands for; only here, never in a log.")
    ] = False,
    lineage: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Say which model made an object of ours, and which annotations made that; ID of either."
        ),
    ] = None,
) -> None:
    """Say what happens now, what waits or failed, what is labelled, learned and written."""
    from scripts.loop.status import name_table, read_status

    if names:
        _print_names(name_table(project), as_json=as_json)
        return
    if lineage is not None:
        from scripts.loop.lineage import read_lineage  # torch comes with the cards

        _print(read_lineage(project, lineage), as_json=as_json)
        return
    found = read_status(project, is_read=read)
    if as_json:
        print_json(found.as_json())
    else:
        tell(found.said())


class _Told(Protocol):
    def as_json(self) -> Mapping[str, object]: ...

    def lines(self) -> list[str]: ...


def _print(found: _Told, *, as_json: bool) -> None:
    if as_json:
        print_json(found.as_json())
        return
    for line in found.lines():
        say(line)


def _print_names(table: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    with hiding(HiddenNames()):  # here alone names are told, for they are what was asked for
        if as_json:
            print_json(dict(table))
            return
        for called, name in table:
            say(name if called == name else f"{called}  {name}")


def confirm(
    slide: Annotated[
        str, typer.Argument(help="Name of the slide, as status prints it.", autocompletion=completing.slides)
    ],
    project: ProjectPath = Path(),
    dry_run: DryRun = False,
) -> None:
    """Believe a save that lost more than half of what was drawn."""
    from scripts.loop.confirm import confirm_slide

    say(confirm_slide(project, slide, is_dry_run=dry_run))
