"""What GeoJSON and label masks have no place for; the other formats' writers say it themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bridge.annotations import Annotation, Shape

Rules = Mapping[str, Callable[[Annotation], bool]]
IN_GEOJSON: Rules = {
    "arrow head": lambda a: a.shape is Shape.ARROW,
    "ruler (became a line)": lambda a: a.shape is Shape.RULER,
    "parent object": lambda a: a.parent_id is not None,
    "parts without area": lambda a: a.geometry.geom_type == "GeometryCollection",
}
IN_MASK: Rules = {
    "name": lambda a: bool(a.name),
    "lock": lambda a: a.is_locked,
    "metadata": lambda a: bool(a.metadata),
    "measurements": lambda a: bool(a.measurements),
    "class probability": lambda a: a.probability is not None,
    "plane": lambda a: a.plane.z != 0 or a.plane.t != 0,
}


def count_lost(annotations: Sequence[Annotation], rules: Rules) -> Mapping[str, int]:
    """Return what the annotations lose → how many of them do."""
    counts = {what: sum(map(has, annotations)) for what, has in rules.items()}
    return {what: count for what, count in counts.items() if count}
