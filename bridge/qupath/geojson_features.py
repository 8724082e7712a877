"""Our objects as GeoJSON features that every QuPath since 0.4 accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geojson

from bridge.annotations.objects import Annotation, ObjectKind, Plane, Rgb, Shape
from bridge.annotations.source import CHECKPOINT_KEY, MachineObject, MachineRole
from bridge.errors import InvalidGeometryError
from bridge.qupath.geojson_document import OUR_KEY, to_uuid
from bridge.qupath.geojson_outlines import on_grid, to_geojson
from bridge.qupath.geojson_properties import PROBABILITY, default_color, write_class, write_measurements
from bridge.qupath.geojson_text import encodable


def annotation_features(annotations: Sequence[Annotation], write_marker: str | None) -> list[geojson.Feature | None]:
    """Return a feature for each object, None for those without a shape, which QuPath would refuse or take for an area.

    Parameters
    ----------
    annotations
        In any order; child objects get features of their own.
    write_marker
        For objects of ours that carry no marker of their own.
    """
    outlines = on_grid([annotation.geometry for annotation in annotations])
    has_shape = [annotation.shape is not Shape.NONE for annotation in annotations]
    drawn = [place for place, outline in enumerate(outlines) if has_shape[place] and not outline.is_empty]
    geometries = to_geojson([outlines[place] for place in drawn], [annotations[place].plane for place in drawn])
    nuclei = _nuclei(annotations)
    colors = _class_colors(annotations)
    features: list[geojson.Feature | None] = [None] * len(annotations)
    for place, geometry in zip(drawn, geometries, strict=True):
        annotation = annotations[place]
        if annotation.shape is Shape.ELLIPSE and geometry["type"] == "Polygon" and len(geometry["coordinates"]) == 1:
            geometry["isEllipse"] = True
        properties = _annotation_properties(annotation, colors, write_marker)
        extra = {"nucleusGeometry": nuclei[place]} if place in nuclei else {}
        features[place] = geojson.Feature(to_uuid(annotation.object_id), geometry, properties, **extra)
    return features


def _nuclei(annotations: Sequence[Annotation]) -> dict[int, geojson.geometry.Geometry]:
    """Return the nuclei of cells by their place."""
    given = {
        place: a.nucleus for place, a in enumerate(annotations) if a.nucleus is not None and a.kind is ObjectKind.CELL
    }
    outlines = dict(zip(given, on_grid(list(given.values())), strict=True))
    drawn = {place: outline for place, outline in outlines.items() if not outline.is_empty}
    planes = [annotations[place].plane for place in drawn]
    return dict(zip(drawn, to_geojson(list(drawn.values()), planes), strict=True))


def _class_colors(annotations: Sequence[Annotation]) -> dict[str, Rgb]:
    # Backwards, so that the first colour of a class stays.
    return {a.path_class: a.color for a in reversed(annotations) if a.path_class is not None and a.color is not None}


def _annotation_properties(
    annotation: Annotation, colors: Mapping[str, Rgb], write_marker: str | None
) -> dict[str, Any]:
    path_class = annotation.path_class
    properties: dict[str, Any] = {"objectType": annotation.kind.value}
    if annotation.name is not None:
        properties["name"] = annotation.name
    own_color = annotation.own_color or (annotation.color if not path_class else None)
    if own_color is not None:
        properties["color"] = list(own_color)
    if path_class:
        color = annotation.color or colors.get(path_class) or default_color(path_class)
        properties["classification"] = write_class(path_class, color)
    if annotation.is_locked:
        properties["isLocked"] = True
    if annotation.kind is ObjectKind.TMA_CORE:
        properties["isMissing"] = annotation.is_missing
    if annotation.probability is not None:
        properties[PROBABILITY] = annotation.probability
    if annotation.measurements:
        properties["measurements"] = write_measurements(annotation.measurements)
    metadata = dict(annotation.metadata)
    if annotation.is_ours:
        metadata.setdefault(OUR_KEY, write_marker or "")
    if metadata:
        properties["metadata"] = metadata
    return properties


def machine_features(objects: Sequence[MachineObject], write_marker: str) -> list[geojson.Feature]:
    """Return a feature for each object of ours, bearing our identity.

    Raises
    ------
    InvalidGeometryError
        An object has no area that QuPath could show.
    """
    outlines = on_grid([machine.geometry for machine in objects])
    for machine, outline in zip(objects, outlines, strict=True):
        if outline.is_empty:
            raise InvalidGeometryError(f"object {machine.object_id} ({machine.path_class}) has no area to write")
    geometries = to_geojson(outlines, [Plane()] * len(outlines))
    return [
        geojson.Feature(to_uuid(machine.object_id), geometry, _machine_properties(machine, write_marker))
        for machine, geometry in zip(objects, geometries, strict=True)
    ]


def _machine_properties(machine: MachineObject, write_marker: str) -> dict[str, Any]:
    kind = ObjectKind.ANNOTATION if machine.is_editable else ObjectKind.DETECTION
    properties: dict[str, Any] = {"objectType": kind.value}
    if machine.name is not None:
        properties["name"] = encodable(machine.name)
    properties["classification"] = write_class(encodable(machine.path_class), machine.color)
    if machine.role is MachineRole.PROPOSAL:
        # Locked: the brush then draws inside the box instead of editing it.
        properties["isLocked"] = True
    if machine.probability is not None:
        properties[PROBABILITY] = machine.probability
    made_by = {} if machine.checkpoint is None else {CHECKPOINT_KEY: encodable(machine.checkpoint)}
    properties["metadata"] = {OUR_KEY: encodable(write_marker), **made_by}
    return properties
