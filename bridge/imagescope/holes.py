"""Negative regions: which areas of their layer they lie in, and those areas with the holes cut out.

The order in the file is not nesting, and ids go stale when a file is saved again; so geometry decides and
``InputRegionId`` only chooses among the areas that a negative region touches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area
from bridge.annotations.objects import Shape
from bridge.annotations.outlines import as_array
from bridge.errors import ImageScopeFormatError
from bridge.imagescope.elements import RegionElement
from bridge.imagescope.shapes import NO_AREA, Drawing, draw

NEGATIVE = "negative"
_MAX_PAIRS = 1_000_000  # of a negative region and one that it may lie in; a large real layer has some hundred thousand
_MIN_INSIDE = 0.5  # of a negative region's area in areas of its layer, for it to be a hole
_MIN_SHARE = (
    0.1  # of it in one of them, for that one to be cut: a hole drawn a little over the edge spares the neighbour
)


@dataclass(frozen=True, slots=True)
class LayerDrawing:
    """What the regions of one layer draw, holes cut out.

    Parameters
    ----------
    drawings
        One per region. A negative region that cuts nothing is ``verbatim``.
    parents
        Negative region → the regions that it cuts, by position in the layer; never empty.
    """

    drawings: tuple[Drawing, ...]
    parents: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


def draw_layer(regions: Sequence[RegionElement]) -> LayerDrawing:
    """Return what the regions of one layer draw."""
    return cut_holes(regions, draw(regions))


def cut_holes(regions: Sequence[RegionElement], drawings: Sequence[Drawing]) -> LayerDrawing:
    """Cut the negative regions of a layer out of the areas that they lie in.

    A negative region lies in larger ones that together hold at least half of its area, and cuts each of them that holds
    a tenth; where its ``InputRegionId`` names a larger region that it overlaps, it lies in that one only.
    """
    areas = [i for i, drawing in enumerate(drawings) if drawing.verbatim is None]
    negatives = [i for i in areas if regions[i].is_negative]
    if not negatives:
        return LayerDrawing(tuple(drawings))
    positives = [i for i in areas if not regions[i].is_negative]
    covered = dict(zip(areas, _valid_areas([drawings[i] for i in areas]), strict=True))
    parents = _parents(regions, covered, negatives, positives)
    result = list(drawings)
    children: dict[int, list[int]] = {}
    for hole, outers in parents.items():
        for outer in outers:
            children.setdefault(outer, []).append(hole)
    for outer, holes in children.items():
        result[outer] = _without(outer, holes, drawings, covered)
    for hole in negatives:
        if hole not in parents:
            result[hole] = replace(drawings[hole], shape=Shape.NONE, verbatim=NEGATIVE)
    return LayerDrawing(tuple(result), parents)


def polygon_with_holes(
    shell: BaseGeometry, holes: Sequence[BaseGeometry], covered: Sequence[BaseGeometry] | None = None
) -> tuple[BaseGeometry, bool]:
    """Cut holes out of an outline, each a polygon of one ring, as drawn.

    Parameters
    ----------
    covered
        The valid areas of the outline and of each hole, where the caller has them; to repair an outline takes time.

    Returns
    -------
    geometry
        The rings as drawn where they are a valid polygon. Else the difference of the repaired areas: where a hole
        touches or crosses the edge or another hole, rings alone would no longer say what is inside.
    is_valid
        Whether the rings were a valid polygon.
    """
    rings = [shapely.get_coordinates(ring) for ring in (shell, *holes)]
    cut = Polygon(rings[0], rings[1:])
    if cut.is_valid:
        return cut, True
    outer, *inner = covered if covered is not None else map(repair_area, (shell, *holes))
    left = outer.difference(shapely.union_all(inner))
    return _single(repair_area(left)), False


def _parents(
    regions: Sequence[RegionElement],
    covered: Mapping[int, BaseGeometry],
    negatives: Sequence[int],
    positives: Sequence[int],
) -> dict[int, tuple[int, ...]]:
    holes = as_array([covered[i] for i in negatives])
    outers = as_array([covered[i] for i in positives])
    of_hole, of_outer = _near_pairs(holes, outers)
    overlap = _overlaps(holes[of_hole], outers[of_outer])
    hole_area = shapely.area(holes)[of_hole]
    is_possible = (overlap > 0) & (shapely.area(outers)[of_outer] > hole_area)
    overlap[~is_possible] = 0
    in_all = np.bincount(of_hole, overlap, minlength=len(holes))[of_hole]  # twice where areas lie over one another
    is_inside = (in_all >= _MIN_INSIDE * hole_area) & (overlap >= _MIN_SHARE * hole_area)
    inside: dict[int, list[int]] = {}
    named: dict[int, list[int]] = {}
    for hole, outer, lies_in in zip(
        of_hole[is_possible].tolist(), of_outer[is_possible].tolist(), is_inside[is_possible].tolist(), strict=True
    ):
        negative, positive = negatives[hole], positives[outer]
        if _names(regions[negative], regions[positive]):
            named.setdefault(negative, []).append(positive)
        if lies_in:
            inside.setdefault(negative, []).append(positive)
    return {hole: tuple(sorted(found)) for hole, found in (inside | named).items()}


def _near_pairs(holes: NDArray[np.object_], outers: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the places in holes and outers, shape (2, n), whose bounds meet.

    Raises
    ------
    ImageScopeFormatError
        So many that no slide looks like that; cutting them would take hours.
    """
    tree, step = shapely.STRtree(outers), max(1, _MAX_PAIRS // max(1, len(outers)))
    pairs, count = [np.zeros((2, 0), np.int64)], 0
    for start in range(0, len(holes), step):
        found = tree.query(holes[start : start + step])
        found[0] += start
        pairs.append(found)
        count += found.shape[1]
        if count > _MAX_PAIRS:
            raise ImageScopeFormatError(
                f"a layer has more than {_MAX_PAIRS} pairs of a negative region and one that it may cut"
            )
    return np.concatenate(pairs, axis=1)


def _names(negative: RegionElement, positive: RegionElement) -> bool:
    wanted = negative.attributes.get("InputRegionId", "0")
    return wanted not in ("", "0") and wanted == positive.id


def _overlaps(holes: NDArray[np.object_], outers: NDArray[np.object_]) -> NDArray[np.float64]:
    """Return the shared area of each pair; a prepared test spares the intersection where a hole lies wholly inside."""
    shapely.prepare(outers)
    areas = np.asarray(shapely.area(holes), np.float64)
    partly = ~shapely.covers(outers, holes)
    areas[partly] = shapely.area(shapely.intersection(outers[partly], holes[partly]))
    return areas


def _valid_areas(drawings: Sequence[Drawing]) -> NDArray[np.object_]:
    found = np.empty(len(drawings), object)
    found[:] = [drawing.geometry if drawing.is_valid else repair_area(drawing.geometry) for drawing in drawings]
    return found


def _without(
    outer: int, holes: Sequence[int], drawings: Sequence[Drawing], covered: Mapping[int, BaseGeometry]
) -> Drawing:
    parent, areas = drawings[outer], [covered[i] for i in (outer, *holes)]
    cut, is_valid = polygon_with_holes(parent.geometry, [drawings[hole].geometry for hole in holes], areas)
    if cut.is_empty:
        return replace(parent, shape=Shape.NONE, verbatim=NO_AREA, is_valid=True)
    return replace(parent, shape=Shape.GEOMETRY, geometry=cut, is_valid=is_valid)


def _single(areas: MultiPolygon) -> BaseGeometry:
    return areas.geoms[0] if len(areas.geoms) == 1 else areas
