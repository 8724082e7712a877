"""``project.qpproj`` → the images of a project."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from bridge.errors import QuPathFormatError
from bridge.qupath.json_file import parse_json, read_bounded
from bridge.qupath.qpdata import calibration
from bridge.qupath.slide_uri import path_of_uri, relocate

logger = logging.getLogger(__name__)

MAX_IMAGES = 100_000
_MAX_WRAPPERS = 8  # a crop of a pyramid of …
_MOST_OFFSET = 2**31  # a Java int
_OPENSLIDE = "OpenslideServerBuilder"
_LOOKS, _PAUSE_SECONDS = 20, 0.05  # for a project file that is just being replaced
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
        Level-0 offset of QuPath's (0, 0) on the image of the file: where a person has cropped it.
    crops_to_bounds
        QuPath opens the file by OpenSlide and without ``--no-crop``: its image begins at ``openslide.bounds-*``.
    size
        (width, height) of that image as the project has it, before the crop; None if it doesn't say.
    builder
        The ``serverBuilder``, as it is in the file.
    """

    entry_id: str
    name: str
    slide: str
    origin: tuple[int, int]
    crops_to_bounds: bool
    size: tuple[int, int] | None
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
    left_out
        One line for each image that can't be placed on a slide, for people.
    names
        What people call the images, those that are left out among them.
    """

    version: str
    saved_as: str | None
    images: tuple[ProjectImage, ...]
    left_out: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def slide_path(self, image: ProjectImage, path: Path) -> Path:
        """Return where the slide of an image should be, the project file being at ``path`` now.

        The address in the file holds if something is there, or if the project hasn't moved; else the slide is looked
        for where it would be had it moved together with the project.
        """
        given = Path(image.slide)
        # No path of this system, such as Z:/a.svs on Linux, is one below the current folder.
        is_there = os.path.isabs(image.slide) and os.path.exists(image.slide)  # noqa: PTH110, PTH117 - no errors for odd names
        if self.saved_as is None or is_there:
            return given
        if os.path.normpath(self.saved_as) == os.path.normpath(path):
            return given
        return relocate(image.slide, self.saved_as, path.parent) or given


@dataclass(slots=True)
class KnownProject:
    """A project file that is parsed again when its bytes are others: that takes long where there are many images.

    Parameters
    ----------
    path
        The ``project.qpproj``.
    """

    path: Path
    _found: tuple[bytes, ProjectFile, Mapping[str, ProjectImage]] | None = field(default=None, repr=False)

    def __reduce__(self) -> tuple[type[KnownProject], tuple[Path]]:
        """Go to other processes without what was parsed."""
        return KnownProject, (self.path,)

    def image(self, entry_id: str) -> tuple[ProjectFile, ProjectImage | None]:
        """Return the project as it is now, and one of its images; None where it has none such.

        Raises
        ------
        QuPathFormatError
            As ``read_project_file``.
        """
        data = _read_patiently(self.path, time.sleep)
        digest, found = hashlib.sha256(data).digest(), self._found
        if found is None or found[0] != digest:
            project = _parse_project(data, self.path)
            found = (digest, project, {image.entry_id: image for image in project.images})
            self._found = found  # in one step: threads may share it
        return found[1], found[2].get(entry_id)


def read_project_file(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> ProjectFile:
    """Read a project file; keys that we don't know are left alone.

    Images that are turned or put together from several files are left out, and named: what lies where on their slides
    is not for us to say. QuPath replaces the file by two renames, so there are moments without one: they are waited
    for, for a second at most.

    Raises
    ------
    QuPathFormatError
        Not there, no JSON, not a project, or two images have one id.
    """
    return _parse_project(_read_patiently(path, sleep), path)


def _parse_project(data: bytes, path: Path) -> ProjectFile:
    try:
        document = parse_json(data)
    except QuPathFormatError as error:
        raise error.at(path) from error
    entries = document.get("images") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(entries, list | None):
        raise QuPathFormatError("this is no QuPath project", path=path)
    if len(entries or ()) > MAX_IMAGES:
        raise QuPathFormatError(f"a project of more than {MAX_IMAGES} images", path=path)
    try:
        images = [_read_image(entry, number) for number, entry in enumerate(entries or ())]
    except QuPathFormatError as error:
        raise error.at(path) from error
    found = tuple(image for image in images if isinstance(image, ProjectImage))
    if len({image.entry_id for image in found}) < len(found):
        raise QuPathFormatError("two images of the project have one entryID", path=path)
    uri = document.get("uri")
    saved_as = path_of_uri(uri) if isinstance(uri, str) else None
    left_out = tuple(image for image in images if isinstance(image, str))
    names = tuple(name for entry in entries or () if (name := _name(entry)))
    return ProjectFile(str(document.get("version", "")), saved_as, found, left_out, names)


def _read_patiently(path: Path, sleep: Callable[[float], None]) -> bytes:
    """Read the file, waiting while it is not there but its new or old version is: QuPath is just changing them."""
    others = [path.with_name(f"{path.name}.{ending}") for ending in ("tmp", "backup")]
    there: list[str] = []
    for _ in range(_LOOKS):
        try:
            return read_bounded(path)
        except QuPathFormatError as error:
            there = [other.name for other in others if other.exists()]
            if not isinstance(error.__cause__, FileNotFoundError) or not there:
                raise
        sleep(_PAUSE_SECONDS)
    raise QuPathFormatError(
        f"there is no such file, but {there[0]}: QuPath was stopped while it saved the project; close QuPath and rename"
        f" that file to {path.name}",
        path=path,
    )


def _read_image(entry: object, number: int) -> ProjectImage | str:
    """Return an image, or what is to be said of one that is left out."""
    builder = entry.get("serverBuilder") if isinstance(entry, dict) else None
    entry_id = entry.get("entryID", 0) if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(builder, dict) or not _is_id(entry_id):
        raise QuPathFormatError(f"image {number} of the project has no serverBuilder, or an entryID that is no number")
    name = _name(entry)
    found = _find_slide(builder)
    if found is None:
        logger.debug("left out entry=%s builder=%s", entry_id, builder.get("builderType"))
        return (
            f"image {name or entry_id} of the QuPath project is left out: QuPath shows it turned or put together"
            f" ({_kinds(builder)}), so where its objects lie on a slide can't be told; add the plain slide as well"
        )
    file, origin = found
    slide = path_of_uri(str(file["uri"]))
    return ProjectImage(
        entry_id=str(entry_id),
        name=name or _name_of(slide),
        slide=slide,
        origin=origin,
        crops_to_bounds=_crops_to_bounds(file),
        size=_size(file),
        mpp=_mpp(builder),
        metadata=_metadata(entry),
        builder=builder,
    )


def _name(entry: Json) -> str:
    return " ".join(str(entry.get("imageName") or "").split())


def _name_of(slide: str) -> str:
    return slide.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _kinds(builder: object) -> str:
    """Name the outermost builder and those in it: what a person may know the image by."""
    kinds: list[str] = []
    while isinstance(builder, dict) and len(kinds) < _MAX_WRAPPERS:
        kinds.append(" ".join(str(builder.get("builderType", "uri")).split())[:40])
        builder = builder.get("builder")
    return " of ".join(kinds)


def _crops_to_bounds(file: Json) -> bool:
    """Say whether QuPath, opening this file, crops it to its bounds where it has any.

    A builder without a provider's name is opened by the provider that suits the file best: for a slide, OpenSlide.
    """
    provider, args = file.get("providerClassName"), file.get("args")
    is_openslide = provider is None or str(provider).endswith(_OPENSLIDE)
    return is_openslide and "--no-crop" not in (args if isinstance(args, list) else ())


def _size(file: Json) -> tuple[int, int] | None:
    metadata = file.get("metadata")
    width, height = (metadata.get(key) for key in ("width", "height")) if isinstance(metadata, dict) else (None, None)
    return (width, height) if _is_offset(width) and _is_offset(height) and width > 0 and height > 0 else None


def _is_offset(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_OFFSET


def _is_id(entry_id: object) -> bool:
    """Say whether it may name a folder: digits only, so that no path gets in."""
    text = str(entry_id) if isinstance(entry_id, int | str) and not isinstance(entry_id, bool) else ""
    return text.isascii() and text.isdigit() and len(text) < 20


def _find_slide(builder: Json) -> tuple[Json, tuple[int, int]] | None:
    """Return the innermost builder, which has a URI, and the origin on its image; None where they can't be told."""
    x = y = 0
    for _ in range(_MAX_WRAPPERS):
        kind = builder.get("builderType", "uri")
        if kind == "uri":
            return (builder, (x, y)) if isinstance(builder.get("uri"), str) else None
        if kind == "cropped":
            region = builder.get("region")
            left, top = (region.get("x"), region.get("y")) if isinstance(region, dict) else (None, None)
            if not _is_offset(left) or not _is_offset(top):
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
