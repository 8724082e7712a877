"""What changed between two versions of a slide's annotations, whatever a tool did to ids and numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import shapely

from bridge.annotations.objects import Annotation
from bridge.annotations.outlines import as_array, match_outlines, near_pairs


@dataclass(frozen=True, slots=True)
class Difference:
    """Objects that only one of two versions holds; an edited object is in both lists."""

    added: tuple[Annotation, ...]
    removed: tuple[Annotation, ...]


def diff_annotations(before: Sequence[Annotation], after: Sequence[Annotation]) -> Difference:
    """Compare two versions by class and outline (tolerance of ``is_same_outline``); ids don't count.

    Each object has at most one twin in the other version: of three copies that became two, one was removed.
    """
    left, new = _without_equals(before, after)
    shapes, others = (as_array([a.geometry for a in side]) for side in (left, new))
    pairs = [(i, j) for i, j in near_pairs(shapes, others) if left[i].path_class == new[j].path_class]
    twins = match_outlines(shapes, others, pairs)
    stayed, kept = {i for i, _ in twins}, {j for _, j in twins}
    return Difference(
        tuple(a for j, a in enumerate(new) if j not in kept), tuple(a for i, a in enumerate(left) if i not in stayed)
    )


def _without_equals(
    before: Sequence[Annotation], after: Sequence[Annotation]
) -> tuple[list[Annotation], list[Annotation]]:
    """Leave out what is equal to the last bit, nearly everything, so that only the rest is compared by distance."""
    keys, other_keys = (_keys(side) for side in (before, after))
    stock: dict[tuple[str | None, bytes], list[int]] = defaultdict(list)
    for place in reversed(range(len(before))):
        stock[keys[place]].append(place)
    new = []
    for annotation, key in zip(after, other_keys, strict=True):
        if stock.get(key):
            stock[key].pop()
        else:
            new.append(annotation)
    left = sorted(place for places in stock.values() for place in places)
    return [before[place] for place in left], new


def _keys(annotations: Sequence[Annotation]) -> list[tuple[str | None, bytes]]:
    shapes = shapely.to_wkb(as_array([a.geometry for a in annotations]))
    return [(a.path_class, shape) for a, shape in zip(annotations, shapes, strict=True)]


def is_suspicious(before: int, after: int) -> bool:
    """Say whether a save lost so many human objects that it may be an accident: all of them, or more than half."""
    return before > 0 and (after == 0 or after < before / 2)
