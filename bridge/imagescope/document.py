"""An ImageScope file as elements: what they mean and where their bytes are.

One pass of expat over what is left when the plain vertices have been read in bulk. Edits are splices between byte
offsets, so that everything else goes out byte for byte. Nothing in the file can name another file or grow on reading:
document types and entities are refused; size, depth, elements, vertices, attributes and their length are bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np

from bridge.errors import ImageScopeFormatError
from bridge.halo import HALO_ADVICE, is_halo
from bridge.imagescope.elements import (
    Document,
    Element,
    LayerElement,
    Property,
    RegionElement,
    parse_number,
)
from bridge.imagescope.encoding import Encoding, to_utf8
from bridge.imagescope.vertices import ThinText, Vertices, take_vertices

MAX_BYTES = 512 << 20  # some 12 million vertices
MAX_VERTICES = 20_000_000
MAX_ELEMENTS = 4_000_000  # vertices apart; some six for each region
MAX_DEPTH = 64  # ImageScope's own files are 6 deep
MAX_ATTRIBUTES = 256  # of one element; ImageScope's regions have fifteen
MAX_ATTRIBUTE = 1 << 20  # characters

_ROOT = "Annotations"
_OTHER_TOOLS = {
    "ASAP_Annotations": "ASAP",
    "annotations": "NDP.view or CVAT",
    "annotation": "Pascal VOC",
    "ImageAnnotationCollection": "AIM",
    "ImageData": "Leica LMD",
    "OME": "OME-XML",
    "html": "a web page",
}
_VERTEX = "Vertex"
_OPEN_TAG = re.compile(rb"""<(?:[^>"']++|"[^"]*"|'[^']*')*+>""")
_CUT = frozenset(
    expat.errors.codes[message]
    for message in (
        expat.errors.XML_ERROR_NO_ELEMENTS,
        expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
        expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
)


def parse_document(data: bytes) -> Document:
    """Parse a file, either dialect, any encoding that an XML file may have.

    Raises
    ------
    ImageScopeFormatError
        Cut off, not XML, another tool's XML, with a document type, or beyond the limits; the message has the line.
    """
    if len(data) > MAX_BYTES:
        raise ImageScopeFormatError(f"{len(data) >> 20} MiB is more than the {MAX_BYTES >> 20} MiB we read")
    body, encoding = to_utf8(data)
    if not body.strip():
        raise ImageScopeFormatError("line 1: the file is empty; save it again in ImageScope")
    if is_halo(body):
        raise ImageScopeFormatError(f"this is HALO's XML, not ImageScope's; {HALO_ADVICE}")
    thin = take_vertices(body)
    try:
        return _Builder(thin).build(body, encoding)
    except ImageScopeFormatError:
        if thin.is_whole:
            raise
    # Refused, but by lines that aren't the file's: once more, over the whole of it.
    return _Builder(ThinText(body)).build(body, encoding)


@dataclass(slots=True)
class _Frame:
    """An element that is still open."""

    name: str
    start: int
    attributes: dict[str, str]
    properties: list[Property] = field(default_factory=list)
    regions: list[RegionElement] = field(default_factory=list)
    container: Element | None = None


class _Builder:
    """Expat's handlers and what they gather. Vertices that are left take the short way and get no frame."""

    def __init__(self, text: ThinText) -> None:
        self._text = text
        self._body = text.body
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser.EntityDeclHandler = self._refuse_doctype
        self._depth = self._elements = self._vertices = 0
        self._frames: list[_Frame] = []
        self._layer: _Frame | None = None
        self._region: _Frame | None = None
        self._pieces: list[Vertices] = []  # of the region
        self._coordinates: list[float] = []  # of the region, not yet a piece
        self._layers: list[LayerElement] = []
        self._root: tuple[_Frame, Element] | None = None

    def build(self, body: bytes, encoding: Encoding) -> Document:
        try:
            self._parser.Parse(self._body, True)
        except expat.ExpatError as error:
            raise _not_xml(error, self._body) from error
        assert self._root is not None, "expat accepts no document without a root"
        frame, root = self._root
        return Document(body, encoding, root, frame.attributes, tuple(self._layers))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"elements lie more than {MAX_DEPTH} deep")
        if self._region is None or name != _VERTEX:
            self._open(name, attributes)
            return
        self._coordinates += (self._coordinate(attributes, "X"), self._coordinate(attributes, "Y"))
        self._count_vertices(1)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._region is None or name != _VERTEX:
            self._close(self._frames.pop())

    def _coordinate(self, attributes: dict[str, str], axis: str) -> float:
        text = attributes.get(axis)
        if text is None:
            raise self._error(f"a vertex has no {axis}")
        try:
            return parse_number(text)
        except ValueError:
            raise self._error(f"{axis}={text[:40]!r} is not a coordinate; write it as 1234.5") from None

    def _open(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 1 and name != _ROOT:
            raise self._error(_foreign(name))
        if max(map(len, attributes.values()), default=0) > MAX_ATTRIBUTE:
            raise self._error(f"an attribute of {name[:40]} is longer than {MAX_ATTRIBUTE} characters")
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(attributes) > MAX_ATTRIBUTES:
            raise self._error(f"more than {MAX_ELEMENTS} elements, or {MAX_ATTRIBUTES} attributes of one")
        frame = _Frame(name, self._parser.CurrentByteIndex, attributes)
        self._frames.append(frame)
        if name == "Annotation" and self._depth == 2:
            self._layer = frame
        elif name == "Region" and self._layer is not None and self._region is None:
            self._region = frame
        elif name == "Vertices" and self._region is not None and frame.start in self._text.vertices:
            vertices = self._text.vertices[frame.start]
            self._pieces += [*self._loose_vertices(), vertices]
            self._count_vertices(len(vertices))

    def _loose_vertices(self) -> list[Vertices]:
        """Return the vertices that expat has read since the last that were read in bulk, as one array or none."""
        loose = [np.array(self._coordinates, np.float64).reshape(-1, 2)] if self._coordinates else []
        self._coordinates = []
        return loose

    def _count_vertices(self, count: int) -> None:
        self._vertices += count
        if self._vertices > MAX_VERTICES:
            raise self._error(f"more than {MAX_VERTICES} vertices")

    def _close(self, frame: _Frame) -> None:
        if frame is self._region:
            self._region = None
            self._close_region(frame)
        elif frame is self._layer:
            self._layer = None
            self._close_layer(frame)
        elif self._depth == 0:
            self._root = frame, self._element(frame)
        elif self._layer is not None:
            self._close_inner(frame, self._layer)

    def _close_inner(self, frame: _Frame, layer: _Frame) -> None:
        if frame.name == "Attribute":
            name = frame.attributes.get("Name") or frame.attributes.get("Id", "")
            found = Property(self._element(frame), name, frame.attributes.get("Value", ""))
            (self._region or layer).properties.append(found)
        elif frame.name == "Regions" and self._region is None and self._depth == 2:
            layer.container = self._element(frame)

    def _close_region(self, frame: _Frame) -> None:
        assert self._layer is not None, "a region is only opened inside a layer"
        pieces, self._pieces = [*self._pieces, *self._loose_vertices()], []
        vertices = pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros((0, 2)), *pieces])
        region = RegionElement(self._element(frame), frame.attributes, vertices, tuple(frame.properties))
        self._layer.regions.append(region)

    def _close_layer(self, frame: _Frame) -> None:
        inside = tuple(frame.properties), tuple(frame.regions), frame.container
        self._layers.append(LayerElement(self._element(frame), frame.attributes, *inside))

    def _element(self, frame: _Frame) -> Element:
        tag = _OPEN_TAG.match(self._body, frame.start)
        assert tag is not None, "expat has read this tag"
        whole = self._text.whole_offset
        open_end = tag.end()
        if self._body[open_end - 2 : open_end] == b"/>":
            return Element(whole(frame.start), *[whole(open_end)] * 3)
        close = self._parser.CurrentByteIndex
        return Element(whole(frame.start), whole(open_end), whole(close), whole(self._body.index(b">", close) + 1))

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("a document type is not allowed in annotations; remove it")

    def _error(self, message: str) -> ImageScopeFormatError:
        return ImageScopeFormatError(f"line {self._parser.CurrentLineNumber}: {message}")


def _foreign(name: str) -> str:
    tool = _OTHER_TOOLS.get(name)
    maker = f"this is {tool}'s XML" if tool else "this is another tool's XML"
    return f"the root is <{name[:40]}>, not <{_ROOT}>: {maker}, not ImageScope's"


def _not_xml(error: expat.ExpatError, body: bytes) -> ImageScopeFormatError:
    if not body.lstrip().startswith(b"<"):
        return ImageScopeFormatError("line 1: not XML at all; ImageScope's files begin with <Annotations")
    if error.code in _CUT:
        return ImageScopeFormatError(f"line {error.lineno}: the file is cut off here; save it again in ImageScope")
    reason = expat.ErrorString(error.code)
    return ImageScopeFormatError(f"line {error.lineno}: not well-formed XML ({reason}); save it again in ImageScope")
