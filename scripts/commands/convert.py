"""``slidebridge convert``: annotations of one format into another."""

from __future__ import annotations

import math
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.commands import completing
from scripts.commands.common import AsJson, DryRun, print_json
from scripts.telling import say

if TYPE_CHECKING:
    from scripts.conversion import BatchReport, ConversionOptions, ConversionReport
    from scripts.progress import Progress


class TurnName(StrEnum):
    """Names of ``bridge.annotations.transforms.Turn``, without importing it for ``--help``."""

    ROTATE_90 = "rotate90"
    ROTATE_180 = "rotate180"
    ROTATE_270 = "rotate270"
    FLIP_X = "flip-x"
    FLIP_Y = "flip-y"


class SourceName(StrEnum):
    """What ``--from`` takes."""

    XML = "xml"
    GEOJSON = "geojson"
    ASAP = "asap"
    MASK = "mask"


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="File, folder, project.qpproj, or project.qpproj#ID or #IMAGE NAME.")
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="DST",
            help="File, folder (with --to) or project; into QuPath images, found by slide name, objects are appended.",
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="For a folder DST: xml, geojson, geojson.gz, png, tif or mask.",
            autocompletion=completing.formats,
        ),
    ] = None,
    only: Annotated[
        SourceName | None, typer.Option("--from", help="Of a folder SRC take only these; mask: grey pictures too.")
    ] = None,
    slide: Annotated[
        Path | None,
        typer.Option(
            help="The slide: its size, which masks need, and µm per pixel. For many files: the folder of the slides.",
            show_default="beside each file, by name, for many",
        ),
    ] = None,
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
    simplify: Annotated[
        float | None,
        typer.Option(metavar="UM", min=0.0, help="Simplify a mask's staircase outlines by this tolerance, in µm."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make outlines that cross themselves valid, with the area as drawn.")
    ] = False,
    snap: Annotated[
        float, typer.Option(metavar="UM", min=0.0, help="Close seams between neighbours up to this, in µm.")
    ] = 0.0,
    least: Annotated[
        float, typer.Option(metavar="UM2", min=0.0, help="Drop parts and fill holes smaller than this, in µm².")
    ] = 0.0,
    transform: Annotated[
        TurnName | None,
        typer.Option(help="Turn (clockwise) or mirror the objects onto the slide; ImageScope's SCN: rotate270."),
    ] = None,
    offset: Annotated[
        str | None, typer.Option(metavar="X,Y", help="Then move the objects by this, in level-0 pixels.")
    ] = None,
    nest: Annotated[
        bool,
        typer.Option("--nest", help="In GeoJSON keep QuPath's hierarchy; many other programs overlook nested objects."),
    ] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what became of every file: .csv or .json.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace DST (a backup is kept, but of masks); in QuPath, append copies.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Convert annotations: .xml (ImageScope; ASAP is read), .geojson, .geojson.gz, .png or .tif (label mask), QuPath.

    The suffix of DST says the format, or --to for whole folders and projects: a file that fails never stops the rest,
    and the exit status is 1. What DST can't hold is counted and said.
    """
    from bridge.annotations.transforms import Turn
    from scripts.conversion import ConversionOptions, Mending, Transform, check_report_path, is_many
    from scripts.progress import show_progress

    check_report_path(report)
    way = Transform(None if transform is None else Turn(transform.value), _offset(offset))
    options = ConversionOptions(downsample, classes, force, dry_run, way, simplify, Mending(repair, snap, least), nest)
    with show_progress(is_shown=not as_json) as progress:
        if is_many(source, target) or to is not None or only is not None:
            done = _convert_many(source, target, to, only, slide, options, progress)
            facts, lines = done.as_json(), done.lines()
        else:
            one, done = _convert_one(source, target, slide, options, progress)
            facts, lines = one.as_json(), one.lines()
    if report is not None:
        done.write(report)
    if as_json:
        print_json(facts)
    else:
        say("\n".join(lines))
    if done.has_failed:
        raise typer.Exit(1)


def _convert_one(
    source: str, target: str, slide: Path | None, options: ConversionOptions, progress: Progress
) -> tuple[ConversionReport, BatchReport]:
    from scripts.conversion import BatchReport, ConversionRequest, parse_endpoint, parse_source
    from scripts.conversion import convert as run

    start = time.perf_counter()
    report = run(ConversionRequest(parse_source(source), parse_endpoint(target), slide, options), progress)
    return report, BatchReport.of_one(report, time.perf_counter() - start)


def _convert_many(
    source: str,
    target: str,
    to: str | None,
    only: SourceName | None,
    slides: Path | None,
    options: ConversionOptions,
    progress: Progress,
) -> BatchReport:
    from scripts.conversion import EndpointKind, convert_all, parse_target_format, plan_jobs

    kinds = {
        SourceName.XML: EndpointKind.IMAGESCOPE,
        SourceName.GEOJSON: EndpointKind.GEOJSON,
        SourceName.ASAP: EndpointKind.ASAP,
        SourceName.MASK: EndpointKind.MASK,
    }
    wanted = None if only is None else kinds[only]
    return convert_all(plan_jobs(source, target, parse_target_format(to), slides, wanted), options, progress)


def _offset(text: str | None) -> tuple[float, float]:
    """Return what ``--offset`` says; (0, 0) for nothing."""
    try:
        x, y = (float(part) for part in (text or "0,0").split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no X,Y; write it as 100,-20", param_hint="--offset") from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise typer.BadParameter(f"{text!r} is no place", param_hint="--offset")
    return x, y
