"""Shapely geometries → the numbers that ROIs are written as, all of a kind at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely

from bridge.annotations import repair_area
from bridge.qupath.roi_geometry import Coordinates, Geometries

DECIMALS = 2  # QuPath 0.6 and later snap to 0.01 px on reading


def float_columns(geometries: Geometries, *, drop_last: bool = False) -> Iterator[tuple[bytes, bytes]]:
    """Yield x and y of each geometry's vertices as big-endian float32, rounded to 0.01 px.

    Parameters
    ----------
    drop_last
        Leave out the vertex that closes a ring: QuPath's polygons are not closed.
    """
    xy, of = shapely.get_coordinates(geometries, return_index=True)
    x, y = (column.astype(">f4").tobytes() for column in xy.round(DECIMALS).T)
    ends = (np.cumsum(np.bincount(of, minlength=len(geometries))) * 4).tolist()
    start, spare = 0, 4 if drop_last else 0
    for end in ends:
        yield x[start : end - spare], y[start : end - spare]
        start = end


def rounded(geometries: Geometries) -> Geometries:
    """Return the geometries with coordinates rounded to 0.01 px, valid or not."""

    def to_grid(xy: Coordinates) -> Coordinates:
        return xy.round(DECIMALS)

    return np.asarray(shapely.transform(geometries, to_grid), dtype=object)


def grid_wkb(geometries: Geometries) -> list[bytes | None]:
    """Return 2-D, big-endian well-known binary on the 0.01 px grid; None where nothing is left of an area.

    Where rounding alone would spoil an area it is repaired and snapped, for QuPath refuses what isn't valid.
    """
    on_grid = rounded(geometries)
    is_spoilt = ~shapely.is_valid(on_grid) & (shapely.get_dimensions(on_grid) == 2)
    for place in np.flatnonzero(is_spoilt).tolist():
        on_grid[place] = shapely.set_precision(repair_area(geometries[place]), 10.0**-DECIMALS)
    is_left = ~shapely.is_empty(on_grid)
    written = shapely.to_wkb(on_grid, byte_order=0, output_dimension=2)
    return [bytes(wkb) if left else None for wkb, left in zip(written, is_left.tolist(), strict=True)]
