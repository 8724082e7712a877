"""Outlines as the ``d`` of an SVG path."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry


def path_data(geometry: BaseGeometry, *, unit_px: float = 1.0, origin: tuple[float, float] = (0.0, 0.0)) -> str:
    """Return the rings of an area as SVG path commands, to a tenth of a unit; to be filled with ``evenodd``.

    Parameters
    ----------
    geometry
        Level-0 (x, y); a polygon or several. Rings that are less than two points in the drawing are left out.
    unit_px
        Level-0 pixels per unit of the drawing.
    origin
        Level-0 (x, y) of the drawing's (0, 0).

    Examples
    --------
    >>> path_data(shapely.box(10, 10, 30, 25), unit_px=10)
    'M3 1 3 2.5 1 2.5 1 1Z'
    """
    rings = shapely.get_rings(shapely.get_parts(geometry))
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    points = np.round((vertices - origin) / unit_px, 1) + 0.0  # -0.0 becomes 0.0
    is_new = np.ones(len(points), dtype=bool)
    is_new[1:] = (points[1:] != points[:-1]).any(axis=1) | (ring[1:] != ring[:-1])
    points, ring = points[is_new], ring[is_new]
    each = np.split(points, np.flatnonzero(np.diff(ring)) + 1)
    return "".join(_closed(one[:-1].tolist()) for one in each if len(one) > 2)


def _closed(points: list[list[float]]) -> str:
    return f"M{' '.join(f'{x:.10g} {y:.10g}' for x, y in points)}Z"
