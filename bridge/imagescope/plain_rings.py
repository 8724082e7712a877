"""Plain rings, what most annotations are, as ImageScope's regions: all at once, and the rest one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.annotations.objects import Annotation, Shape
from bridge.imagescope.measures import POLYGON
from bridge.imagescope.plain_regions import Outline, is_in_reach, outlines_of, rounded

_RINGS = frozenset({Shape.POLYGON, Shape.GEOMETRY})  # shapes that ImageScope has no other type for
_CLEAR = 1e-6  # share of its box that a ring covers without doubt; what is less is looked at one by one
_AT_ONCE = 4096  # rings: their vertices are some MB


def all_outlines(annotations: Sequence[Annotation]) -> list[tuple[Outline, ...] | str]:
    """Return for each annotation what ``outlines_of`` returns."""
    geometries = np.empty(len(annotations), dtype=object)
    geometries[:] = [annotation.geometry for annotation in annotations]
    is_ring = np.array([annotation.shape in _RINGS for annotation in annotations], dtype=bool)
    is_ring &= shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON
    is_ring &= (shapely.get_num_interior_rings(geometries) == 0) & is_in_reach(shapely.bounds(geometries))
    places = np.flatnonzero(is_ring)
    found: dict[int, tuple[Outline, ...]] = {}
    for start in range(0, len(places), _AT_ONCE):
        chosen = places[start : start + _AT_ONCE]
        outlines = zip(chosen.tolist(), _ring_outlines(geometries[chosen]), strict=True)
        found |= {place: (outline,) for place, outline in outlines if outline is not None}
    return [found.get(place) or outlines_of(annotation) for place, annotation in enumerate(annotations)]


def _ring_outlines(polygons: NDArray[np.object_]) -> Iterator[Outline | None]:
    """Yield polygons without hole as regions, None where it takes a closer look whether they have an area."""
    vertices, ring_of = shapely.get_coordinates(polygons, return_index=True)
    vertices = rounded(vertices)
    ends = np.cumsum(np.bincount(ring_of, minlength=len(polygons)))
    starts = np.append(0, ends[:-1])
    lengths, areas = _measure(vertices, ring_of, starts)
    size = np.maximum.reduceat(vertices, starts) - np.minimum.reduceat(vertices, starts)
    is_clear = areas > _CLEAR * size.prod(axis=1)
    rows = zip(starts.tolist(), ends.tolist(), lengths.tolist(), areas.tolist(), is_clear.tolist(), strict=True)
    for start, end, length, area, clear in rows:
        yield Outline(POLYGON, vertices[start:end], length, area) if clear else None


def _measure(
    vertices: NDArray[np.float64], ring_of: NDArray[np.intp], starts: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return length and area of closed rings that lie one after another, as ``measures.length_and_area`` does."""
    x, y = (vertices - vertices[starts][ring_of]).T  # from the first vertex of each: small numbers
    is_step = ring_of[1:] == ring_of[:-1]
    steps = np.where(is_step, np.hypot(np.diff(x), np.diff(y)), 0.0)
    turns = np.where(is_step, x[:-1] * y[1:] - x[1:] * y[:-1], 0.0)
    lengths, areas = (np.add.reduceat(np.append(values, 0.0), starts) for values in (steps, turns))
    return lengths, np.abs(areas) / 2
