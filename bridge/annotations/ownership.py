"""What is still ours: objects of a file compared with what the store says we wrote.

An object may be deleted or replaced only if it bears our identity and its class, text and geometry are as we wrote
them. Identity is the UUID where a format keeps one (QuPath, GeoJSON); in ImageScope, which renumbers everything, it is
the layer's name and the outline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_areas
from bridge.annotations.objects import Annotation
from bridge.annotations.outlines import as_array, is_same_outline, match_outlines, near_pairs
from bridge.annotations.scheme import plain_class
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
    write_marker
        The write that put it into the file; None where that isn't known. No part of what an object is.
    checkpoint
        Id of the model that made it; None before the first, or where that isn't known. No part of it either.
    """

    object_id: str
    role: MachineRole
    path_class: str
    geometry: BaseGeometry
    name: str | None = None
    iteration: int = 0
    is_editable: bool = True
    write_marker: str | None = field(default=None, compare=False)
    checkpoint: str | None = field(default=None, compare=False)


def is_as_written(annotation: Annotation, written: WrittenObject) -> bool:
    """Say whether class, text and outline are as we wrote them."""
    return is_named_as_written(annotation, written) and is_same_outline(annotation.geometry, written.geometry)


def is_named_as_written(annotation: Annotation, written: WrittenObject) -> bool:
    """Say whether class and text are as we wrote them, whatever became of the outline."""
    return annotation.path_class == written.path_class and (annotation.name or None) == (written.name or None)


def match_written(
    annotations: Sequence[Annotation],
    written: Sequence[WrittenObject],
    *,
    former: Sequence[WrittenObject] = (),
    is_taken_over: bool = False,
) -> Mapping[str, Annotation]:
    """Find each written object in a file, as it is now.

    Objects of a layer (ImageScope) are found by outline, all others by id alone: what lost our marker is found, too,
    and whether it may be touched is for the caller to ask (``Annotation.is_ours``). Where several objects bear one id,
    the one that is as written is taken, else the first.

    Parameters
    ----------
    former
        Objects that a viewer may have brought back: in a layer, found only where they lie unchanged.
    is_taken_over
        The file as a whole was made a person's: a prediction that was edited has the plain class now.

    Returns
    -------
    Mapping
        ``WrittenObject.object_id`` → the annotation that it has become; absent when it is gone.
    """
    found = _match_ids([a for a in annotations if a.layer is None], (*written, *former))
    layered = [a for a in annotations if a.layer is not None and not a.geometry.is_empty]
    missing, gone = ([w for w in side if w.object_id not in found] for side in (written, former))
    if layered and (missing or gone):
        found |= _match_outlines(layered, missing, gone, is_taken_over=is_taken_over)
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
    annotations: Sequence[Annotation],
    written: Sequence[WrittenObject],
    former: Sequence[WrittenObject],
    *,
    is_taken_over: bool,
) -> dict[str, Annotation]:
    """Match one to one: same layer and outline, then same outline elsewhere, then most overlap in the same layer.

    In that order over all objects, so that a moved or edited twin can't steal the place of one that stayed.
    """
    ours = (*written, *former)
    shapes, outlines = as_array([a.geometry for a in annotations]), as_array([w.geometry for w in ours])
    near = near_pairs(outlines, shapes)
    same = [(i, j) for i, j in near if annotations[j].path_class == ours[i].path_class]
    moved = [(i, j) for i, j in near if i < len(written) and annotations[j].path_class != ours[i].path_class]
    taken: dict[int, int] = {}  # place in annotations → place in ours

    def take(pairs: Sequence[tuple[int, int]]) -> None:
        done = set(taken.values())
        for i, j in pairs:
            if i not in done and j not in taken:
                taken[j] = i
                done.add(i)

    take(match_outlines(outlines, shapes, same))
    done = set(taken.values())
    take(match_outlines(outlines, shapes, [(i, j) for i, j in moved if i not in done and j not in taken]))
    plain = [plain_class(w.path_class) or w.path_class if is_taken_over else w.path_class for w in written]
    take(_edited_pairs(annotations, written, plain, taken))
    return {ours[i].object_id: annotations[j] for j, i in taken.items()}


def _edited_pairs(
    annotations: Sequence[Annotation],
    written: Sequence[WrittenObject],
    classes: Sequence[str],
    taken: Mapping[int, int],
) -> list[tuple[int, int]]:
    """Return (written, annotation) of one class that are still free and overlap enough, most overlap first.

    ``classes`` are those that the written objects are looked for in.
    """
    done = set(taken.values())
    left = [i for i in range(len(written)) if i not in done]
    names = {classes[i] for i in left}
    free = [j for j, a in enumerate(annotations) if j not in taken and a.path_class in names]
    if not left or not free:
        return []
    first = repair_areas([written[i].geometry for i in left])
    second = repair_areas([annotations[j].geometry for j in free])
    pairs, overlap = overlapping_pairs(
        first,
        second,
        [classes[i] for i in left],
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
    # Nor can those whose boxes share too little: of packed cells every neighbour is a pair.
    is_open &= _shared_boxes(first, second, i, j) >= least_iou / (1 + least_iou) * (areas + others)
    i, j, areas, others = i[is_open], j[is_open], areas[is_open], others[is_open]
    shared = shapely.area(shapely.intersection(first[i], second[j]))
    overlap = shared / (areas + others - shared) if len(i) else np.zeros(0)
    is_enough = overlap >= least_iou
    return np.array([i[is_enough], j[is_enough]], dtype=np.int64), overlap[is_enough]


def _shared_boxes(
    first: NDArray[np.object_], second: NDArray[np.object_], i: NDArray[np.int64], j: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the area that the bounds of each pair share: at least what the pair shares."""
    bounds, others = shapely.bounds(first)[i], shapely.bounds(second)[j]
    sides = np.minimum(bounds[:, 2:], others[:, 2:]) - np.maximum(bounds[:, :2], others[:, :2])
    return np.asarray(np.maximum(sides, 0).prod(axis=1), dtype=np.float64)


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
    union = shapely.union_all(repair_areas(areas))
    shapely.prepare(union)
    shapes = as_array(geometries)
    is_near = shapely.intersects(shapely.box(*union.bounds), shapely.box(*shapely.bounds(shapes).T))
    shapes[~is_near] = shapely.MultiPolygon()
    shapes = repair_areas(shapes)
    total = shapely.area(shapes)
    is_whole = shapely.covers(union, shapes) & (total > 0)
    is_cut = shapely.intersects(union, shapes) & ~is_whole & (total > 0)
    inside[is_whole] = 1.0
    inside[is_cut] = np.minimum(shapely.area(shapely.intersection(shapes[is_cut], union)) / total[is_cut], 1.0)
    return inside
