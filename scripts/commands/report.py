"""``slidebridge report``: the morning report, one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, ProjectPath, print_json


def report(
    project: ProjectPath = Path(),
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write it; an earlier report is replaced.")
    ] = Path("report.html"),
    thumbnails: Annotated[
        int, typer.Option(min=0, max=5000, help="How many slides get a picture, those most worth seeing first.")
    ] = 60,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is no report of ours.")] = False,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write one HTML file: what happened, how good the model is, what annotation and computing cost, every slide.

    It holds everything in itself and needs no network: it can be mailed, printed, or carried on a stick. Nothing of the
    project is changed, and a daemon may go on working beside it. With --json the facts are printed, too, without
    pictures.
    """
    from datetime import datetime

    from tzlocal import get_localzone

    from scripts.plain_words import size
    from scripts.progress import show_progress
    from scripts.report.as_json import to_json
    from scripts.report.gather import ReportRequest, gather
    from scripts.report.page import render
    from scripts.report.writing import find_place, write_report

    now = datetime.now(get_localzone())
    place = find_place(out, now, is_forced=force)
    request = ReportRequest(now, place.since, thumbnails, _home())
    with show_progress(is_shown=not as_json) as progress:
        facts = gather(project, request, progress)
    written = write_report(place, render(facts))
    if as_json:
        print_json({**to_json(facts), "written": str(written)})
    else:
        typer.echo(f"written: {written} ({size(written.stat().st_size)})")
    if open_it:
        typer.launch(written.as_uri())


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # an account without one
        return None
