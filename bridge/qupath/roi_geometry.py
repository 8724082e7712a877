"""Numbers of many ROIs of one kind → shapely geometries, vectorized."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon

from bridge.annotations import Shape

ELLIPSE_SAGITTA_PX = 0.02  # largest distance between an ellipse and its polygon
_LARGEST_RADIUS = 1e6  # of a TMA core in pixels it is some thousands; larger ellipses get no more vertices
FEWEST_POINTS = {Shape.POLYGON: 3, Shape.POLYLINE: 2, Shape.POINTS: 1}

Coordinates = npt.NDArray[np.float64]
Geometries = npt.NDArray[Any]  # shapely geometries, dtype object


class Vertices:
    """Float32 vertices of many ROIs of one kind, joined only once."""

    __slots__ = ("at", "x", "y")

    def __init__(self) -> None:
        self.at: list[int] = []
        self.x: list[bytes] = []
        self.y: list[bytes] = []

    def add(self, at: int, x: bytes, y: bytes, fewest: int) -> None:
        """Add a ROI; one of fewer points than its geometry needs repeats its last point."""
        lack = fewest - len(x) // 4
        if lack > 0:
            x, y = x + x[-4:] * lack, y + y[-4:] * lack
        self.at.append(at)
        self.x.append(x)
        self.y.append(y)

    def joined(self) -> tuple[npt.NDArray[np.intp], Coordinates, npt.NDArray[np.intp]]:
        """Return the numbers of the ROIs, (x, y) of all vertices and, for each, its ROI's place among the numbers.

        ROIs with a vertex that is not finite are left out: GEOS makes no ring of it.
        """
        at = np.array(self.at, np.intp)
        sizes = np.fromiter(map(len, self.x), np.intp, len(self.x)) // 4
        xy = np.empty((int(sizes.sum()), 2))
        xy[:, 0] = np.frombuffer(b"".join(self.x), ">f4")
        xy[:, 1] = np.frombuffer(b"".join(self.y), ">f4")
        of = np.repeat(np.arange(len(at)), sizes)
        is_finite = np.isfinite(xy).all(axis=1)
        if is_finite.all():
            return at, xy, of
        is_whole = np.bincount(of[~is_finite], minlength=len(at)) == 0
        kept = is_whole[of]
        return at[is_whole], xy[kept], np.repeat(np.arange(int(is_whole.sum())), sizes[is_whole])


def is_finite(geometries: Geometries) -> npt.NDArray[np.bool_]:
    """Say of each geometry whether it is there and all its coordinates are finite."""
    xy, of = shapely.get_coordinates(geometries, return_index=True)
    found = ~shapely.is_missing(geometries)
    found[of[~np.isfinite(xy).all(axis=1)]] = False
    return np.asarray(found, bool)


def of_vertices(shape: Shape, xy: Coordinates, of: npt.NDArray[np.intp]) -> Geometries:
    """Return polygons, polylines or points; one point alone is a ``Point``, as QuPath has it."""
    if shape is Shape.POLYGON:
        rings = np.asarray(shapely.linearrings(xy, indices=of), dtype=object)
        return np.asarray(shapely.polygons(rings), dtype=object)
    if shape is Shape.POLYLINE:
        return np.asarray(shapely.linestrings(xy, indices=of), dtype=object)
    singles = np.asarray(shapely.points(xy), dtype=object)
    points = np.asarray(shapely.multipoints(singles, indices=of), dtype=object)
    is_single = shapely.get_num_geometries(points) == 1
    points[is_single] = shapely.get_geometry(points[is_single], 0)
    return points


def of_corners(shape: Shape, corners: Coordinates) -> Geometries:
    """Return lines, rectangles or ellipses of rows (x, y, x2, y2)."""
    if shape is Shape.LINE:
        return np.asarray(shapely.linestrings(corners.reshape(-1, 2, 2)), dtype=object)
    if shape is Shape.RECTANGLE:
        return np.asarray(shapely.box(*corners.T), dtype=object)
    return np.array([ellipse(*row) for row in corners], dtype=object)


def ellipse_sides(x: float, y: float, x2: float, y2: float) -> int:
    """Return how many vertices the polygon of an ellipse has.

    The number of vertices is a multiple of four, so that it touches the box on all sides, and such that no vertex is
    farther than ``ELLIPSE_SAGITTA_PX`` from its neighbours' arc: a chord over the angle 2θ lies r·(1 − cos θ) inside.
    """
    radius = min(max(abs(x2 - x) / 2, abs(y2 - y) / 2, 1.0), _LARGEST_RADIUS)
    half_angle = math.acos(1 - ELLIPSE_SAGITTA_PX / radius)
    return 4 * math.ceil(math.pi / half_angle / 4)


def ellipse(x: float, y: float, x2: float, y2: float) -> Polygon:
    """Return the ellipse in a box as a polygon of ``ellipse_sides`` vertices."""
    a, b = (x2 - x) / 2, (y2 - y) / 2
    sides = ellipse_sides(x, y, x2, y2)
    angles = np.arange(sides) * (2 * math.pi / sides)
    return Polygon(np.column_stack((x + a + a * np.cos(angles), y + b + b * np.sin(angles))))
