"""Name the format of an annotation file by its first bytes, so that a refusal can say what was met."""

from __future__ import annotations

import re
import zlib
from enum import StrEnum
from pathlib import Path

from bridge.halo import HALO_ADVICE, is_halo

HEAD_BYTES = 8192  # what a caller should read for ``recognize``


class AnnotationFormat(StrEnum):
    """A file format, as a person calls it."""

    IMAGESCOPE = "ImageScope XML"
    ASAP = "ASAP XML"
    HALO = "HALO XML"
    NDPA = "NDP.view XML"
    LEICA_LMD = "Leica LMD XML"
    XML = "XML of an unknown program"
    GEOJSON = "GeoJSON"
    SECTRA = "Sectra JSON"
    CYTOMINE = "Cytomine JSON"
    DARWIN = "Darwin (V7) JSON"
    COCO = "COCO JSON"
    LABELME = "labelme JSON"
    VISIOPHARM = "Visiopharm MLD"
    QUPATH_CLASSES = "QuPath class list"
    QUPATH_PROJECT = "QuPath project"
    JSON = "JSON of an unknown program"
    QUPATH_DATA = "QuPath data file"
    JAVA_STREAM = "Java object stream"
    PNG = "PNG picture"
    TIFF = "TIFF picture"
    JPEG = "JPEG picture"
    ZIP = "zip archive"
    EMPTY = "empty file"
    UNKNOWN = "unknown"


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", AnnotationFormat.PNG),
    (b"II*\x00", AnnotationFormat.TIFF),
    (b"MM\x00*", AnnotationFormat.TIFF),
    (b"II+\x00", AnnotationFormat.TIFF),
    (b"MM\x00+", AnnotationFormat.TIFF),
    (b"\xff\xd8\xff", AnnotationFormat.JPEG),
    (b"PK\x03\x04", AnnotationFormat.ZIP),
)
# Annotations of other tools, which we refuse: what is in the way, and what their users can do about it.
_WAYS_OUT = {
    AnnotationFormat.HALO: HALO_ADVICE,
    AnnotationFormat.NDPA: "it counts nanometres from the slide's centre; export GeoJSON from a tool that opens it",
    AnnotationFormat.LEICA_LMD: "it holds cutting contours of a microdissector; convert what they were made from",
    AnnotationFormat.SECTRA: "it counts in fractions of the slide; export GeoJSON with level-0 pixels",
    AnnotationFormat.CYTOMINE: "it counts y upwards; export GeoJSON with level-0 pixels and y downwards",
    AnnotationFormat.DARWIN: "export the dataset as semantic masks (PNG) from V7 Darwin",
    AnnotationFormat.COCO: "it is not QuPath's GeoJSON; export one GeoJSON or mask per picture",
    AnnotationFormat.LABELME: "it is not QuPath's GeoJSON; export masks (PNG) from labelme",
    AnnotationFormat.VISIOPHARM: "export the annotations as GeoJSON or ImageScope XML from Visiopharm",
}
_JAVA_MAGIC = b"\xac\xed\x00\x05"
_GZIP_MAGIC = b"\x1f\x8b"

# The first rule that fits wins; a head may be cut anywhere, so nothing is parsed.
_XML_RULES = (
    (rb"<ASAP_Annotations\b", AnnotationFormat.ASAP),
    (rb"<ndpviewstate\b", AnnotationFormat.NDPA),
    (rb"<ImageData\b[^>]*>\s*<GlobalCoordinates>", AnnotationFormat.LEICA_LMD),
    (rb"<Annotations?\b", AnnotationFormat.IMAGESCOPE),
)
_JSON_RULES = (
    (rb'"type"\s*:\s*"(Feature|FeatureCollection|(Multi)?(Point|LineString|Polygon)|GeometryCollection)"', "GEOJSON"),
    (rb'"features"\s*:\s*\[', "GEOJSON"),
    (rb'"be\.cytomine\.', "CYTOMINE"),
    (rb'"(slideId|rowVersion)"\s*:', "SECTRA"),
    (rb'darwin-json-schema|v7labs|"bounding_box"\s*:|"schema_ref"\s*:', "DARWIN"),
    (rb'"imagePath"\s*:', "LABELME"),
    (rb'"pathClasses"\s*:', "QUPATH_CLASSES"),
    (rb'"createTimestamp"\s*:', "QUPATH_PROJECT"),
    (rb'"(categories|category_id)"\s*:', "COCO"),
)


def recognize(path: Path, head: bytes) -> AnnotationFormat:
    """Return the format of an annotation file.

    Parameters
    ----------
    path
        Its suffix decides where the content leaves it open; the file isn't opened.
    head
        The first bytes, ``HEAD_BYTES`` of them or all there are. Gzip is looked into.

    Returns
    -------
    AnnotationFormat
        Also a ``str``: what to call it in a message.
    """
    head = head[:HEAD_BYTES]
    if head.startswith(_GZIP_MAGIC):
        return recognize(path.with_suffix(""), _inflated(head))
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return AnnotationFormat.EMPTY
    if head.startswith(_JAVA_MAGIC):
        return AnnotationFormat.QUPATH_DATA if b"Data file version" in head else AnnotationFormat.JAVA_STREAM
    for magic, found in _MAGIC:
        if head.startswith(magic):
            return found
    if text.startswith(b"<") or head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _recognize_xml(head)
    if text.startswith((b"{", b"[")):
        return _recognize_json(text, path)
    return AnnotationFormat.VISIOPHARM if path.suffix.lower() == ".mld" else AnnotationFormat.UNKNOWN


def way_out(found: AnnotationFormat) -> str | None:
    """Return what a person can do with another tool's annotations; None for what is ours to read, or no annotations.

    Examples
    --------
    >>> way_out(AnnotationFormat.HALO)
    'export the annotations as GeoJSON from HALO'
    """
    return _WAYS_OUT.get(found)


def _inflated(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b"\x00"  # gzip by its mark only: unknown


def _recognize_xml(head: bytes) -> AnnotationFormat:
    # UTF-16 without decoding: the names looked for are ASCII.
    text = head.replace(b"\x00", b"")
    found = next((found for rule, found in _XML_RULES if re.search(rule, text)), AnnotationFormat.XML)
    return AnnotationFormat.HALO if found is AnnotationFormat.IMAGESCOPE and is_halo(text) else found


def _recognize_json(text: bytes, path: Path) -> AnnotationFormat:
    found = next((name for rule, name in _JSON_RULES if re.search(rule, text)), None)
    if found is not None:
        return AnnotationFormat[found]
    # An empty array is what QuPath exports where there are no objects.
    is_empty = text.rstrip() == b"[]" or path.suffix.lower() == ".geojson"
    return AnnotationFormat.GEOJSON if is_empty else AnnotationFormat.JSON
