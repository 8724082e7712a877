"""``slidebridge doctor``: what could go wrong, before it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scripts.commands import completing
from scripts.commands.common import AsJson, ProjectPath, print_json
from scripts.telling import tell

if TYPE_CHECKING:
    from scripts.doctor.report import DoctorReport
    from scripts.doctor.verify import VerifyReport


def doctor(
    project: ProjectPath = Path(),
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Let QuPath itself read the project's images, and compare, object by object."),
    ] = False,
    store: Annotated[
        bool,
        typer.Option("--store", help="Check the project's own records: whole, at rest, and as the files say."),
    ] = False,
    resave: Annotated[
        bool,
        typer.Option("--resave", help="Let QuPath save the images anew, for old versions; close the project first."),
    ] = False,
    image: Annotated[
        list[str] | None,
        typer.Option(help="For --verify and --resave: id or name; may be repeated.", autocompletion=completing.slides),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check this machine and the project; exit 1 if anything must be mended. Nothing is written but by --resave."""
    if verify + store + resave > 1:
        raise typer.BadParameter("give one of --verify, --store and --resave")
    if resave and not image:
        raise typer.BadParameter("--resave needs --image: name the images that QuPath is to save")
    if image and not (verify or resave):
        raise typer.BadParameter("--image goes with --verify or --resave")
    if resave:
        _resave(project, image or [], as_json=as_json)
        return
    report = _verify(project, image or []) if verify else _examine(project, of_store=store, is_shown=not as_json)
    if as_json:
        print_json(report.as_json())
    else:
        tell(report.said())
    if report.has_problems:
        raise typer.Exit(1)


def _examine(path: Path, *, of_store: bool, is_shown: bool) -> DoctorReport:
    if of_store:
        from scripts.doctor.store_checks import examine_store

        return examine_store(path)
    from scripts.doctor.run import examine
    from scripts.progress import show_progress

    with show_progress(is_shown=is_shown) as progress:
        return examine(path, progress=progress)


def _verify(path: Path, images: list[str]) -> VerifyReport:
    from bridge.qupath.paquo_backend import QuPath
    from scripts.doctor.verify import chosen_entries, qupath_project, verify

    at = qupath_project(path)
    return verify(at.project, chosen_entries(at.project, images), QuPath(at.qupath))


def _resave(path: Path, images: list[str], *, as_json: bool) -> None:
    from bridge.qupath.paquo_backend import QuPath
    from scripts.doctor.resave import resave
    from scripts.doctor.verify import chosen_entries, qupath_project

    at = qupath_project(path)
    lines = resave(at.project, chosen_entries(at.project, images), QuPath(at.qupath), at.slides)
    if as_json:
        print_json({"resaved": lines})
        return
    tell(lines)
