"""``slidebridge effort``: what annotation cost, and what the predictions saved."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, ProjectPath, print_json
from scripts.telling import say


def effort(
    project: ProjectPath = Path(),
    times: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Times by a stopwatch, in place of those from saves: columns slide, iteration, regions, seconds.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables (CSV) and figures (SVG, PNG); made if needed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what people accepted, corrected, rejected and added, how long it took, and what the predictions saved.

    Times are those between saves, less pauses; the savings are those of H-AI-L's model: A(r) = exp(-r / tau). In the
    CSV, iteration is the training whose predictions were corrected (0: none), seconds are for all the regions of the
    line together, and a line without slide stands for the whole iteration.
    """
    from scripts.loop.effort import read_effort

    found = read_effort(project, times, is_kept=out is not None)
    written: tuple[Path, ...] = ()
    if out is not None:
        from scripts.loop.effort_figures import write_effort

        written = write_effort(found, out)
    if as_json:
        print_json({**found.as_json(), "written": [str(path) for path in written]})
        return
    for line in found.lines():
        say(line)
    for path in written:
        say(f"written: {path}")
