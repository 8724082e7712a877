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
from bridge.qupath.create import IMAGE_TYPES, QUPATH_VERSION, UNSET, create_qpdata
from bridge.qupath.json_file import parse_json, to_json, write_by_rename
from bridge.qupath.path_classes import argb_of
from bridge.qupath.project import DATA_FILE, SUMMARY_FILE, QuPathProject
from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.summary import summarize

THUMBNAIL_FILE = "thumbnail.jpg"

_OPENSLIDE = "qupath.lib.images.servers.openslide.OpenslideServerBuilder"
_IMAGEJ = "qupath.imagej.images.servers.ImageJServerBuilder"  # what QuPath picks for flat pictures
_CHANNELS = [
    {"name": name, "color": argb_of(rgb)}
    for name, rgb in (("Red", (255, 0, 0)), ("Green", (0, 255, 0)), ("Blue", (0, 0, 255)))
]


@dataclass(frozen=True, slots=True)
class NewImage:
    """What a new project must know of a slide; QuPath believes it.

    Parameters
    ----------
    width, height
        Of level 0 as QuPath shows it: of the scanned part, where the slide states one (``openslide.bounds-*``).
    levels
        (width, height) of every level, level 0 first, of the same part.
    mpp
        (x, y) µm per level-0 pixel; None if unknown.
    magnification
        Objective power; None if unknown.
    tile
        (width, height) in which QuPath asks for pixels.
    is_openslide
        OpenSlide opens it; else it is a flat picture for ImageJ.
    metadata
        Key–value pairs of the entry.
    thumbnail
        JPEG; None leaves it to QuPath.
    is_described
        What is said above holds for QuPath too. False for pictures that QuPath would not show as three colours of 8
        bits: it is told the file only, then, and looks itself.
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
    metadata: Mapping[str, str] = field(default_factory=dict)
    thumbnail: bytes | None = None
    is_described: bool = True


def create_project(
    folder: Path,
    slides: Sequence[NewImage],
    classes: Mapping[str, Rgb],
    *,
    version: str = QUPATH_VERSION,
    image_type: str = UNSET,
    now: datetime,
) -> QuPathProject:
    """Write a whole new project; ``project.qpproj`` comes last, so a crash leaves no half project.

    Parameters
    ----------
    folder
        Made if it isn't there.
    classes
        Full class name → colour, for QuPath's list of classes.
    image_type
        One of ``IMAGE_TYPES``. QuPath notes it in ``data.qpdata``, so every image gets a first one, unless it is
        ``UNSET``: QuPath asks then when it opens the image.

    Raises
    ------
    WriteFailedError
        The folder holds a project or a project's data already, or can't be written.
    """
    if image_type not in IMAGE_TYPES:
        raise ValueError(f"{image_type!r} is no image type of QuPath's: {', '.join(IMAGE_TYPES)}")
    path = new_project_path(folder)
    folder = path.parent
    builders = [_server_builder(slide) for slide in slides]
    for number, (slide, builder) in enumerate(zip(slides, builders, strict=True), 1):
        _write_entry(path, str(number), slide, builder, image_type, version)
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


def new_project_path(folder: Path) -> Path:
    """Return where a new project's file will be.

    Raises
    ------
    WriteFailedError
        It is a file, or the folder holds a project or a project's data already.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - Path.absolute keeps ".."
    path = folder / "project.qpproj"
    if folder.is_file():
        raise WriteFailedError(f"{folder} is a file; name the folder to make the project in")
    if path.exists():
        raise WriteFailedError(f"{path} is there already; open that project, or name an empty folder")
    if (folder / "data").exists():
        raise WriteFailedError(
            f"{folder / 'data'} is there already, without a project; name an empty folder, or remove it if it is left"
            " of an attempt that was stopped"
        )
    return path


def _write_entry(
    project: Path, entry_id: str, slide: NewImage, builder: Mapping[str, Any], image_type: str, version: str
) -> None:
    folder = project.parent / "data" / entry_id
    write_by_rename(folder / "server.json", to_json(builder))
    if slide.thumbnail is not None:
        write_by_rename(folder / THUMBNAIL_FILE, slide.thumbnail)
    if image_type == UNSET:
        return
    path = folder / DATA_FILE
    data = create_qpdata(
        builder,
        file_path=str(path),
        project_path=str(project),
        entry_id=entry_id,
        image_type=image_type,
        version=version,
    )
    write_by_rename(path, data)
    saved_ms = path.stat().st_mtime_ns // 10**6
    summary = summarize(open_qpdata(data), len(data), timestamp_ms=saved_ms, earlier={}, server=builder.get("metadata"))
    write_by_rename(folder / SUMMARY_FILE, summary)


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
    uri = Path(os.path.abspath(slide.path)).as_uri()  # noqa: PTH100 - Path.absolute keeps ".."
    if not slide.is_described:
        return {"builderType": "uri", "uri": uri, "args": []}
    return {
        "builderType": "uri",
        "providerClassName": _OPENSLIDE if slide.is_openslide else _IMAGEJ,
        "uri": uri,
        "args": [],
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
            {
                "downsample": level_downsample((slide.width, slide.height), level),
                "width": level[0],
                "height": level[1],
            }
            for level in slide.levels
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


def level_downsample(whole: tuple[int, int], level: tuple[int, int]) -> float:
    """Return the downsample that QuPath notes for a level: whole where that explains both sides to a pixel.

    Examples
    --------
    >>> level_downsample((2220, 2967), (555, 741)), level_downsample((903, 701), (602, 467))
    (4.0, 1.500535...)
    """
    ratios = [side / part for side, part in zip(whole, level, strict=True)]
    nearest = max(1, round(sum(ratios) / 2))
    fits = all(abs(side / nearest - part) < 1 for side, part in zip(whole, level, strict=True))
    return float(nearest) if fits else sum(ratios) / 2


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
