"""Commands on a project that do one step of the loop, and ``status``."""

from __future__ import annotations

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


def status(project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """Say what is labelled, what is missing, what was learned and written."""
    from scripts.loop.status import read_status

    found = read_status(project)
    if as_json:
        print_json(found.as_json())
        return
    for line in found.lines():
        typer.echo(line)


def confirm(
    slide: Annotated[str, typer.Argument(help="Name of the slide, as status prints it.")],
    project: ProjectPath = Path(),
    dry_run: DryRun = False,
) -> None:
    """Believe a save that lost more than half of what was drawn."""
    from scripts.loop.status import confirm_slide

    typer.echo(confirm_slide(project, slide, is_dry_run=dry_run))
