"""What GeoJSON and label masks have no place for; the other formats' writers say it themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bridge.annotations import Annotation, Shape
from scripts.conversion.report import encodable

Rules = Mapping[str, Callable[[Annotation], bool]]
IN_GEOJSON: Rules = {
    "arrow head": lambda a: a.shape is Shape.ARROW,
    "ruler (became a line)": lambda a: a.shape is Shape.RULER,
    "parent object": lambda a: a.parent_id is not None,
    "parts without area": lambda a: a.geometry.geom_type == "GeometryCollection",
    "characters": lambda a: any(encodable(text) != text for text in _texts(a)),
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


def with_encodable_texts(annotation: Annotation) -> Annotation:
    """Return an annotation that UTF-8 can hold; most are returned as they are."""
    if all(encodable(text) == text for text in _texts(annotation)):
        return annotation
    return replace(
        annotation,
        path_class=None if annotation.path_class is None else encodable(annotation.path_class),
        name=None if annotation.name is None else encodable(annotation.name),
        metadata={encodable(key): encodable(value) for key, value in annotation.metadata.items()},
        measurements={encodable(name): value for name, value in annotation.measurements.items()},
    )


def _texts(annotation: Annotation) -> Iterator[str]:
    yield annotation.path_class or ""
    yield annotation.name or ""
    for key, value in annotation.metadata.items():
        yield from (key, value)
    yield from annotation.measurements
