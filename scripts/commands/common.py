"""Options that several commands share, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from scripts.logs import tells_errors_only
from scripts.naming.hidden import hidden_names
from scripts.telling import say

ProjectPath = Annotated[
    Path, typer.Option("--project", "-p", help="Project folder, or any file or folder in it.", show_default="here")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for machines.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Do it even where it would be skipped or refused.")]


def print_json(told: Mapping[str, object]) -> None:
    """Print one JSON object on stdout; where that has no character for something, all but ASCII is escaped."""
    value = hidden_names().hide_json(told)
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, default=str)
    sys.stdout.write(f"{text}\n")


def run_pass(
    project: Path,
    steps: str,
    *,
    as_json: bool,
    is_dry_run: bool = False,
    is_forced: bool = False,
    asks_again: bool = False,
    given: Mapping[str, object] | None = None,
) -> bool:
    """Run one pass of the loop, tell on stderr what it is at, and print what it did; exit 1 if a slide failed.

    ``given`` goes over the settings: ``section.key`` → value. Where ``torchrun`` started several processes the first
    does all that, and trains with the others; returned is whether this is the first.
    """
    from scripts.loop.passes import STEPS, Request, run
    from scripts.processes import Launch, lead_or_follow
    from scripts.progress import show_progress

    launch = Launch.read()
    is_shown = not (as_json or tells_errors_only()) and (launch is None or launch.rank == 0)
    with show_progress(is_shown=is_shown, in_lines=True) as progress:
        request = Request(
            STEPS[steps],
            is_dry_run=is_dry_run,
            is_forced=is_forced,
            asks_again=asks_again,
            purpose=steps,
            given=dict(given or {}),
        )
        result = lead_or_follow(
            launch, lambda ranks, stop: run(project, replace(request, ranks=ranks, stop=stop), progress)
        )
    if result is None:
        return False
    if as_json:
        print_json(result.as_json())
    else:
        for line in result.lines():
            say(line)
    if result.has_failed:
        raise typer.Exit(1)
    return True
