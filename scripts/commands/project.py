"""Commands on a project that do one step of the loop, and ``status``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, DryRun, Force, ProjectPath, print_json, run_pass


def train(
    project: ProjectPath = Path(), as_json: AsJson = False, dry_run: DryRun = False, force: Force = False
) -> None:
    """Train a candidate from the champion; keep the better of the two. --force trains though nothing is new."""
    run_pass(project, "train", as_json=as_json, is_dry_run=dry_run, is_forced=force)


def predict(
    project: ProjectPath = Path(), as_json: AsJson = False, dry_run: DryRun = False, force: Force = False
) -> None:
    """Predict every slide with the champion and write the predictions. --force renews current ones."""
    run_pass(project, "predict", as_json=as_json, is_dry_run=dry_run, is_forced=force)


def propose(
    project: ProjectPath = Path(), as_json: AsJson = False, dry_run: DryRun = False, force: Force = False
) -> None:
    """Write the boxes that are worth labelling next. --force replaces boxes that nobody has answered."""
    run_pass(project, "propose", as_json=as_json, is_dry_run=dry_run, is_forced=force)


def status(
    project: ProjectPath = Path(),
    as_json: AsJson = False,
    read: Annotated[
        bool, typer.Option("--read", help="Read every file now, though a daemon is watching and has read them.")
    ] = False,
    names: Annotated[
        bool, typer.Option("--names", help="Print which slide each hash stands for; only here, never in a log.")
    ] = False,
) -> None:
    """Say what happens now, what waits or failed, what is labelled, learned and written."""
    from scripts.loop.status import name_table, read_status

    if names:
        _print_names(name_table(project), as_json=as_json)
        return
    found = read_status(project, is_read=read)
    if as_json:
        print_json(found.as_json())
        return
    for line in found.lines():
        typer.echo(line)


def _print_names(table: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    if as_json:
        print_json(dict(table))
        return
    for called, name in table:
        typer.echo(name if called == name else f"{called}  {name}")


def confirm(
    slide: Annotated[str, typer.Argument(help="Name of the slide, as status prints it.")],
    project: ProjectPath = Path(),
    dry_run: DryRun = False,
) -> None:
    """Believe a save that lost more than half of what was drawn."""
    from scripts.loop.confirm import confirm_slide

    typer.echo(confirm_slide(project, slide, is_dry_run=dry_run))
