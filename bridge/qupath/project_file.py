"""``project.qpproj`` → the images of a project."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.errors import QuPathFormatError
from bridge.qupath.json_file import read_json
from bridge.qupath.qpdata import calibration
from bridge.qupath.slide_uri import path_of_uri, relocate

logger = logging.getLogger(__name__)

MAX_IMAGES = 100_000
_MAX_WRAPPERS = 8  # a crop of a pyramid of …
_SAME_PIXELS = ("pyramidize", "channels", "color", "swapRedBlue", "color_deconvolved")

Json = Mapping[str, Any]  # whatever a file holds


@dataclass(frozen=True, slots=True)
class ProjectImage:
    """One image of a project.

    Parameters
    ----------
    entry_id
        Also the name of its folder below ``data``.
    slide
        Path of the slide, of the system that the project was saved on.
    origin
        Level-0 offset of QuPath's (0, 0) on the slide: where the image was cropped.
    builder
        The ``serverBuilder``, as it is in the file.
    """

    entry_id: str
    name: str
    slide: str
    origin: tuple[int, int]
    mpp: tuple[float, float] | None
    metadata: Mapping[str, str]
    builder: Json


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A project file, read.

    Parameters
    ----------
    version
        Of the QuPath that saved it last.
    saved_as
        Where the file was when it was saved; None if it doesn't say.
    """

    version: str
    saved_as: str | None
    images: tuple[ProjectImage, ...]

    def slide_path(self, image: ProjectImage, path: Path) -> Path:
        """Return where the slide of an image should be, the project file being at ``path`` now.

        The address in the file holds if something is there, or if the project hasn't moved; else the slide is looked
        for where it would be had it moved together with the project.
        """
        given = Path(image.slide)
        if self.saved_as is None or os.path.exists(image.slide):  # noqa: PTH110 - false, not an error, for odd names
            return given
        if os.path.normpath(self.saved_as) == os.path.normpath(path):
            return given
        return relocate(image.slide, self.saved_as, path.parent) or given


def read_project_file(path: Path) -> ProjectFile:
    """Read a project file; keys that we don't know are left alone.

    Images that are turned or put together from several files are left out, with a warning: what lies where on their
    slides is not for us to say.

    Raises
    ------
    QuPathFormatError
        Not there, no JSON, not a project, or two images have one id.
    """
    document = read_json(path)
    entries = document.get("images") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(entries, list | None):
        raise QuPathFormatError("this is no QuPath project", path=path)
    if len(entries or ()) > MAX_IMAGES:
        raise QuPathFormatError(f"a project of more than {MAX_IMAGES} images", path=path)
    try:
        images = [_read_image(entry, number) for number, entry in enumerate(entries or ())]
    except QuPathFormatError as error:
        raise error.at(path) from error
    found = tuple(image for image in images if image is not None)
    if len({image.entry_id for image in found}) < len(found):
        raise QuPathFormatError("two images of the project have one entryID", path=path)
    uri = document.get("uri")
    saved_as = path_of_uri(uri) if isinstance(uri, str) else None
    return ProjectFile(str(document.get("version", "")), saved_as, found)


def _read_image(entry: object, number: int) -> ProjectImage | None:
    builder = entry.get("serverBuilder") if isinstance(entry, dict) else None
    entry_id = entry.get("entryID", 0) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(builder, dict) or not _is_id(entry_id):
        raise QuPathFormatError(f"image {number} of the project has no serverBuilder, or an entryID that is no number")
    name = str(entry.get("imageName") or "")
    found = _find_slide(builder)
    if found is None:
        logger.warning("left out, QuPath shows it turned or put together entry=%s", entry_id)
        return None
    uri, origin = found
    slide = path_of_uri(uri)
    return ProjectImage(
        str(entry_id), name or Path(slide).name, slide, origin, _mpp(builder), _metadata(entry), builder
    )


def _is_id(entry_id: object) -> bool:
    """Say whether it may name a folder: digits only, so that no path gets in."""
    text = str(entry_id) if isinstance(entry_id, int | str) and not isinstance(entry_id, bool) else ""
    return text.isascii() and text.isdigit() and len(text) < 20


def _find_slide(builder: Json) -> tuple[str, tuple[int, int]] | None:
    """Return URI and origin of the file that an image shows; None where they can't be told."""
    x = y = 0
    for _ in range(_MAX_WRAPPERS):
        kind = builder.get("builderType", "uri")
        if kind == "uri":
            uri = builder.get("uri")
            return (uri, (x, y)) if isinstance(uri, str) else None
        if kind == "cropped":
            region = builder.get("region")
            left, top = (region.get("x"), region.get("y")) if isinstance(region, dict) else (None, None)
            if not isinstance(left, int) or not isinstance(top, int):
                return None
            x, y = x + left, y + top
        elif kind not in _SAME_PIXELS:
            return None
        inner = builder.get("builder")
        if not isinstance(inner, dict):
            return None
        builder = inner
    return None


def _mpp(builder: Json) -> tuple[float, float] | None:
    try:
        return calibration(builder["metadata"])
    except (LookupError, TypeError, ValueError):
        return None  # not calibrated


def _metadata(entry: Json) -> dict[str, str]:
    """Return the entry's key–value pairs; its description under ``description`` unless there is such a key."""
    given = entry.get("metadata")
    metadata = {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    if isinstance(entry.get("description"), str):
        metadata.setdefault("description", entry["description"])
    return metadata
