"""``slidebridge convert``: annotations of one format into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, DryRun, print_json


def convert(
    source: Annotated[str, typer.Argument(metavar="SRC", help="File, or project.qpproj#ID or #IMAGE NAME.")],
    target: Annotated[str, typer.Argument(metavar="DST", help="Likewise; into a QuPath image objects are appended.")],
    slide: Annotated[Path | None, typer.Option(help="The slide: its size, which masks need, and µm per pixel.")] = None,
    downsample: Annotated[
        float | None,
        typer.Option(min=1.0, help="Level-0 pixels per mask pixel.", show_default="the mask's own, else 1"),
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Classes in label order and their colours: a slidebridge.toml, or TOML or JSON of name and #rrggbb.",
            show_default="those of SRC",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace DST (a backup is kept, but of masks); in QuPath, append copies.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Convert annotations: .xml (ImageScope), .geojson, .geojson.gz, .png or .tif (label mask), QuPath images.

    The suffix says the format. What DST can't hold is counted and said.
    """
    from scripts.conversion import ConversionRequest, parse_endpoint
    from scripts.conversion import convert as run
    from scripts.progress import show_progress

    request = ConversionRequest(
        parse_endpoint(source), parse_endpoint(target), slide, downsample, classes, force, dry_run
    )
    with show_progress(is_shown=not as_json) as progress:
        report = run(request, progress)
    if as_json:
        print_json(report.as_json())
        return
    for line in report.lines():
        typer.echo(line)
