"""``slidebridge validate``: every champion so far, judged on the hold-out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, ProjectPath, print_json
from scripts.telling import say


def validate(
    project: ProjectPath = Path(),
    by: Annotated[
        str | None, typer.Option(metavar="METADATA", help="Group the slides by this: grade, centre, patient …")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables (CSV) and figures (SVG, PNG); made if needed.")
    ] = None,
    iterations: Annotated[str | None, typer.Option(metavar="1,3-5", help="Only these trainings.")] = None,
    candidates: Annotated[
        bool, typer.Option("--candidates", help="Also trainings whose model was not better and wasn't used.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Judge every model so far on the held-out slides and regions: tables, and with --out figures.

    What was judged before on the same labels isn't judged again. Nothing of yours is written to, and a daemon may go on
    working beside it.
    """
    from scripts.loop.validate import validate as judge
    from scripts.loop.validate_champions import parse_iterations
    from scripts.loop.validate_files import write_files
    from scripts.loop.validate_results import ValidationRequest
    from scripts.loop.validate_text import as_json as to_json
    from scripts.loop.validate_text import lines
    from scripts.progress import show_progress
    from scripts.stopping import stopped_by_signals

    named = parse_iterations(iterations) if iterations is not None else None
    with (
        stopped_by_signals("stopping after the current tile; once more stops at once") as stop,
        show_progress(is_shown=not as_json) as progress,
    ):
        found = judge(project, ValidationRequest(by, named, candidates, stop), progress)
    written = write_files(found, out) if out is not None and found.iterations else ()
    if as_json:
        print_json({**to_json(found), "written": [str(path) for path in written]})
    else:
        for line in lines(found):
            say(line)
        for path in written:
            say(f"written: {path}")
    if found.problems or found.is_stopped or not found.iterations:
        raise typer.Exit(1)
