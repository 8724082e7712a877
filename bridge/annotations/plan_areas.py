"""Areas as a label plan lists them: what shares pixels with the slide, in an order that they alone decide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_areas
from bridge.annotations.outlines import as_array

Areas = NDArray[np.object_]


def share_area(areas: Areas, other: BaseGeometry) -> NDArray[np.bool_]:
    """Say which areas have more than their edges in common with another."""
    shapely.prepare(other)
    # Touching is not sharing; GEOS knows it cheaply only for single pairs, and nearly nothing touches.
    return shapely.intersects(other, areas) & ~shapely.touches(other, areas)


def cut_far(areas: Areas, slide_box: BaseGeometry) -> Areas:
    """Return areas of which those that reach off the slide by more than its longer side end at its edge.

    A box that goes a little over the edge stays as it is drawn: by its bounds it is known again. One of a million times
    the slide is a slip of the hand or of a program, and would be walked over tile by tile.
    """
    left, top, right, bottom = slide_box.bounds
    reach = max(right - left, bottom - top)
    limits = np.array([left, top, right, bottom]) + reach * np.array([-1, -1, 1, 1])
    off = (shapely.bounds(areas) - limits) * np.array([-1, -1, 1, 1])
    is_far = (off > 0).any(axis=1)
    if not is_far.any():
        return areas
    result = areas.copy()
    result[is_far] = repair_areas(shapely.intersection(areas[is_far], slide_box))
    return result


def places_in_order(areas: Sequence[BaseGeometry], *ranks: Sequence[int]) -> list[int]:
    """Return where areas stand when sorted by bounds, then outline, then ranks: the same whatever order they come in.

    So what is made of them is the same too, chance included, though a tool lists them in another order after each save.

    Parameters
    ----------
    ranks
        A number for each area.
    """
    outlines = as_array(areas)
    bounds = shapely.bounds(outlines)
    by_bounds = [bounds[:, column] for column in (3, 2, 1, 0)]  # the last decides first
    order = np.lexsort(by_bounds)
    is_tied = (bounds[order[1:]] == bounds[order[:-1]]).all(axis=1)
    tied = order[np.append(is_tied, False) | np.append(False, is_tied)] if len(order) else order
    outline = np.zeros(len(outlines), np.int64)
    outline[tied] = np.unique(shapely.to_wkb(outlines[tied]), return_inverse=True)[1]
    found: list[int] = np.lexsort((*(np.array(rank) for rank in ranks[::-1]), outline, *by_bounds)).tolist()
    return found


def in_order(areas: Sequence[BaseGeometry]) -> list[BaseGeometry]:
    """Return areas in the order of ``places_in_order``."""
    return [areas[place] for place in places_in_order(areas)]
