"""People's annotations → a whole new GeoJSON file, and what it doesn't hold."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import geojson

from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind, Shape
from bridge.qupath.collector import collector_paused
from bridge.qupath.geojson_document import CHILDREN, OUR_KEY
from bridge.qupath.geojson_features import annotation_features
from bridge.qupath.geojson_text import encodable, to_text

logger = logging.getLogger(__name__)

# Three levels of JSON each; parsers stop at some 255 levels (orjson writes 254, newer Gson reads 255).
MAX_GENERATIONS = 64

_LOST: Mapping[str, Callable[[Annotation], bool]] = {
    "arrow head": lambda a: a.shape is Shape.ARROW,
    "ruler (became a line)": lambda a: a.shape is Shape.RULER,
    "parts without area": lambda a: a.geometry.geom_type == "GeometryCollection",
    "nucleus": lambda a: a.nucleus is not None and a.kind is not ObjectKind.CELL,
}


@dataclass(frozen=True, slots=True)
class ComposedGeoJSON:
    """A composed file, and what it doesn't hold.

    Parameters
    ----------
    data
        The file.
    written
        Annotations that are in it, in the order given.
    left_out
        Annotations that QuPath has no outline for: why → how many.
    lost
        What written ones lose → how many of them; ``"TMA grid"`` → 1.
    """

    data: bytes
    written: tuple[Annotation, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


@collector_paused()
def compose_geojson(
    annotations: AnnotationSet | Sequence[Annotation],
    *,
    write_marker: str | None = None,
    nests_children: bool = False,
) -> ComposedGeoJSON:
    """Return a FeatureCollection that every QuPath since 0.4 reads.

    Coordinates are rounded to 0.01 px; areas that are invalid there are repaired (even-odd); every class has a colour;
    ids that are no UUID become one; a lone half of a surrogate pair becomes ``?``, as in QuPath's own exports.

    Parameters
    ----------
    annotations
        Level-0 pixels.
    write_marker
        Becomes the collection's foreign member ``slidebridge``; None or empty leaves it out.
    nests_children
        Put an object into its parent's ``childObjects``, where the parent came before it and has fewer than
        ``MAX_GENERATIONS`` objects above. QuPath reads it; most other programs overlook what is in there. Otherwise
        child objects go out beside their parents, as in QuPath's own exports.
    """
    grid = annotations.tma_grid if isinstance(annotations, AnnotationSet) else None
    objects = annotations.annotations if isinstance(annotations, AnnotationSet) else tuple(annotations)
    marker = encodable(write_marker or "")
    clean, garbled = _encodable(objects)
    features = annotation_features(clean, marker)
    kept = [place for place, feature in enumerate(features) if feature is not None]
    top, orphans = _family(clean, features, kept, nests_children)
    extra = {OUR_KEY: {"write": marker}} if marker else {}
    written = tuple(objects[place] for place in kept)
    lost = {what: sum(map(has, written)) for what, has in _LOST.items()}
    lost |= {"parent object": orphans, "characters": garbled, "TMA grid": int(grid is not None)}
    left_out = Counter(_why(a) for a, feature in zip(objects, features, strict=True) if feature is None)
    data = to_text(geojson.FeatureCollection(top, **extra))
    return ComposedGeoJSON(data, written, dict(left_out), {what: count for what, count in lost.items() if count})


def write_geojson(annotations: AnnotationSet | Sequence[Annotation], *, write_marker: str | None = None) -> bytes:
    """Return the bytes of ``compose_geojson``; what they don't hold is logged."""
    composed = compose_geojson(annotations, write_marker=write_marker)
    if composed.left_out or composed.lost:
        logger.warning(
            "not all goes into GeoJSON: count=%d left_out=%s lost=%s",
            sum(composed.left_out.values()), dict(composed.left_out), dict(composed.lost),
        )  # fmt: skip
    return composed.data


def _family(
    annotations: Sequence[Annotation], features: Sequence[geojson.Feature | None], kept: Sequence[int], nests: bool
) -> tuple[list[geojson.Feature], int]:
    """Return the features at the top, and how many objects lost their parent; children are put into their parents."""
    top: list[geojson.Feature] = []
    generation: dict[str, int] = {}
    by_id: dict[str, geojson.Feature] = {}
    orphans = 0
    for place in kept:
        annotation, feature = annotations[place], features[place]
        assert feature is not None  # it is kept
        parent_id = annotation.parent_id if nests else None
        above = 0 if parent_id is None else generation.get(parent_id, MAX_GENERATIONS)
        is_nested = parent_id is not None and above < MAX_GENERATIONS
        if parent_id is not None and is_nested:
            by_id[parent_id]["properties"].setdefault(CHILDREN, []).append(feature)
        else:
            top.append(feature)
        orphans += annotation.parent_id is not None and not is_nested
        if annotation.object_id not in by_id:
            by_id[annotation.object_id] = feature
            generation[annotation.object_id] = above + 1 if is_nested else 0
    return top, orphans


def _encodable(annotations: Sequence[Annotation]) -> tuple[Sequence[Annotation], int]:
    """Return the annotations in texts that UTF-8 can hold, and how many had others."""
    garbled = [place for place, a in enumerate(annotations) if not all(map(_is_encodable, _texts(a)))]
    if not garbled:
        return annotations, 0
    clean = list(annotations)
    for place in garbled:
        clean[place] = _cleaned(annotations[place])
    return clean, len(garbled)


def _is_encodable(text: str) -> bool:
    return text.isascii() or encodable(text) == text


def _texts(annotation: Annotation) -> Iterator[str]:
    yield annotation.path_class or ""
    yield annotation.name or ""
    yield from annotation.metadata
    yield from annotation.metadata.values()
    yield from annotation.measurements


def _cleaned(annotation: Annotation) -> Annotation:
    return replace(
        annotation,
        path_class=None if annotation.path_class is None else encodable(annotation.path_class),
        name=None if annotation.name is None else encodable(annotation.name),
        metadata={encodable(key): encodable(value) for key, value in annotation.metadata.items()},
        measurements={encodable(name): value for name, value in annotation.measurements.items()},
    )


def _why(annotation: Annotation) -> str:
    is_shapeless = annotation.shape is Shape.NONE or annotation.geometry.is_empty
    return "no shape" if is_shapeless else "area below 0.01 px"
