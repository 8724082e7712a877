"""A QuPath project from nothing, as QuPath 0.5.1 would have saved it; read by 0.4 to 0.7."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bridge.annotations import Rgb
from bridge.errors import QuPathFormatError, WriteFailedError
from bridge.qupath.create import QUPATH_VERSION
from bridge.qupath.json_file import parse_json, to_json, write_by_rename
from bridge.qupath.path_classes import argb_of
from bridge.qupath.project import QuPathProject

_OPENSLIDE = "qupath.lib.images.servers.openslide.OpenslideServerBuilder"
_IMAGEJ = "qupath.imagej.images.servers.ImageJServerBuilder"  # what QuPath picks for flat pictures
_CHANNELS = [
    {"name": name, "color": argb_of(rgb)}
    for name, rgb in (("Red", (255, 0, 0)), ("Green", (0, 255, 0)), ("Blue", (0, 0, 255)))
]


@dataclass(frozen=True, slots=True)
class NewImage:
    """What a new project must know of an RGB slide; QuPath believes it.

    Parameters
    ----------
    width, height
        Of level 0.
    levels
        (width, height) of every level, level 0 first.
    mpp
        (x, y) µm per level-0 pixel; None if unknown.
    magnification
        Objective power; None if unknown.
    tile
        (width, height) in which QuPath asks for pixels.
    is_openslide
        OpenSlide opens it; else it is a flat picture for ImageJ.
    has_bounds
        The slide has OpenSlide's ``bounds-*`` properties: QuPath is then told not to crop to them, so that its
        coordinates are OpenSlide's and the size above holds.
    metadata
        Key–value pairs of the entry.
    """

    path: Path
    name: str
    width: int
    height: int
    levels: tuple[tuple[int, int], ...]
    mpp: tuple[float, float] | None
    magnification: float | None
    tile: tuple[int, int]
    is_openslide: bool
    has_bounds: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


def create_project(
    folder: Path,
    slides: Sequence[NewImage],
    classes: Mapping[str, Rgb],
    *,
    version: str = QUPATH_VERSION,
    now: datetime,
) -> QuPathProject:
    """Write a whole new project; ``project.qpproj`` comes last, so a crash leaves no half project.

    Parameters
    ----------
    folder
        Made if it isn't there.
    classes
        Full class name → colour, for QuPath's list of classes.

    Raises
    ------
    WriteFailedError
        The folder holds a project or a project's data already, or can't be written.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - Path.absolute keeps ".."
    path = folder / "project.qpproj"
    taken = next((x for x in (path, folder / "data") if x.exists()), None)
    if taken is not None:
        raise WriteFailedError(f"{taken} is there already; open that project, or name an empty folder")
    builders = [_server_builder(slide) for slide in slides]
    for number, builder in enumerate(builders, 1):
        write_by_rename(folder / "data" / str(number) / "server.json", to_json(builder))
    write_by_rename(folder / "data" / "metadata.json", b"{}")
    if classes:
        write_by_rename(folder / "classifiers" / "classes.json", merged_classes(b"", classes))
    now_ms = int(now.timestamp() * 1000)
    document = {
        "version": version,
        "createTimestamp": now_ms,
        "modifyTimestamp": now_ms,
        "uri": path.as_uri(),
        "lastID": len(slides),
        "images": [
            _image(i, slide, builder) for i, (slide, builder) in enumerate(zip(slides, builders, strict=True), 1)
        ],
    }
    write_by_rename(path, to_json(document))
    return QuPathProject(path)


def _image(entry_id: int, slide: NewImage, builder: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "serverBuilder": builder,
        "entryID": entry_id,
        "randomizedName": str(uuid.uuid5(uuid.NAMESPACE_URL, builder["uri"])),
        "imageName": slide.name,
        "metadata": dict(slide.metadata),
        "tags": [],
    }


def _server_builder(slide: NewImage) -> dict[str, Any]:
    return {
        "builderType": "uri",
        "providerClassName": _OPENSLIDE if slide.is_openslide else _IMAGEJ,
        "uri": Path(os.path.abspath(slide.path)).as_uri(),  # noqa: PTH100 - Path.absolute keeps ".."
        "args": ["--no-crop"] if slide.is_openslide and slide.has_bounds else [],
        "metadata": _server_metadata(slide),
    }


def _server_metadata(slide: NewImage) -> dict[str, Any]:
    sides = [{"value": side, "unit": "µm"} for side in slide.mpp or ()] or [{"value": 1.0, "unit": "px"}] * 2
    metadata: dict[str, Any] = {
        "name": slide.name,
        "width": slide.width,
        "height": slide.height,
        "sizeZ": 1,
        "sizeT": 1,
        "channelType": "DEFAULT",
        "isRGB": True,
        "pixelType": "UINT8",
        "levels": [
            {"downsample": (slide.width / width + slide.height / height) / 2, "width": width, "height": height}
            for width, height in slide.levels
        ],
        "channels": _CHANNELS,
        "pixelCalibration": {
            "pixelWidth": sides[0],
            "pixelHeight": sides[1],
            "zSpacing": {"value": 1.0, "unit": "z-slice"},
            "timeUnit": "SECONDS",
            "timepoints": [],
        },
        "preferredTileWidth": slide.tile[0],
        "preferredTileHeight": slide.tile[1],
    }
    return metadata if slide.magnification is None else {**metadata, "magnification": float(slide.magnification)}


def merged_classes(existing: bytes, extra: Mapping[str, Rgb]) -> bytes:
    """Return a ``classes.json`` with the classes added that it lacks; colours and order of the others stay.

    Parameters
    ----------
    existing
        The file as it is; empty for none.

    Raises
    ------
    QuPathFormatError
        The file is broken: QuPath wouldn't open the project either.
    """
    document = parse_json(existing) if existing else {}
    listed = document.get("pathClasses", []) if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(listed, list):
        raise QuPathFormatError("this is no list of QuPath's classes; restore classes.json from a backup")
    known = {entry.get("name") for entry in listed if isinstance(entry, dict)}
    added = [{"name": name, "color": argb_of(color)} for name, color in extra.items() if name not in known]
    return to_json({**document, "pathClasses": [*listed, *added]})
