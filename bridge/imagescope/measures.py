"""Length and area as ImageScope's region table has them, in level-0 pixels; measured on its files.

Freehand: Length is that of the path as listed, open where the last vertex doesn't repeat the first; Area is that of the
closed ring. Rectangle: the closed perimeter. Ellipse: circumference and area of the ellipse in the box. The columns in
µm are the same numbers times mpp and mpp².
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

POLYGON, RECTANGLE, ELLIPSE, ARROW, RULER = range(5)  # Region/@Type
Vertices = NDArray[np.float64] | NDArray[np.int64]


def length_and_area(kind: int, vertices: Vertices) -> tuple[float, float]:
    """Return a region's Length and Area, unrounded.

    Parameters
    ----------
    kind
        ``Region/@Type``; what covers no area (arrow, ruler, anything unknown) has the length of its path.
    vertices
        Shape (n, 2), as the file lists them; an ellipse by two corners of its box.
    """
    if not len(vertices):
        return 0.0, 0.0
    if kind == ELLIPSE:
        width, height = np.ptp(vertices, axis=0).tolist()
        return circumference(width / 2, height / 2), math.pi / 4 * width * height
    if kind == RECTANGLE:
        return ring_length(vertices), ring_area(vertices)
    return path_length(vertices), ring_area(vertices) if kind == POLYGON else 0.0


def path_length(path: Vertices) -> float:
    """Return the length of a path as listed."""
    x, y = np.subtract(path[1:], path[:-1]).T
    return float(np.hypot(x, y).sum())


def ring_length(ring: Vertices) -> float:
    """Return the perimeter of a ring, whether its last vertex repeats the first or not."""
    return path_length(ring) + math.hypot(*(ring[0] - ring[-1]).tolist())


def ring_area(ring: Vertices) -> float:
    """Return the area of a ring by the shoelace formula, whether its last vertex repeats the first or not."""
    x, y = (ring - ring[0]).T  # from the first vertex: small numbers, and nothing to add for the last side
    return float(abs(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2


def circumference(a: float, b: float) -> float:
    """Return the circumference of an ellipse of half axes a and b, by Ramanujan's second approximation."""
    if not a + b:
        return 0.0
    h = ((a - b) / (a + b)) ** 2
    return math.pi * (a + b) * (1 + 3 * h / (10 + math.sqrt(4 - 3 * h)))
