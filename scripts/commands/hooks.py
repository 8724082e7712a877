"""``slidebridge hooks``: have this system, or QuPath, start SlideBridge by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.commands.common import AsJson, DryRun, Force, print_json
from scripts.hook_kinds import HookKind, belongs_here
from scripts.telling import say

if TYPE_CHECKING:
    from scripts.hook_files import Filling, HookFile

app = typer.Typer(no_args_is_help=True, help="Files that have this system, or QuPath, start SlideBridge by itself.")


@app.command("install")
def install(
    kind: Annotated[HookKind, typer.Argument(help="What for.", show_default=False)],
    project: Annotated[
        list[Path] | None,
        typer.Option("--project", "-p", help="Project folder; several times for several.", show_default="here"),
    ] = None,
    nightly: Annotated[
        str, typer.Option("--nightly", metavar="HH:MM", help="Train every night at this time, watching or not.")
    ] = "",
    to: Annotated[Path | None, typer.Option("--to", help="Write the files to this folder instead.")] = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    force: Force = False,
) -> None:
    """Put the files where they belong and say what to do next; a file that differs is only replaced with --force."""
    from bridge.errors import ConfigError
    from scripts.hook_files import fill, this_machine
    from scripts.hook_install import install as put
    from scripts.hook_install import next_steps

    if to is None and not belongs_here(kind):
        ours = ", ".join(other.value for other in HookKind if belongs_here(other))
        raise ConfigError(f"{kind.value} is for another system; here: {ours}; --to FOLDER writes them all the same")
    machine = this_machine()
    filling = _filling(kind, project or [Path()], nightly)
    files = fill(kind, filling, machine, to)
    steps = [*next_steps(kind, files), *_notes(kind, filling)]
    if kind is HookKind.CRON and to is None:
        _install_cron(files[0], steps, as_json=as_json, is_dry_run=dry_run, is_forced=force)
        return
    done = put(files, is_forced=force, is_dry_run=dry_run)
    if as_json:
        print_json({"files": [d.as_json() for d in done], "next": steps})
        return
    for line in (*(d.line() for d in done), "next:", *(f"  {step}" for step in steps)):
        say(line)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Say which files there are for this system, where they belong on this machine, and whether they are there."""
    from scripts.hook_files import home_of, templates, this_machine
    from scripts.hook_install import is_in_crontab

    machine = this_machine()
    rows = [
        {"kind": kind.value, "path": str(path), "installed": path.is_file()}
        for kind in HookKind
        if kind is not HookKind.CRON and belongs_here(kind)
        for path in (home_of(kind, machine) / template.name for template in templates(kind))
    ]
    if belongs_here(HookKind.CRON):
        rows.append({"kind": HookKind.CRON.value, "path": "your crontab", "installed": is_in_crontab()})
    if as_json:
        print_json({"hooks": rows})
        return
    for row in rows:
        say(f"{row['kind']:8} {'installed    ' if row['installed'] else 'not installed'} {row['path']}")


def _filling(kind: HookKind, given: list[Path], nightly: str) -> Filling:
    """Return what is to run: the time of the option, for cron also that of the settings."""
    from bridge.errors import ConfigError
    from scripts.hook_files import Filling
    from scripts.options import Missed
    from scripts.project import open_project

    if kind is HookKind.QUPATH:
        return Filling()
    projects = [open_project(path) for path in given]
    schedule = projects[0].settings.schedule
    text = nightly or (schedule.nightly if kind is HookKind.CRON else "")
    if kind is HookKind.CRON and not text:
        raise ConfigError("when? add --nightly 02:00")
    try:
        at = datetime.strptime(text, "%H:%M").time() if text else None
    except ValueError as error:
        raise ConfigError(f"--nightly {text!r} is no time of day; write it as 02:00") from error
    return Filling(tuple(p.root for p in projects), at, schedule.timezone, schedule.missed is Missed.RUN)


def _notes(kind: HookKind, filling: Filling) -> list[str]:
    """Return what a person should know of what was installed."""
    if filling.nightly is None or not filling.timezone or kind is HookKind.SYSTEMD:
        return []
    return [f"the time is this machine's, not that of {filling.timezone} in [schedule] timezone"]


def _install_cron(file: HookFile, steps: Sequence[str], *, as_json: bool, is_dry_run: bool, is_forced: bool) -> None:
    """Print the line for the crontab; put it there only where that was asked for."""
    from scripts.hook_install import install_crontab

    text = file.data.decode("utf-8")
    change = install_crontab(text, is_dry_run=is_dry_run) if is_forced else None
    if as_json:
        print_json({"crontab": text, "change": change.value if change else None, "next": [] if change else list(steps)})
        return
    typer.echo(text, nl=False)
    for line in [f"your crontab: {'would be ' if is_dry_run else ''}{change.value}"] if change else steps:
        say(line)
