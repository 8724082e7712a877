"""The records of a ``data.qpdata``: version, server, hierarchy, image properties, end mark.

QuPath writes them one after another: the version as block data, a JSON text about the image, a ``Locale``, the image
type, stains, workflow, the hierarchy, a ``HashMap`` of image properties, and the text ``EOF``. Readers go by type, not
by position.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import QuPathFormatError
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_stream import Item, JavaEnum, JavaObject, JavaStream
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_values import is_hash_map, map_items, text_or_none

WRITABLE_VERSION = 3
READABLE_VERSIONS = (2, WRITABLE_VERSION)
WRITE_MARKER = "slidebridge.write"  # image property: id of our last write
END_MARK = b"EOF"
END_BYTES = b"\x74\x00\x03" + END_MARK  # how every whole file ends

_TITLE = b"Data file version "
_HIERARCHY = "qupath.lib.objects.hierarchy.PathObjectHierarchy"
_IMAGE_TYPE = "qupath.lib.images.ImageData$ImageType"
_MICROMETRE = ("µm", "μm", "um")  # micro sign (QuPath's), Greek mu, plain


@dataclass(frozen=True, slots=True)
class QpData:
    """A ``data.qpdata`` as a graph.

    Parameters
    ----------
    stream
        Everything, in the file's order.
    version
        Of the data format.
    header
        The JSON text about the image; None if there is none.
    hierarchy, root
        The object that holds all objects, and its root object.
    properties
        The ``HashMap`` of image properties; None if there is none.
    """

    stream: JavaStream
    version: int
    header: str | None
    hierarchy: JavaObject
    root: JavaObject
    properties: JavaObject | None

    @property
    def write_marker(self) -> str | None:
        """Id of our last write that this file carries."""
        if self.properties is None:
            return None
        values = {text_or_none(key): value for key, value in map_items(self.properties)}
        return text_or_none(values.get(WRITE_MARKER))

    @property
    def image_type(self) -> str | None:
        """Name of QuPath's image type, ``"BRIGHTFIELD_H_E"``."""
        found = [x for x in self.stream.items if isinstance(x, JavaEnum) and x.desc.name == _IMAGE_TYPE]
        return found[-1].name.text if found else None

    @property
    def mpp(self) -> tuple[float, float] | None:
        """(x, y) µm per level-0 pixel that the file itself notes; None if it doesn't."""
        try:
            header = json.loads(self.header or "null")
            return calibration(header["server"]["metadata"])
        except (ValueError, RecursionError, LookupError, TypeError):
            return None  # informative only, and may be in any builder's form


def open_qpdata(data: bytes) -> QpData:
    """Read the bytes of a ``data.qpdata``.

    Raises
    ------
    QuPathFormatError
        Cut short, of an unknown version, without hierarchy, or no such file at all.
    """
    stream = read_stream(data)
    items = stream.items
    version = _read_version(items)
    if not items or not isinstance(items[-1], JavaString) or items[-1].raw != END_MARK:
        raise QuPathFormatError("the EOF mark is missing: the save was not finished; save the image again in QuPath")
    hierarchy = _only_hierarchy(items)
    root = hierarchy.field("rootObject")
    if not isinstance(root, JavaObject):
        raise QuPathFormatError("the hierarchy has no root object; save the image again in QuPath")
    texts = [item for item in items[:-1] if isinstance(item, JavaString)]
    maps = [item for item in items if isinstance(item, JavaObject) and is_hash_map(item)]
    return QpData(stream, version, texts[0].text if texts else None, hierarchy, root, maps[-1] if maps else None)


def _read_version(items: list[Item]) -> int:
    title = items[0] if items else None
    if not isinstance(title, bytes) or not title[2:].startswith(_TITLE):
        raise QuPathFormatError("this is no data file of QuPath's: it doesn't begin with a version")
    number = title[2 + len(_TITLE) :]
    known = {str(version).encode(): version for version in READABLE_VERSIONS}
    if number not in known:
        shown = number[:20].decode("ascii", "replace")
        raise QuPathFormatError(f"data version {shown!r} is unknown (2 and 3 are); use the paquo backend")
    return known[number]


def _only_hierarchy(items: list[Item]) -> JavaObject:
    found = [item for item in items if isinstance(item, JavaObject) and item.desc.name == _HIERARCHY]
    if len(found) != 1:
        raise QuPathFormatError(f"{len(found)} hierarchies where one belongs; save the image again in QuPath")
    return found[0]


def calibration(metadata: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return (x, y) µm per pixel of a server's metadata, None unless both sides are calibrated in µm.

    Raises
    ------
    LookupError, TypeError, ValueError
        The metadata is not of QuPath's form.
    """
    pixels = metadata["pixelCalibration"]
    sides = (pixels["pixelWidth"], pixels["pixelHeight"])
    try:
        values = tuple(float(side["value"]) for side in sides if side["unit"] in _MICROMETRE)
    except OverflowError as error:
        raise ValueError("a pixel size beyond any number") from error
    if len(values) != 2 or not all(math.isfinite(value) and value > 0 for value in values):
        return None
    return values[0], values[1]
