"""Which outlines of a slide's map become predictions: those on the slide and large enough, many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.annotations.writing import Prediction
from bridge.coords import Region, um2_to_px2, um_to_px
from bridge.raster import simplify_outlines
from scripts.options import PredictOptions

Outline = tuple[int, shapely.Polygon]
"""Label, and where it is, in level-0 pixels."""

_AT_ONCE = 4096  # outlines that are looked at together; what isn't worth writing is forgotten with them
_GeometryArray = NDArray[np.object_]


def worth_writing(
    found: Iterable[Outline], bounds: Region, downsample: float, mpp: tuple[float, float], options: PredictOptions
) -> list[Outline]:
    """Return what is large enough, on the slide, without holes that are too small; as it comes.

    Parameters
    ----------
    found
        As ``vectorize_bands`` yields them.
    bounds
        The slide: its last map pixels may be larger than what is left of it.
    downsample
        Of the map.
    """
    smallest = um2_to_px2(options.min_area_um2, mpp)
    coming, kept = iter(found), list[Outline]()
    while part := list(islice(coming, _AT_ONCE)):
        labels, outlines = np.array([label for label, _ in part]), np.array([shape for _, shape in part], dtype=object)
        labels, outlines = _on_slide(labels, outlines, bounds, downsample)
        is_large = (labels != 0) & (shapely.area(outlines) >= smallest)
        large = _without_specks(outlines[is_large], smallest)
        kept.extend(zip(labels[is_large].tolist(), large.tolist(), strict=True))
    return kept


def predictions_of(
    found: Sequence[Outline], names: Sequence[str], mpp: tuple[float, float], options: PredictOptions
) -> Iterator[Prediction]:
    """Yield what outlines say, simplified together: neighbours keep one border.

    Parameters
    ----------
    names
        Classes by label.
    """
    for label, outline in simplify_outlines(found, tolerance_px=um_to_px(options.simplify_um, mpp)):
        yield Prediction(names[label], outline)


def _on_slide(
    labels: NDArray[np.int64], outlines: _GeometryArray, bounds: Region, downsample: float
) -> tuple[NDArray[np.int64], _GeometryArray]:
    left, top, right, bottom = bounds.bounds
    if right % downsample == 0 and bottom % downsample == 0:
        return labels, outlines
    limits = shapely.bounds(outlines)
    is_beyond = (limits[:, 2] > right) | (limits[:, 3] > bottom)
    outlines[is_beyond] = shapely.intersection(outlines[is_beyond], shapely.box(left, top, right, bottom))
    parts, whole = shapely.get_parts(outlines, return_index=True)
    is_area = (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON) & ~shapely.is_empty(parts)
    return labels[whole[is_area]], parts[is_area]


def _without_specks(outlines: _GeometryArray, smallest: float) -> _GeometryArray:
    """Return polygons without holes that are smaller than the smallest object worth writing."""
    rings, polygon = shapely.get_rings(outlines, return_index=True)
    is_shell = np.diff(polygon, prepend=-1) > 0
    is_speck = ~is_shell
    is_speck[is_speck] = shapely.area(shapely.polygons(rings[is_speck])) < smallest
    changed = np.unique(polygon[is_speck])
    if not changed.size:
        return outlines
    is_left = np.isin(polygon, changed) & ~is_speck
    vertices, ring = shapely.get_coordinates(rings[is_left], return_index=True)
    stops = (np.cumsum(counts) for counts in (np.bincount(ring), np.bincount(polygon[is_left])[changed]))
    offsets = tuple(np.append(0, stop) for stop in stops)
    outlines[changed] = shapely.from_ragged_array(shapely.GeometryType.POLYGON, vertices, offsets)
    return outlines
