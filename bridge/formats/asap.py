"""ASAP's XML, read only: what the program draws, and its tree of groups as classes.

A group is a class; a group within another is derived from it (``Tumor`` holds ``In situ``: ``Tumor: In situ``), as the
program shows them. ASAP has no holes: some people name a group for what they mean to cut out (``Exclusion``, ``_2``),
each in his own way, and none of that is guessed.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from xml.parsers import expat

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiPoint, Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, AnnotationSet, ReadCounts, Rgb, Shape
from bridge.errors import AnnotationFileError

MAX_BYTES = 256 << 20
MAX_DEPTH = 32  # the program's own files are 5 deep
_MAX_GROUP_DEPTH = 64
_MAX_COORDINATE = 1e8  # level-0 pixels
_MAX_ATTRIBUTE = 1 << 16  # characters
_ROOT = "ASAP_Annotations"
_UNGROUPED = ("", "None")  # what PartOfGroup says outside all groups
_NEW_COLOR: Rgb = (0xF4, 0xFA, 0x58)  # of everything that is drawn: nobody chose it
_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_EMPTY = Polygon()

# Type → what it draws; a spline's points are the corners that ASAP itself makes masks of.
_SHAPES = {
    "polygon": Shape.POLYGON,
    "spline": Shape.POLYGON,
    "rectangle": Shape.RECTANGLE,
    "dot": Shape.POINTS,
    "pointset": Shape.POINTS,
    "measurement": Shape.RULER,
}


@dataclass(frozen=True, slots=True)
class AsapFile:
    """A file as read.

    Parameters
    ----------
    found
        Level-0 pixels; objects in the file's order, named ``A0``, ``A1`` ….
    colors
        Class → colour of its group, in the file's order, those without objects included.
    splines
        How many objects are splines: their points are joined by straight lines.
    """

    found: AnnotationSet
    colors: Mapping[str, Rgb] = field(default_factory=dict)
    splines: int = 0


def read_asap(data: bytes) -> AsapFile:
    """Read a file of ASAP's.

    Polygons, splines and rectangles are areas, dots and point sets are points, a measurement is a ruler; anything else
    is kept without a shape. Name, own attributes and, where it is not what ASAP gives to everything, the object's own
    colour are kept. Coordinates may have decimal commas (``10,5``); they come in the order that ``Order`` says.

    Raises
    ------
    AnnotationFileError
        Cut off, not ASAP's, with a document type, or beyond the limits; the message has the line.
    """
    if len(data) > MAX_BYTES:
        raise AnnotationFileError(f"{len(data) >> 20} MiB is more than the {MAX_BYTES >> 20} MiB we read of ASAP's XML")
    parser = _Parser()
    parser.parse(data)
    classes = _classes(parser.groups)
    colors = {classes[group.name]: group.color for group in parser.groups if group.color is not None}
    annotations = tuple(_annotation(f"A{i}", item, classes, colors) for i, item in enumerate(parser.items))
    splines = sum(item.kind == "spline" for item in parser.items)
    return AsapFile(AnnotationSet(annotations, _counts(annotations)), colors, splines)


@dataclass(slots=True)
class _Item:
    """An ``<Annotation>``."""

    name: str
    kind: str
    group: str
    color: Rgb | None
    points: list[tuple[float, float, float]] = field(default_factory=list)  # order, x, y
    metadata: dict[str, str] = field(default_factory=dict)

    def vertices(self) -> NDArray[np.float64]:
        """Return the points by their order, float64 of shape (n, 2)."""
        rows = np.array(self.points, dtype=np.float64).reshape(-1, 3)
        return np.asarray(rows[np.argsort(rows[:, 0], kind="stable"), 1:])


@dataclass(frozen=True, slots=True)
class _Group:
    """A ``<Group>``."""

    name: str
    parent: str
    color: Rgb | None


class _Parser:
    """Expat's handlers and what they gather; elements are told by their names, wherever they stand."""

    def __init__(self) -> None:
        self._expat = expat.ParserCreate()
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._expat.EntityDeclHandler = self._refuse_doctype
        self._depth = 0
        self._item: _Item | None = None
        self.items: list[_Item] = []
        self.groups: list[_Group] = []

    def parse(self, data: bytes) -> None:
        try:
            self._expat.Parse(data, True)
        except expat.ExpatError as error:
            reason = f"line {error.lineno}: not well-formed XML ({expat.ErrorString(error.code)})"
            raise AnnotationFileError(f"{reason}; save it again in ASAP") from error
        except (ValueError, LookupError) as error:  # a declared encoding that Python doesn't have
            if isinstance(error, AnnotationFileError):
                raise
            raise AnnotationFileError(f"line 1: its encoding can't be read ({error}); save it as UTF-8") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"elements lie more than {MAX_DEPTH} deep")
        if self._depth == 1 and name != _ROOT:
            raise self._error(f"the root is <{name[:40]}>, not <{_ROOT}>: this is not ASAP's XML")
        if any(len(value) > _MAX_ATTRIBUTE for value in attributes.values()):
            raise self._error(f"an attribute of {name[:40]} is longer than {_MAX_ATTRIBUTE} characters")
        match name:
            case "Annotation":
                self._item = _item(attributes)
            case "Group":
                self.groups.append(
                    _Group(attributes.get("Name", ""), attributes.get("PartOfGroup", ""), _color(attributes))
                )
            case "Coordinate" if self._item is not None:
                self._item.points.append(self._point(attributes, len(self._item.points)))
            case "Attribute" if self._item is not None:
                self._item.metadata[attributes.get("Name", "")] = attributes.get("Value", "")

    def _end(self, name: str) -> None:
        self._depth -= 1
        if name == "Annotation" and self._item is not None:
            self.items.append(self._item)
            self._item = None

    def _point(self, attributes: Mapping[str, str], place: int) -> tuple[float, float, float]:
        order = self._number(attributes.get("Order", str(place)), "Order")
        x, y = (self._number(attributes.get(axis, ""), axis) for axis in ("X", "Y"))
        return order, x, y

    def _number(self, text: str, what: str) -> float:
        try:
            return float(text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text)
        except ValueError:
            raise self._error(f"{what}={text[:40]!r} is not a number; write it as 1234.5") from None

    def _refuse_doctype(self, *_: object) -> None:
        raise self._error("a document type is not allowed in annotations; remove it")

    def _error(self, message: str) -> AnnotationFileError:
        return AnnotationFileError(f"line {self._expat.CurrentLineNumber}: {message}")


def _item(attributes: Mapping[str, str]) -> _Item:
    kind = attributes.get("Type", "").strip().lower()
    return _Item(attributes.get("Name", ""), kind, attributes.get("PartOfGroup", ""), _color(attributes))


def _color(attributes: Mapping[str, str]) -> Rgb | None:
    found = _HEX.fullmatch(attributes.get("Color", "").strip())
    return None if found is None else (int(found[1], 16), int(found[2], 16), int(found[3], 16))


def _classes(groups: Sequence[_Group]) -> dict[str, str]:
    """Return group → class: the names from the outermost group inwards."""
    parents = {group.name: group.parent for group in groups}
    return {name: ": ".join(reversed(_path(name, parents))) for name in parents}


def _path(name: str, parents: Mapping[str, str]) -> list[str]:
    """Return a group and those around it, innermost first; where they form a ring, until it closes."""
    path = [name]
    above = parents.get(name, "")
    while above not in _UNGROUPED and above not in path and len(path) < _MAX_GROUP_DEPTH:
        path.append(above)
        above = parents.get(above, "")
    return path


def _annotation(object_id: str, item: _Item, classes: Mapping[str, str], colors: Mapping[str, Rgb]) -> Annotation:
    shape, geometry = _drawn(item)
    path_class = None if item.group in _UNGROUPED else classes.get(item.group, item.group)
    class_color = item.color if path_class is None else colors.get(path_class, item.color)
    is_chosen = path_class is not None and item.color not in (None, class_color, _NEW_COLOR)
    return Annotation(
        object_id,
        geometry,
        path_class,
        shape,
        name=item.name or None,
        color=class_color,
        own_color=item.color if is_chosen else None,
        metadata=item.metadata,
    )


def _drawn(item: _Item) -> tuple[Shape, BaseGeometry]:
    vertices = item.vertices()
    shape = _SHAPES.get(item.kind, Shape.NONE)
    if not len(vertices) or not (np.abs(vertices) <= _MAX_COORDINATE).all():  # NaN fails too
        return Shape.NONE, _EMPTY
    if shape is Shape.POINTS:
        return shape, MultiPoint(vertices) if len(vertices) > 1 else Point(vertices[0])
    if shape is Shape.RULER and len(vertices) > 1:
        return shape, LineString(vertices)
    is_closed = bool((vertices[0] == vertices[-1]).all())
    if not shape.is_area or len(vertices) - is_closed < 3:
        return Shape.NONE, _EMPTY
    ring = Polygon(vertices)
    return (shape if shape is Shape.POLYGON or _is_box(ring) else Shape.POLYGON), ring


def _is_box(ring: Polygon) -> bool:
    x, y, right, bottom = ring.bounds
    return math.isclose(ring.area, (right - x) * (bottom - y), rel_tol=1e-6) and ring.area > 0


def _counts(annotations: Sequence[Annotation]) -> ReadCounts:
    verbatim = Counter("no shape" if a.shape is Shape.NONE else a.shape.value for a in annotations if not _is_area(a))
    areas = [a.geometry for a in annotations if _is_area(a)]
    invalid = int((~shapely.is_valid(areas)).sum()) if areas else 0
    return ReadCounts(read=len(annotations), repaired=invalid, verbatim=dict(verbatim))


def _is_area(annotation: Annotation) -> bool:
    return annotation.shape.is_area
