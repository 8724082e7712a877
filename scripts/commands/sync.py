"""``slidebridge sync``: one pass of the loop, or one of its halves."""

from __future__ import annotations

from pathlib import Path

import typer

from scripts.commands.common import AsJson, DryRun, Force, ProjectPath, run_pass

app = typer.Typer(
    invoke_without_command=True,
    no_args_is_help=False,
    help="One pass of the loop: read what was drawn, learn, predict, propose, write back.",
)


@app.callback(invoke_without_command=True)
def sync(
    context: typer.Context,
    project: ProjectPath = Path(),
    as_json: AsJson = False,
    dry_run: DryRun = False,
    force: Force = False,
) -> None:
    """Run both halves: pull, train when there is something new, push."""
    if context.invoked_subcommand is None:
        run_pass(project, "sync", as_json=as_json, is_dry_run=dry_run, is_forced=force)


@app.command("pull")
def pull(project: ProjectPath = Path(), as_json: AsJson = False, dry_run: DryRun = False) -> None:
    """Read what people drew and record what became of our objects; write to nobody's file."""
    run_pass(project, "pull", as_json=as_json, is_dry_run=dry_run)


@app.command("push")
def push(project: ProjectPath = Path(), as_json: AsJson = False, dry_run: DryRun = False, force: Force = False) -> None:
    """Predict with the model in use, propose boxes, and write both into the files."""
    run_pass(project, "push", as_json=as_json, is_dry_run=dry_run, is_forced=force)
