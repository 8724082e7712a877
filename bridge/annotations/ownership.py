"""What is still ours: objects of a file compared with what the store says we wrote.

An object may be deleted or replaced only if it bears our identity and its class, text and geometry are as we wrote
them. Identity is the UUID where a format keeps one (QuPath, GeoJSON); in ImageScope, which renumbers everything, it is
the layer's name and the outline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import is_same_outline, near_pairs, repair_areas
from bridge.annotations.objects import Annotation
from bridge.annotations.source import MachineRole

_EDITED_IOU = 0.3  # an object of the same layer that overlaps a missing one of ours this much is that one, edited


@dataclass(frozen=True, slots=True)
class WrittenObject:
    """One object as we wrote it, from the store.

    Parameters
    ----------
    object_id
        The UUID that we gave it.
    path_class, name, geometry
        As the file held them right after our write (rounded as the format rounds).
    iteration
        The training whose predictions the person saw; 0 before the first.
    is_editable
        False for a QuPath detection: lying in an ROI never accepts it.
    """

    object_id: str
    role: MachineRole
    path_class: str
    geometry: BaseGeometry
    name: str | None = None
    iteration: int = 0
    is_editable: bool = True


def is_as_written(annotation: Annotation, written: WrittenObject) -> bool:
    """Say whether class, text and outline are as we wrote them."""
    return (
        annotation.path_class == written.path_class
        and (annotation.name or None) == (written.name or None)
        and is_same_outline(annotation.geometry, written.geometry)
    )


def match_written(
    annotations: Sequence[Annotation], written: Sequence[WrittenObject], *, former: Sequence[WrittenObject] = ()
) -> Mapping[str, Annotation]:
    """Find each written object in a file, as it is now.

    Objects of a layer (ImageScope) are found by outline, all others by id alone: what lost our marker is found, too,
    and whether it may be touched is for the caller to ask (``Annotation.is_ours``). Where several objects bear one id,
    the one that is as written is taken, else the first.

    Parameters
    ----------
    former
        Objects that a viewer may have brought back: in a layer, found only where they lie unchanged.

    Returns
    -------
    Mapping
        ``WrittenObject.object_id`` → the annotation that it has become; absent when it is gone.
    """
    found = _match_ids([a for a in annotations if a.layer is None], (*written, *former))
    layered = [a for a in annotations if a.layer is not None and not a.geometry.is_empty]
    missing, gone = ([w for w in side if w.object_id not in found] for side in (written, former))
    if layered and (missing or gone):
        found |= _match_outlines(layered, missing, gone)
    return found


def _match_ids(annotations: Sequence[Annotation], written: Sequence[WrittenObject]) -> dict[str, Annotation]:
    by_id: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in annotations:
        by_id[annotation.object_id].append(annotation)
    return {w.object_id: _most_ours(by_id[w.object_id], w) for w in written if w.object_id in by_id}


def _most_ours(bearers: Sequence[Annotation], written: WrittenObject) -> Annotation:
    if len(bearers) == 1:
        return bearers[0]
    return max(bearers, key=lambda a: (a.is_ours, is_as_written(a, written)))


def _match_outlines(
    annotations: Sequence[Annotation], written: Sequence[WrittenObject], former: Sequence[WrittenObject]
) -> dict[str, Annotation]:
    """Match one to one: same layer and outline, then same outline elsewhere, then most overlap in the same layer.

    In that order over all objects, so that a moved or edited twin can't steal the place of one that stayed.
    """
    ours = (*written, *former)
    shapes = np.array([a.geometry for a in annotations], dtype=object)
    outlines = np.array([w.geometry for w in ours], dtype=object)
    near = near_pairs(outlines, shapes)
    same = [(i, j) for i, j in near if annotations[j].path_class == ours[i].path_class]
    moved = [(i, j) for i, j in near if i < len(written) and annotations[j].path_class != ours[i].path_class]
    taken: dict[int, int] = {}  # place in annotations → place in ours

    def take(pairs: Sequence[tuple[int, int]], *, if_unchanged: bool) -> None:
        done = set(taken.values())
        for i, j in pairs:
            if i in done or j in taken or (if_unchanged and not is_same_outline(shapes[j], outlines[i])):
                continue
            taken[j] = i
            done.add(i)

    take(same, if_unchanged=True)
    take(moved, if_unchanged=True)
    take(_edited_pairs(annotations, written, taken), if_unchanged=False)
    return {ours[i].object_id: annotations[j] for j, i in taken.items()}


def _edited_pairs(
    annotations: Sequence[Annotation], written: Sequence[WrittenObject], taken: Mapping[int, int]
) -> list[tuple[int, int]]:
    """Return (written, annotation) of one class that are still free and overlap enough, most overlap first."""
    done = set(taken.values())
    left = [i for i in range(len(written)) if i not in done]
    names = {written[i].path_class for i in left}
    free = [j for j, a in enumerate(annotations) if j not in taken and a.path_class in names]
    if not left or not free:
        return []
    first = repair_areas([written[i].geometry for i in left])
    second = repair_areas([annotations[j].geometry for j in free])
    pairs, overlap = overlapping_pairs(
        first,
        second,
        [written[i].path_class for i in left],
        [annotations[j].path_class for j in free],
        least_iou=_EDITED_IOU,
    )
    order = np.lexsort((pairs[1], pairs[0], -overlap))
    return [(left[int(pairs[0, k])], free[int(pairs[1, k])]) for k in order]


def overlapping_pairs(
    first: NDArray[np.object_],
    second: NDArray[np.object_],
    first_classes: Sequence[str | None],
    second_classes: Sequence[str | None],
    *,
    least_iou: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the pairs of one class that overlap by at least ``least_iou``.

    Parameters
    ----------
    first, second
        Valid areas (``repair_areas``).

    Returns
    -------
    pairs : ndarray
        Places in first and second, shape (2, n).
    overlap : ndarray
        Shared area over joint area, shape (n,).
    """
    numbers = {name: number for number, name in enumerate(dict.fromkeys((*first_classes, *second_classes)))}
    codes, other_codes = (np.array([numbers[c] for c in names], int) for names in (first_classes, second_classes))
    i, j = shapely.STRtree(second).query(first)
    areas, others = shapely.area(first)[i], shapely.area(second)[j]
    # Areas too different can't overlap enough: no need to cut a cell out of a whole tumour.
    is_open = (codes[i] == other_codes[j]) & (np.minimum(areas, others) >= least_iou * np.maximum(areas, others))
    is_open &= (areas > 0) & (others > 0)
    i, j, areas, others = i[is_open], j[is_open], areas[is_open], others[is_open]
    shared = shapely.area(shapely.intersection(first[i], second[j]))
    overlap = shared / (areas + others - shared) if len(i) else np.zeros(0)
    is_enough = overlap >= least_iou
    return np.array([i[is_enough], j[is_enough]], dtype=np.int64), overlap[is_enough]


def share_inside(geometries: Sequence[BaseGeometry], areas: Sequence[BaseGeometry]) -> NDArray[np.float64]:
    """Return for each geometry the share of its area that lies inside the union of the areas.

    Returns
    -------
    ndarray
        float64, shape (len(geometries),), 0 … 1; 0 for geometries without area.
    """
    inside = np.zeros(len(geometries))
    if not len(geometries) or not len(areas):
        return inside
    shapes = repair_areas(geometries)
    union = shapely.union_all(repair_areas(areas))
    shapely.prepare(union)
    total = shapely.area(shapes)
    is_whole = shapely.covers(union, shapes) & (total > 0)
    is_cut = shapely.intersects(union, shapes) & ~is_whole & (total > 0)
    inside[is_whole] = 1.0
    inside[is_cut] = np.minimum(shapely.area(shapely.intersection(shapes[is_cut], union)) / total[is_cut], 1.0)
    return inside
