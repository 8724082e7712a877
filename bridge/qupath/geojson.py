"""GeoJSON in QuPath's dialect: read in all its versions (0.2–0.7), write so that every QuPath since 0.4 accepts it.

Ours on top of QuPath's: the collection's foreign member ``slidebridge`` (write marker), the metadata key
``slidebridge`` of each of our objects, and the property ``classProbability``. QuPath reads over all three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind, ReadCounts, Shape
from bridge.errors import GeoJSONFormatError
from bridge.qupath.collector import collector_paused
from bridge.qupath.geojson_compose import ComposedGeoJSON, compose_geojson, write_geojson
from bridge.qupath.geojson_document import Document, Item, open_document
from bridge.qupath.geojson_edit import apply_edits
from bridge.qupath.geojson_geometry import build, shapes_of
from bridge.qupath.geojson_properties import (
    PROBABILITY,
    has_translucent_color,
    read_class,
    read_color,
    read_kind,
    read_measurements,
    read_metadata,
    read_plane,
    read_probability,
)
from bridge.qupath.geojson_text import JsonObject, parse, unpack

__all__ = ["ComposedGeoJSON", "apply_edits", "compose_geojson", "read_geojson", "write_geojson"]


@collector_paused()
def read_geojson(data: bytes) -> AnnotationSet:
    """Read all objects of a GeoJSON file: plain, gzip, or zip with one member.

    Outermost may be a FeatureCollection, an array, one feature or one geometry. Child objects follow their parent;
    QuPath's root object is left out. An object without a UUID gets one from its id or geometry, the same at each
    reading. A GeometryCollection stays one object. Geometry is level-0 pixels of the image as QuPath shows it.

    Raises
    ------
    GeoJSONFormatError
        Cut, not GeoJSON, too large or too deep; or a feature that can't be read, named as ``features[2]``.
    """
    document = open_document(parse(unpack(data)))
    items = [item for item in document.items if not item.is_root]
    outlines = [_geometry(item, "geometry") for item in items]
    built = build(outlines, [f"{item.path}.geometry" for item in items])
    shapes = shapes_of(outlines, built)
    nuclei = _nuclei(items)
    parents = [_parent_id(document, item) for item in items]
    rows = zip(items, built, shapes, nuclei, parents, strict=True)
    annotations = tuple(_annotation(*row) for row in rows)
    translucent = sum(has_translucent_color(item.properties) for item in items)
    counts = replace(_counts(annotations), translucent=translucent)
    return AnnotationSet(annotations, counts, document.write_marker)


def _geometry(item: Item, key: str) -> JsonObject | None:
    value = item.feature.get(key)
    if not isinstance(value, dict | None):
        raise GeoJSONFormatError(f"{item.path}.{key} is not an object; export the objects again")
    return value


def _nuclei(items: Sequence[Item]) -> list[BaseGeometry | None]:
    places = [place for place, item in enumerate(items) if "nucleusGeometry" in item.feature]
    outlines = [_geometry(items[place], "nucleusGeometry") for place in places]
    built = build(outlines, [f"{items[place].path}.nucleusGeometry" for place in places])
    nuclei: list[BaseGeometry | None] = [None] * len(items)
    for place, geometry in zip(places, built, strict=True):
        nuclei[place] = None if geometry.is_empty else geometry
    return nuclei


def _parent_id(document: Document, item: Item) -> str | None:
    if item.parent is None:
        return None
    parent = document.items[item.parent]
    return None if parent.is_root else parent.object_id


def _annotation(
    item: Item, geometry: BaseGeometry, shape: Shape, nucleus: BaseGeometry | None, parent_id: str | None
) -> Annotation:
    properties = item.properties
    name = properties.get("name")
    kind = read_kind(item.feature, properties)
    path_class, color = read_class(properties.get("classification"), item.path)
    return Annotation(
        object_id=item.object_id,
        geometry=geometry,
        path_class=path_class,
        shape=shape,
        kind=kind,
        name=None if name is None else str(name),
        is_ours=item.is_ours,
        is_locked=properties.get("isLocked") is True,
        color=color if path_class is not None else None,
        own_color=read_color(properties.get("color")),
        is_missing=kind is ObjectKind.TMA_CORE and properties.get("isMissing") is True,
        plane=read_plane(item.feature.get("geometry") or {}),
        probability=read_probability(properties.get(PROBABILITY)),
        parent_id=parent_id,
        nucleus=nucleus,
        metadata=read_metadata(properties.get("metadata")),
        measurements=read_measurements(properties.get("measurements")),
    )


def _counts(annotations: Sequence[Annotation]) -> ReadCounts:
    verbatim = Counter(word for annotation in annotations if (word := _verbatim_kind(annotation)) is not None)
    areas = [annotation.geometry for annotation in annotations if annotation.shape.is_area]
    invalid = int((~shapely.is_valid(areas)).sum()) if areas else 0
    return ReadCounts(read=len(annotations), repaired=invalid, verbatim=dict(verbatim))


def _verbatim_kind(annotation: Annotation) -> str | None:
    if annotation.kind is not ObjectKind.ANNOTATION:
        return str(annotation.kind.value)
    return None if annotation.shape.is_area else str(annotation.shape.value)
