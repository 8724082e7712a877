"""``slidebridge backups``: the versions of people's files that are kept, and how one comes back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.commands import completing
from scripts.commands.common import AsJson, DryRun, ProjectPath, print_json
from scripts.plain_words import counted
from scripts.telling import say

app = typer.Typer(no_args_is_help=True, help="List the kept versions of a slide's annotation file, or bring one back.")


@app.command("list")
def list_(
    slide: Annotated[
        str | None,
        typer.Argument(help="Name of a slide, as status prints it; all without.", autocompletion=completing.slides),
    ] = None,
    project: ProjectPath = Path(),
    as_json: AsJson = False,
) -> None:
    """List the versions, newest first: when, what people had drawn, whose save, why it is kept."""
    from scripts.loop.versions import list_versions

    found = list_versions(project, slide)
    if as_json:
        print_json({name: [version.as_json() for version in versions] for name, versions in found.items()})
        return
    for name, versions in found.items():
        say(f"{name}: {counted(len(versions), 'version')}")
        for version in versions:
            say(f"  {version.line()}")


@app.command("restore")
def restore(
    slide: Annotated[
        str, typer.Argument(help="Name of the slide, as status prints it.", autocompletion=completing.slides)
    ],
    revision: Annotated[str, typer.Argument(help="The version as `backups list` shows it; its first digits do.")],
    to: Annotated[Path | None, typer.Option("--to", help="Write it to this new file; the slide's stays.")] = None,
    project: ProjectPath = Path(),
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Put a version in place of the file as it is now, which is backed up first."""
    from scripts.loop.versions import restore as bring_back

    done = bring_back(project, slide, revision, to=to, is_dry_run=dry_run)
    if as_json:
        print_json(done.as_json())
        return
    for line in done.lines():
        say(line)
