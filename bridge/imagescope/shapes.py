"""What the vertices of a region draw: polygon, rectangle, ellipse, or something that covers no area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area
from bridge.annotations.objects import Shape
from bridge.imagescope.elements import RegionElement

NO_AREA = "no area"
_TOO_FEW = "too few vertices"
_MAX_COORDINATE = 1e8  # level-0 pixels; the largest slides have some 10⁶
_SAGITTA_PX = 0.1  # how far an ellipse's polygon may stay inside the true curve
_ROUNDING_PX = 1e-6  # a spike's two sides may seem that far apart
_NOTHING = Polygon()
# ImageScope's numbers. GeoShape (PathDB) says it in words of its own while its Type means other things.
_TYPES = {
    "0": Shape.POLYGON,
    "1": Shape.RECTANGLE,
    "2": Shape.ELLIPSE,
    "3": Shape.ARROW,
    "4": Shape.RULER,
}
_GEO_SHAPES = {
    "area": Shape.POLYGON,
    "rectangle": Shape.RECTANGLE,
    "ellipse": Shape.ELLIPSE,
    "points": Shape.POINTS,
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a region draws.

    Parameters
    ----------
    geometry
        Level-0 pixels, as drawn: rings may cross themselves. Empty where nothing can be made of the vertices.
    verbatim
        Why it is kept but never rasterized; None for an area.
    is_valid
        False for an outline that crosses itself but has an area.
    """

    shape: Shape
    geometry: BaseGeometry
    verbatim: str | None = None
    is_valid: bool = True


def draw(regions: Sequence[RegionElement]) -> list[Drawing]:
    """Return what each region draws; outlines that enclose nothing are kept with ``verbatim`` set."""
    outlines = [_outline(*facts) for facts in zip(regions, *_facts(regions), strict=True)]
    areas = [i for i, (_, what) in enumerate(outlines) if not isinstance(what, str)]
    rings = [what for _, what in outlines if not isinstance(what, str)]
    polygons = dict(zip(areas, _polygons(rings), strict=True))
    drawings = []
    for i, (shape, what) in enumerate(outlines):
        if isinstance(what, str):
            drawings.append(Drawing(shape, _loose(regions[i].vertices), what))
        else:
            drawings.append(Drawing(shape, polygons[i]))
    return _marked_invalid(drawings, areas)


def ellipse_ring(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a ring along the ellipse in the box of the given points, shape (n, 2); its bounds are the box.

    Parameters
    ----------
    corners
        Shape (k, 2); only their bounds count.
    """
    low, high = corners.min(axis=0), corners.max(axis=0)
    radius = float((high - low).max()) / 2
    step = math.acos(max(0.0, 1 - _SAGITTA_PX / radius)) if radius > _SAGITTA_PX else math.pi / 2
    quarter = math.ceil(min(max(math.pi / step / 4, 8), 1024))  # a multiple of four: all extremes are vertices
    angle = np.arange(4 * quarter) * (math.pi / 2 / quarter)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    return np.asarray((low + high) / 2 + circle * (high - low) / 2)


def _facts(regions: Sequence[RegionElement]) -> tuple[list[bool], list[int]]:
    """Return for each region whether all its coordinates are ones, and its corners, the closing vertex not counted."""
    counts = np.array([len(region.vertices) for region in regions], int)
    joined = np.concatenate([np.zeros((0, 2)), *(region.vertices for region in regions)])
    is_far = ~(np.abs(joined) <= _MAX_COORDINATE).all(axis=1)  # NaN is, too
    owner = np.repeat(np.arange(len(counts)), counts)
    ends = counts.cumsum()
    corners = counts.copy()
    several = np.flatnonzero(counts > 1)
    first, last = joined[(ends - counts)[several]], joined[ends[several] - 1]
    corners[several] -= (first == last).all(axis=1)
    return (np.bincount(owner, is_far, minlength=len(counts)) == 0).tolist(), corners.tolist()


def _outline(region: RegionElement, is_finite: bool, corners: int) -> tuple[Shape, NDArray[np.float64] | str]:
    """Return the shape and its ring, or why it has none."""
    vertices = region.vertices
    shape, kind = _shape(region)
    if not is_finite:
        return Shape.NONE, "coordinates"
    if not shape.is_area:
        return shape, kind
    if shape is Shape.ELLIPSE:
        is_box = len(vertices) == 2 or ("GeoShape" in region.attributes and len(vertices) == 4)
        return (shape, ellipse_ring(vertices)) if is_box else (Shape.NONE, "ellipse without a box")
    if corners < 3:
        return Shape.NONE, _TOO_FEW
    return (Shape.POLYGON if corners != 4 else shape), vertices


def _shape(region: RegionElement) -> tuple[Shape, str]:
    """Return the shape that the file names, and that name."""
    geo_shape = region.attributes.get("GeoShape", "").strip().lower()
    if geo_shape:
        shape = _GEO_SHAPES.get(geo_shape, Shape.NONE)
        return shape, shape.value if shape is not Shape.NONE else f"GeoShape {geo_shape[:20]}"
    kind = region.attributes.get("Type", "0").strip().lower()
    shape = _TYPES.get(kind, Shape.NONE)
    return shape, shape.value if shape is not Shape.NONE else f"type {kind[:20]}"


def _polygons(rings: Sequence[NDArray[np.float64]]) -> list[Polygon]:
    if not rings:
        return []
    indices = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
    closed = shapely.linearrings(np.concatenate(rings), indices=indices)
    polygons: list[Polygon] = np.asarray(shapely.polygons(closed), object).tolist()
    return polygons


def _loose(vertices: NDArray[np.float64]) -> BaseGeometry:
    """Return the vertices as a point or a path, for what is no area."""
    if len(vertices) == 0 or not np.all(np.abs(vertices) <= _MAX_COORDINATE):
        return _NOTHING
    return LineString(vertices) if len(vertices) > 1 else Point(vertices[0])


def _marked_invalid(drawings: list[Drawing], areas: Sequence[int]) -> list[Drawing]:
    valid = shapely.is_valid([drawings[i].geometry for i in areas])
    for i in np.asarray(areas, int)[~valid].tolist():
        drawing = drawings[i]
        if not (_shows_area(drawing.geometry) or not repair_area(drawing.geometry).is_empty):
            drawings[i] = replace(drawing, shape=Shape.NONE, verbatim=NO_AREA)
        else:
            drawings[i] = replace(drawing, is_valid=False)
    return drawings


def _shows_area(polygon: BaseGeometry) -> bool:
    """Say whether a line across a ring's middle runs inside it (even-odd); False may mean either.

    Spares most crossing outlines their repair, which takes seconds where thousands of sides cross one another.
    """
    ring = shapely.get_coordinates(polygon)
    levels = np.unique(ring[:, 1])
    middle = len(levels) // 2
    y = (levels[middle - 1] + levels[middle]) / 2 if middle else math.nan
    low, high = ring[:-1], ring[1:]
    low, high = (np.where((low[:, 1] <= high[:, 1])[:, None], *pair) for pair in ((low, high), (high, low)))
    crosses = (low[:, 1] < y) & (y < high[:, 1])
    (x, y1), (x2, y2) = low[crosses].T, high[crosses].T
    places = np.sort(x + (x2 - x) * ((y - y1) / (y2 - y1)))
    return len(places) % 2 == 0 and bool((places[1::2] - places[::2] > _ROUNDING_PX).any())
