"""Shapes burnt into windows of one grid, so that a tile is exactly the crop of the whole.

The rule. Vertices go to the *global* pixel grid of the downsample and are rounded to 1/256 pixel there, once, whatever
window is asked for. From then on everything is integer arithmetic: a pixel belongs to a shape when its centre lies
inside by the even-odd rule, half-open, so that a centre on a left or top edge is in and on a right or bottom edge out.
Two shapes with a common edge neither overlap nor leave a gap, and no number depends on the window.

Why not ``rasterio.features.rasterize``. On vertices rounded like this GDAL (3.10) gives equal tiles too, but for very
long edges, where its floating-point crossings shift with the window; and it visits every vertex of a shape for every
row and takes vertices as Python tuples, which is twice the time here and far more for a large outline seen through
small tiles. ``scripts/bench/raster.py`` measures it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import GEOSException
from shapely.geometry.base import BaseGeometry

from bridge.annotations import repair_area
from bridge.coords import Window
from bridge.errors import InvalidGeometryError
from bridge.raster.runs import IntArray, expand

_UNIT = 256  # parts of a pixel that vertices are rounded to
_CENTRE = _UNIT // 2
_REACH = 1 << 21  # grid pixels from the origin; beyond it shapes are cut, so that products fit into 64 bits
_CROSSINGS_AT_ONCE = 1 << 20  # bounds the memory of one step: some 80 MB

GeometryArray = NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class _Edges:
    """Edges that cross at least one row of centres, upper end first, shape after shape; in 1/256 pixel."""

    x: IntArray
    y: IntArray
    dx: IntArray
    dy: IntArray  # positive
    first_row: IntArray
    stop_row: IntArray
    shape: IntArray  # position of the shape that the edge belongs to

    def columns_at(self, edge: IntArray, row: IntArray) -> IntArray:
        """Return the first column whose centre lies on or right of the edge in that row, exactly."""
        dy = self.dy[edge]
        across = (self.x[edge] - _CENTRE) * dy + (row * _UNIT + _CENTRE - self.y[edge]) * self.dx[edge]
        return -(-across // (dy * _UNIT))


class ShapeIndex:
    """Labelled shapes on the grid of one downsample, ready to be burnt into any of its windows.

    Parameters
    ----------
    shapes
        (geometry, label) in the order of burning: later ones overwrite earlier ones. Geometry in level-0 pixels as
        drawn; it is repaired here (even-odd). What has no area covers nothing. Labels are 0 to 255.
    downsample
        Level-0 pixels per grid pixel and side, at least 1.

    Raises
    ------
    InvalidGeometryError
        A shape with coordinates that are not finite, or that GEOS can't repair.
    ValueError
        A label that doesn't fit into uint8.

    Examples
    --------
    >>> index = ShapeIndex([(shapely.box(0.5, 0.5, 2.5, 1.5), 1)])
    >>> index.burn(Window(0, 0, 4, 2))
    array([[1, 1, 0, 0],
           [0, 0, 0, 0]], dtype=uint8)
    """

    def __init__(self, shapes: Sequence[tuple[BaseGeometry, int]], downsample: float = 1.0) -> None:
        labels = np.array([label for _, label in shapes], dtype=np.int64)
        if labels.size and not 0 <= labels.min() <= labels.max() <= 255:
            raise ValueError(f"labels must lie in 0..255, got {labels.min()}..{labels.max()}")
        areas = _areas([geometry for geometry, _ in shapes], _REACH * downsample)
        solid = ~shapely.is_empty(areas)
        self.downsample = downsample
        self._areas: GeometryArray = areas[solid]
        self._labels = labels[solid].astype(np.uint8)
        self._edges = _edges(self._areas, downsample)
        self._first_edge = np.searchsorted(self._edges.shape, np.arange(len(self._areas) + 1))
        boxes = shapely.box(*_outward(shapely.bounds(self._areas) / downsample).T)
        self._tree = shapely.STRtree(np.asarray(boxes, dtype=object))

    def __len__(self) -> int:
        """Count the shapes that cover an area."""
        return len(self._areas)

    def burn(self, window: Window, *, fill: int = 0) -> NDArray[np.uint8]:
        """Return the labels under a window; ``fill`` where no shape lies.

        Raises
        ------
        ValueError
            The window lies on the grid of another downsample.
        """
        if window.downsample != self.downsample:
            raise ValueError(f"a window of downsample {window.downsample} asked of a raster of {self.downsample}")
        out = np.zeros(window.shape, dtype=np.uint8)  # zeros come from the system for free, pages touched or not
        if fill:
            out[:] = fill
        box = shapely.box(window.x, window.y, window.right, window.bottom)
        touched = self._tree.query(box)
        if touched.size:
            starts = self._first_edge[touched]
            self._burn_into(out, expand(starts, self._first_edge[touched + 1] - starts), window.x, window.y)
        return out

    def _burn_into(self, out: NDArray[np.uint8], edges: IntArray, x: int, y: int) -> None:
        height = out.shape[0]
        first = np.maximum(self._edges.first_row[edges], y)
        counts = np.maximum(np.minimum(self._edges.stop_row[edges], y + height) - first, 0)
        if counts.sum() > _CROSSINGS_AT_ONCE and height > 1:
            half = height // 2
            self._burn_into(out[:half], edges, x, y)
            self._burn_into(out[half:], edges, x, y + half)
            return
        self._paint(out, np.repeat(edges, counts), expand(first, counts), x, y)

    def _paint(self, out: NDArray[np.uint8], edges: IntArray, rows: IntArray, x: int, y: int) -> None:
        """Fill between each odd crossing and the next, shape after shape."""
        height, width = out.shape
        columns = np.clip(self._edges.columns_at(edges, rows) - x, 0, width)
        # One integer sorts by shape, then row, then column. Rings are closed: crossings come in pairs.
        stride = width + 1
        key = (self._edges.shape[edges] * height + (rows - y)) * stride + columns
        key.sort()
        line, left = np.divmod(key[0::2], stride)
        shape, row = np.divmod(line, height)
        right = key[1::2] - line * stride
        flat = out.reshape(-1)
        for start, stop, label in _joined(row * width + left, row * width + right, self._labels[shape]):
            flat[start:stop] = label


def _joined(starts: IntArray, stops: IntArray, labels: NDArray[np.uint8]) -> zip[tuple[int, int, int]]:
    """Drop empty runs; join those that go on from one row to the next, so that a covered tile is one run."""
    filled = stops > starts
    starts, stops, labels = starts[filled], stops[filled], labels[filled]
    is_new = np.ones(len(starts), dtype=bool)
    is_new[1:] = (starts[1:] != stops[:-1]) | (labels[1:] != labels[:-1])
    is_last = np.roll(is_new, -1)
    return zip(starts[is_new].tolist(), stops[is_last].tolist(), labels[is_new].tolist(), strict=True)


def _areas(geometries: Sequence[BaseGeometry], reach: float) -> GeometryArray:
    """Repair what is not valid, and cut off what lies beyond ``reach`` level-0 pixels from the origin."""
    areas = np.array(geometries, dtype=object)
    coordinates, shape = shapely.get_coordinates(areas, return_index=True)
    if not np.isfinite(coordinates).all():
        bad = int(shape[~np.isfinite(coordinates).all(axis=1)][0])
        raise InvalidGeometryError(f"shape {bad} has coordinates that are not finite; correct or delete it")
    is_polygon = np.isin(shapely.get_type_id(areas), (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON))
    is_far = np.zeros(len(areas), dtype=bool)
    is_far[shape[(np.abs(coordinates) > reach).any(axis=1)]] = True
    for i in np.flatnonzero(is_far | ~(is_polygon & shapely.is_valid(areas))).tolist():
        areas[i] = _repaired(areas[i], i, reach if is_far[i] else None)
    return areas


def _repaired(geometry: BaseGeometry, position: int, reach: float | None) -> BaseGeometry:
    try:
        area = repair_area(geometry)
        if reach is not None:
            area = repair_area(shapely.intersection(area, shapely.box(-reach, -reach, reach, reach)))
    except GEOSException as error:
        raise InvalidGeometryError(f"shape {position} can't be repaired: {error}") from error
    return area


def _edges(areas: GeometryArray, downsample: float) -> _Edges:
    parts, shape_of_part = shapely.get_parts(areas, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    grid: IntArray = np.rint(vertices / downsample * _UNIT).astype(np.int64)
    rows = (grid[:, 1] + (_CENTRE - 1)) // _UNIT  # the first row whose centre lies on or below the vertex
    start = np.flatnonzero((ring[1:] == ring[:-1]) & (rows[1:] != rows[:-1]))
    goes_down = rows[start] < rows[start + 1]
    upper, lower = np.where(goes_down, start, start + 1), np.where(goes_down, start + 1, start)
    x, y = grid[upper].T
    dx, dy = (grid[lower] - grid[upper]).T
    shape = shape_of_part[part_of_ring[ring[start]]].astype(np.int64)
    return _Edges(x.copy(), y.copy(), dx.copy(), dy.copy(), rows[upper], rows[lower], shape)


def _outward(bounds: NDArray[np.float64]) -> NDArray[np.float64]:
    # Rounding moves a vertex by at most half of 1/256 pixel; the box must hold it afterwards as well.
    return bounds + np.array([-1, -1, 1, 1]) / _UNIT
