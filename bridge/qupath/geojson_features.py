"""Our objects as GeoJSON features that every QuPath since 0.4 accepts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import geojson

from bridge.annotations.objects import Annotation, ObjectKind, Plane, Rgb, Shape
from bridge.annotations.source import MachineObject, MachineRole
from bridge.errors import InvalidGeometryError
from bridge.qupath.geojson_document import OUR_KEY, to_uuid
from bridge.qupath.geojson_geometry import EMPTY
from bridge.qupath.geojson_outlines import on_grid, to_geojson
from bridge.qupath.geojson_properties import PROBABILITY, default_color, write_class, write_measurements

logger = logging.getLogger(__name__)


def annotation_features(annotations: Sequence[Annotation], write_marker: str | None) -> list[geojson.Feature]:
    """Return a feature for each object that has a geometry; the others, which QuPath would refuse, are logged.

    Parameters
    ----------
    annotations
        In any order; child objects go out beside their parents, as in QuPath's own exports.
    write_marker
        For objects of ours that carry no marker of their own.
    """
    outlines = on_grid([annotation.geometry for annotation in annotations])
    drawn = [(a, outline) for a, outline in zip(annotations, outlines, strict=True) if not outline.is_empty]
    if len(drawn) < len(annotations):
        logger.warning("objects left out of GeoJSON, having no geometry: count=%d", len(annotations) - len(drawn))
    geometries = to_geojson([outline for _, outline in drawn], [annotation.plane for annotation, _ in drawn])
    nuclei = _nuclei([annotation for annotation, _ in drawn])
    colors = _class_colors(annotations)
    features = []
    for (annotation, _), geometry, nucleus in zip(drawn, geometries, nuclei, strict=True):
        if annotation.shape is Shape.ELLIPSE and geometry["type"] == "Polygon" and len(geometry["coordinates"]) == 1:
            geometry["isEllipse"] = True
        properties = _annotation_properties(annotation, colors, write_marker)
        extra = {"nucleusGeometry": nucleus} if nucleus is not None else {}
        features.append(geojson.Feature(to_uuid(annotation.object_id), geometry, properties, **extra))
    return features


def _nuclei(annotations: Sequence[Annotation]) -> list[geojson.geometry.Geometry | None]:
    nuclei = [EMPTY if a.nucleus is None or a.kind is not ObjectKind.CELL else a.nucleus for a in annotations]
    outlines = on_grid(nuclei)
    drawn = [(outline, a.plane) for a, outline in zip(annotations, outlines, strict=True) if not outline.is_empty]
    written = iter(to_geojson([outline for outline, _ in drawn], [plane for _, plane in drawn]))
    return [None if outline.is_empty else next(written) for outline in outlines]


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
    if path_class:
        color = annotation.color or colors.get(path_class) or default_color(path_class)
        properties["classification"] = write_class(path_class, color)
    elif annotation.color is not None:
        properties["color"] = list(annotation.color)
    if annotation.is_locked:
        properties["isLocked"] = True
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
        properties["name"] = machine.name
    properties["classification"] = write_class(machine.path_class, machine.color)
    if machine.role is MachineRole.PROPOSAL:
        # Locked: the brush then draws inside the box instead of editing it.
        properties["isLocked"] = True
    if machine.probability is not None:
        properties[PROBABILITY] = machine.probability
    properties["metadata"] = {OUR_KEY: write_marker}
    return properties
