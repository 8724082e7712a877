"""``slidebridge config``: what is set, and where it came from."""

from __future__ import annotations

from pathlib import Path

import typer

from scripts.commands.common import AsJson, ProjectPath, print_json
from scripts.telling import say

app = typer.Typer(no_args_is_help=True, help="Settings of a project.")


@app.callback()
def _config() -> None:
    """Group the commands on settings."""


@app.command("show")
def show(project: ProjectPath = Path(), as_json: AsJson = False) -> None:
    """Print every setting with its value and where it came from."""
    from scripts.project import open_project

    loaded = open_project(project).loaded
    if as_json:
        print_json({name: {"value": value, "from": origin} for name, value, origin in loaded.rows()})
        return
    for name, value, origin in loaded.rows():
        say(f"{name} = {_as_text(value)}  # {origin}")


def _as_text(value: object) -> str:
    return str(getattr(value, "value", value))
