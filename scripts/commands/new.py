"""``slidebridge new``: set a project up beside what exists."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from scripts.commands.common import AsJson, DryRun, Force, print_json
from scripts.telling import say


class ImageType(StrEnum):
    """What QuPath calls the type of an image, in short."""

    HE = "he"
    HDAB = "hdab"
    BRIGHTFIELD = "brightfield"
    FLUORESCENCE = "fluorescence"
    OTHER = "other"
    UNSET = "unset"


class MadeBy(StrEnum):
    """Who makes a QuPath project."""

    NATIVE = "native"
    PAQUO = "paquo"


_QUPATH_NAMES = {
    ImageType.HE: "BRIGHTFIELD_H_E",
    ImageType.HDAB: "BRIGHTFIELD_H_DAB",
    ImageType.BRIGHTFIELD: "BRIGHTFIELD_OTHER",
    ImageType.FLUORESCENCE: "FLUORESCENCE",
    ImageType.OTHER: "OTHER",
    ImageType.UNSET: "UNSET",
}


def new(
    imagescope: Annotated[Path | None, typer.Option(help="Folder of slides, with or without same-named .xml.")] = None,
    qupath: Annotated[Path | None, typer.Option(help="A QuPath project.qpproj. Close the project first.")] = None,
    geojson: Annotated[Path | None, typer.Option(help="Folder of slides, with or without same-named .geojson.")] = None,
    hail: Annotated[
        Path | None, typer.Option(help="An H-AI-L project: the folder that holds TRAINING_data and HOLDOUT_data.")
    ] = None,
    qupath_create: Annotated[Path | None, typer.Option(help="Make a QuPath project in this folder.")] = None,
    slides: Annotated[list[Path] | None, typer.Argument(help="Slides or folders of them, for --qupath-create.")] = None,
    image_type: Annotated[
        ImageType, typer.Option(help="With --qupath-create: type of the images; unset: QuPath asks.")
    ] = ImageType.UNSET,
    backend: Annotated[
        MadeBy, typer.Option(help="With --qupath-create: paquo has your own QuPath make it, for further formats.")
    ] = MadeBy.NATIVE,
    mpp: Annotated[float | None, typer.Option(help="Working resolution of the model, µm per pixel.")] = None,
    transfer: Annotated[
        Path | None,
        typer.Option(help="Begin from another project's model, or a checkpoint's folder; a project may be there."),
    ] = None,
    keep_classes: Annotated[bool, typer.Option(help="Leave QuPath's classes.json as it is.")] = False,
    force: Force = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Set a project up: look at the annotation files and write slidebridge.toml beside them."""
    from scripts.set_up import Backend, Beginning, set_up

    chosen = {
        "imagescope": imagescope,
        "qupath": qupath,
        "geojson": geojson,
        "hail": hail,
        "qupath_create": qupath_create,
    }
    given = {kind: path for kind, path in chosen.items() if path is not None}
    if len(given) != 1:
        raise typer.BadParameter("give one of --imagescope, --qupath, --geojson, --hail, --qupath-create")
    if slides and qupath_create is None:
        raise typer.BadParameter("slides are named with --qupath-create only")
    kind, path = next(iter(given.items()))
    beginning = Beginning(
        kind,
        path,
        tuple(slides or ()),
        mpp,
        keep_classes=keep_classes,
        may_replace=force,
        image_type=_QUPATH_NAMES[image_type],
        backend=Backend(backend.value),
        transfer=transfer,
    )
    done = set_up(beginning, is_dry_run=dry_run)
    if as_json:
        print_json(done.as_json())
        return
    for line in done.lines():
        say(line)
