"""What QuPath reads against what we read, object by object."""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, AnnotationSet, ObjectKind, Rgb, Shape, is_same_outline
from bridge.annotations.geometry import repair_area
from bridge.errors import InvalidGeometryError
from bridge.qupath.paquo_records import QuPathImage, QuPathObject
from bridge.qupath.roi_geometry import ELLIPSE_SAGITTA_PX

TOLERANCE_PX = 0.01  # QuPath 0.6 and later snap to such a grid, float32 on top

_KINDS = {
    ObjectKind.ANNOTATION: "PathAnnotationObject",
    ObjectKind.DETECTION: "PathDetectionObject",
    ObjectKind.TILE: "PathTileObject",
    ObjectKind.CELL: "PathCellObject",
    ObjectKind.TMA_CORE: "TMACoreObject",
}
_ROIS = {
    Shape.POLYGON: "PolygonROI",
    Shape.RECTANGLE: "RectangleROI",
    Shape.ELLIPSE: "EllipseROI",
    Shape.GEOMETRY: "GeometryROI",
    Shape.POINTS: "PointsROI",
    Shape.LINE: "LineROI",
    Shape.POLYLINE: "PolylineROI",
}
_NAMED_BY_US = 5  # version of the UUIDs that the reader makes from positions; Java's are random: 4
_FEW = 20_000  # vertices; beyond, outlines that differ in their vertices are compared by area alone
_ELLIPSE_SIDES = 100  # QuPath flattens every ellipse so
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one object that QuPath reads otherwise; ``field`` is ``"object"`` where only one side has it."""

    object_id: str
    field: str
    ours: str
    theirs: str

    def line(self) -> str:
        """Say it in one line."""
        return f"object {self.object_id}: {self.field}: we read {self.ours}, QuPath reads {self.theirs}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two lists of objects compared; ``ours`` and ``theirs`` are their lengths."""

    ours: int
    theirs: int
    differences: tuple[Difference, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether both read the same."""
        return not self.differences


def class_colors(
    sets: Iterable[AnnotationSet], listed: Mapping[str, Rgb] | None = None
) -> Mapping[str, frozenset[Rgb | None]]:
    """Return the colours in which QuPath may show each class.

    In one QuPath a class has one colour: that of ``classes.json``, else the first that it met in any file.

    Parameters
    ----------
    sets
        All images that one QuPath has opened.
    listed
        The project's own list of classes.
    """
    found: dict[str, set[Rgb | None]] = {name: {color} for name, color in (listed or {}).items()}
    for annotation in (a for one in sets for a in one.annotations):
        if annotation.path_class is not None:
            found.setdefault(annotation.path_class, set()).add(annotation.color)
    return {name: frozenset(colors) for name, colors in found.items()}


def compare_objects(
    ours: AnnotationSet, theirs: QuPathImage, colors: Mapping[str, frozenset[Rgb | None]] | None = None
) -> Comparison:
    """Compare what we read of a ``data.qpdata`` with what QuPath reads.

    Objects are paired by id; those that have none in the file are paired in their order. Positions agree within
    ``TOLERANCE_PX``. Outlines that cross themselves, which QuPath cleans before it shows them, must cover the same
    area; an ellipse, which both sides flatten in their own way, must agree within their two ways.

    Parameters
    ----------
    colors
        From ``class_colors``; by default those of this image.
    """
    allowed = class_colors([ours]) if colors is None else colors
    pairs, only_ours, only_theirs = _pair(ours.annotations, theirs.objects)
    parents = {annotation.object_id: other.object_id for annotation, other in pairs}
    differences = [Difference(a.object_id, "object", _called(a.name), "nothing") for a in only_ours]
    differences += [Difference(o.object_id, "object", "nothing", _called(o.name)) for o in only_theirs]
    for annotation, other in pairs:
        differences += _compare(annotation, other, parents, allowed)
    differences += _compare_grids(ours, theirs, parents)
    return Comparison(len(ours), len(theirs.objects), tuple(differences))


def _called(name: str | None) -> str:
    return "one without name" if name is None else f"one named {name[:_SHOWN]!r}"


Pair = tuple[Annotation, QuPathObject]


def _pair(
    ours: Iterable[Annotation], theirs: Iterable[QuPathObject]
) -> tuple[list[Pair], list[Annotation], list[QuPathObject]]:
    waiting: dict[str, list[QuPathObject]] = {}
    for other in reversed(list(theirs)):
        waiting.setdefault(other.object_id, []).append(other)
    pairs: list[Pair] = []
    left: list[Annotation] = []
    for annotation in ours:
        found = waiting.get(annotation.object_id)
        if found:
            pairs.append((annotation, found.pop()))
        else:
            left.append(annotation)
    others = [other for found in reversed(waiting.values()) for other in reversed(found)]
    nameless = [a for a in left if _is_named_by_us(a.object_id)]
    if len(nameless) != len(others):
        return pairs, left, others
    return [*pairs, *zip(nameless, others, strict=True)], [a for a in left if a not in nameless], []


def _is_named_by_us(object_id: str) -> bool:
    try:
        return uuid.UUID(object_id).version == _NAMED_BY_US
    except ValueError:
        return False


def _compare(
    ours: Annotation, theirs: QuPathObject, parents: Mapping[str, str], colors: Mapping[str, frozenset[Rgb | None]]
) -> Iterator[Difference]:
    for field, first, second, is_same in _fields(ours, theirs, parents):
        if not is_same(first, second):
            yield Difference(ours.object_id, field, _shown(first), _shown(second))
    allowed = colors.get(ours.path_class or "", frozenset({ours.color}))
    if theirs.color != ours.color and theirs.color not in allowed:
        yield Difference(ours.object_id, "colour of the class", _shown(ours.color), _shown(theirs.color))
    if not is_same_geometry(ours, theirs):
        yield Difference(ours.object_id, "geometry", _outlined(ours.geometry), _outlined(theirs.geometry))
    if not _is_same_nucleus(ours.nucleus, theirs.nucleus):
        yield Difference(ours.object_id, "nucleus", _outlined(ours.nucleus), _outlined(theirs.nucleus))
    if theirs.metadata is not None and ours.metadata != theirs.metadata:
        yield _first_difference(ours.object_id, "metadata", ours.metadata, theirs.metadata)
    if not _is_same_numbers(ours.measurements, theirs.measurements):
        yield _first_difference(ours.object_id, "measurement", ours.measurements, theirs.measurements)


Field = tuple[str, object, object, Callable[[object, object], bool]]


def _fields(ours: Annotation, theirs: QuPathObject, parents: Mapping[str, str]) -> Iterator[Field]:
    """Yield the fields that are plain values."""
    parent = None if ours.parent_id is None else parents.get(ours.parent_id, ours.parent_id)
    values: tuple[tuple[str, object, object], ...] = (
        ("kind", _KINDS[ours.kind], theirs.kind),
        ("shape", _ROIS.get(ours.shape), theirs.roi if theirs.roi in _ROIS.values() else None),
        ("class", ours.path_class, theirs.path_class),
        ("name", ours.name, theirs.name),
        ("lock", ours.is_locked, theirs.is_locked),
        ("parent", parent, theirs.parent_id),
        ("plane (c, z, t)", tuple(ours.plane), tuple(theirs.plane)),
        ("probability", ours.probability, theirs.probability),
        ("own colour", ours.own_color, theirs.own_color),
        ("missing core", ours.is_missing, theirs.is_missing),
    )
    for field, first, second in values:
        yield field, first, second, _is_equal


def _is_equal(first: object, second: object) -> bool:
    return first == second


def _is_same_numbers(first: Mapping[str, float], second: Mapping[str, float]) -> bool:
    if first.keys() != second.keys():
        return False
    a = np.array(list(first.values()), dtype=float)
    b = np.array([second[name] for name in first], dtype=float)
    return bool(np.array_equal(a, b, equal_nan=True))


def _first_difference(
    object_id: str, field: str, ours: Mapping[str, object], theirs: Mapping[str, object]
) -> Difference:
    absent = object()
    names = [*ours, *(name for name in theirs if name not in ours)]
    # repr: NaN is itself, and floats differ where a digit does
    name = next(n for n in names if repr(ours.get(n, absent)) != repr(theirs.get(n, absent)))
    shown = ("nothing" if name not in side else _shown(side[name]) for side in (ours, theirs))
    return Difference(object_id, f"{field} {name[:_SHOWN]!r}", *shown)


def is_same_geometry(ours: Annotation, theirs: QuPathObject) -> bool:
    """Say whether both show the same outline, as ``compare_objects`` has it."""
    if ours.geometry.is_empty or theirs.geometry.is_empty:
        return ours.geometry.is_empty and theirs.geometry.is_empty
    if ours.shape is Shape.ELLIPSE:
        near = np.allclose(ours.geometry.bounds, theirs.bounds, rtol=0, atol=TOLERANCE_PX)
        return bool(near) and _is_same_ellipse(ours.geometry, theirs.geometry)
    return _is_same_outline(ours.geometry, theirs.geometry) or _is_only_cleaned(ours, theirs)


def _is_same_ellipse(ours: BaseGeometry, theirs: BaseGeometry) -> bool:
    x, y, x2, y2 = ours.bounds
    radius = max(x2 - x, y2 - y) / 2
    sagitta = ELLIPSE_SAGITTA_PX + radius * (1 - math.cos(math.pi / _ELLIPSE_SIDES))
    return is_same_outline(ours, theirs, tolerance_px=sagitta + TOLERANCE_PX)


def _is_only_cleaned(ours: Annotation, theirs: QuPathObject) -> bool:
    """Say whether only QuPath's cleaned geometry of a polygon is known, and all else that is known of it agrees."""
    if ours.shape is not Shape.POLYGON or theirs.n_points is None:
        return False
    is_cleaned = theirs.n_points != shapely.get_num_coordinates(theirs.geometry) - 1
    near = np.allclose(ours.geometry.bounds, theirs.bounds, rtol=0, atol=TOLERANCE_PX)
    return is_cleaned and bool(near) and theirs.n_points == shapely.get_num_coordinates(ours.geometry) - 1


def _is_same_nucleus(ours: BaseGeometry | None, theirs: BaseGeometry | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    is_ellipse = shapely.get_num_coordinates(theirs) == _ELLIPSE_SIDES + 1
    return _is_same_outline(ours, theirs) or (is_ellipse and _is_same_ellipse(ours, theirs))


def _is_same_outline(ours: BaseGeometry, theirs: BaseGeometry) -> bool:
    if shapely.equals_exact(shapely.normalize(ours), shapely.normalize(theirs), TOLERANCE_PX):
        return True
    is_crossing = not ours.is_valid  # then QuPath cleans it, and even the number of parts may differ
    size = shapely.get_num_coordinates(ours) + shapely.get_num_coordinates(theirs)
    if not is_crossing and size <= _FEW:
        return is_same_outline(ours, theirs, tolerance_px=TOLERANCE_PX)
    return _covers_the_same(ours, theirs)


def _covers_the_same(ours: BaseGeometry, theirs: BaseGeometry) -> bool:
    """Say whether two areas differ by no more than a seam of the tolerance along their outlines."""
    try:
        apart = shapely.symmetric_difference(repair_area(ours), repair_area(theirs))
    except (InvalidGeometryError, shapely.errors.GEOSException):
        return False
    seam = TOLERANCE_PX * max(shapely.length(ours), shapely.length(theirs))
    near = np.allclose(ours.bounds, theirs.bounds, rtol=0, atol=2 * TOLERANCE_PX)
    return bool(near and apart.area <= seam)


def _compare_grids(ours: AnnotationSet, theirs: QuPathImage, ids: Mapping[str, str]) -> Iterator[Difference]:
    grid = ours.tma_grid
    first = (0, ()) if grid is None else (grid.width, tuple(ids.get(core, core) for core in grid.core_ids))
    second = (theirs.grid_width, theirs.grid)
    if first != second:
        shown = (f"{width} cores a row, {len(cores)} in all" for width, cores in (first, second))
        yield Difference("TMA grid", "cores", *shown)


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)[:_SHOWN]


def _outlined(geometry: BaseGeometry | None) -> str:
    if geometry is None:
        return "nothing"
    x, y, x2, y2 = geometry.bounds
    vertices = shapely.get_num_coordinates(geometry)
    return (
        f"{geometry.geom_type} of {vertices} vertices, x {x:.2f}–{x2:.2f}, y {y:.2f}–{y2:.2f}, area {geometry.area:.2f}"
    )
