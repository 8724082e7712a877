"""What a target has no place for: measured on what was written where that can be read back, else by rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

import numpy as np
import shapely

from bridge.annotations import Annotation, Shape
from scripts.conversion.report import encodable

Rules = Mapping[str, Callable[[Annotation], bool]]
# What the writer of ImageScope's files doesn't count itself.
IN_XML: Rules = {
    "own color": lambda a: a.own_color is not None,
    "missing core": lambda a: a.is_missing,
}
IN_MASK: Rules = {
    "name": lambda a: bool(a.name),
    "lock": lambda a: a.is_locked,
    "metadata": lambda a: bool(a.metadata),
    "measurements": lambda a: bool(a.measurements),
    "class probability": lambda a: a.probability is not None,
    "plane": lambda a: a.plane.z != 0 or a.plane.t != 0,
    "own color": lambda a: a.own_color is not None,
    "parent object": lambda a: a.parent_id is not None,
    "nucleus": lambda a: a.nucleus is not None,
    "missing core": lambda a: a.is_missing,
}
# Told apart by comparing; the words are those of the rules above. Which texts lose characters, the writers say.
_COMPARED: Mapping[str, Callable[[Annotation], object]] = {
    "class name": lambda a: encodable(a.path_class or ""),
    "name": lambda a: encodable(a.name or ""),
    "object type": attrgetter("kind"),
    "lock": attrgetter("is_locked"),
    "color": lambda a: a.color if a.path_class else a.own_color or a.color,
    "own color": lambda a: a.own_color if a.path_class else None,
    "plane": attrgetter("plane"),
    "parent object": attrgetter("parent_id"),
    "nucleus": lambda a: a.nucleus is not None,
    "missing core": attrgetter("is_missing"),
    "metadata": lambda a: {encodable(key): encodable(value) for key, value in a.metadata.items()},
    "measurements": lambda a: {encodable(name): _number(value) for name, value in a.measurements.items()},
    "class probability": lambda a: None if a.probability is None else _number(a.probability),
    "ellipse (became a polygon)": lambda a: a.shape is Shape.ELLIPSE,
}
_PRECISION = 7  # significant digits: QuPath keeps some numbers as float32


def count_lost(annotations: Sequence[Annotation], rules: Rules) -> Mapping[str, int]:
    """Return what the annotations lose → how many of them do."""
    counts = {what: sum(map(has, annotations)) for what, has in rules.items()}
    return {what: count for what, count in counts.items() if count}


def count_changed(before: Sequence[Annotation], after: Sequence[Annotation]) -> Mapping[str, int]:
    """Return what isn't the same after reading back → how many objects it isn't of; objects are told by their ids."""
    found = {annotation.object_id: annotation for annotation in after}
    counts: Counter[str] = Counter()
    for annotation in before:
        other = found.get(annotation.object_id)
        if other is not None:
            counts.update(what for what, value in _COMPARED.items() if value(annotation) != value(other))
    return {what: counts[what] for what in _COMPARED if counts[what]}


def merged_losses(*counts: Mapping[str, int]) -> Mapping[str, int]:
    """Return the losses that any of several counts knows; where two know one, the larger number."""
    merged: dict[str, int] = {}
    for one in counts:
        merged.update({what: max(count, merged.get(what, 0)) for what, count in one.items()})
    return merged


def count_joined(shapes: Sequence[tuple[shapely.Geometry, int]]) -> int:
    """Count the areas that touch another of their label: in a mask nothing tells the two apart."""
    areas = np.array([geometry for geometry, _ in shapes], dtype=object)
    labels = np.array([label for _, label in shapes])
    if not len(areas):
        return 0
    areas = np.where(shapely.is_valid(areas), areas, shapely.buffer(areas, 0))
    first, second = shapely.STRtree(areas).query(areas, predicate="intersects")
    is_other = (first != second) & (labels[first] == labels[second])
    return len(np.unique(first[is_other]))


def _number(value: float) -> str:
    return f"{value:.{_PRECISION}g}" if math.isfinite(value) else str(value)
