"""The outlines behind a slide's labels, as GeoJSON that QuPath opens."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations import IGNORE_LABEL, ROI, Annotation, ClassScheme, LabelPlan, Rgb
from bridge.annotations.scheme import IGNORED
from bridge.qupath import compose_geojson

SPLIT, KIND, BEGAN = "split", "kind", "began_as"
_SPACE = uuid.UUID("6f1f3f0e-6a4a-4d6c-9d55-3c1f6bb0a7c1")
_GREY: Rgb = (128, 128, 128)
_NO_CLASS_COLOUR: Rgb = (0, 0, 0)


def plan_geojson(plan: LabelPlan, scheme: ClassScheme, name: str) -> bytes:
    """Return what was burnt into a slide's label masks, as outlines: level-0 pixels, nothing that a machine said.

    Every object says in its metadata whether it trains or judges (``split``: training, hold-out, both), what it is
    (``kind``: label, roi, ignore, patch label), and whether a person took it over from a prediction (``began_as``).

    Parameters
    ----------
    name
        Of the slide's files: the objects' ids follow from it, so that the same labels give the same file.
    """
    return compose_geojson(tuple(_objects(plan, scheme, name))).data


def _objects(plan: LabelPlan, scheme: ClassScheme, name: str) -> Iterator[Annotation]:
    held = shapely.union_all(list(plan.hold_out)) if plan.hold_out else shapely.MultiPolygon()
    shapely.prepare(held)
    number = 0

    def object_of(area: BaseGeometry, path_class: str, kind: str, colour: Rgb, *, is_blind: bool = True) -> Annotation:
        nonlocal number
        number += 1
        said = {KIND: kind, SPLIT: _split(area, held)} | ({} if is_blind else {BEGAN: "prediction"})
        object_id = str(uuid.uuid5(_SPACE, f"{name} {number}"))
        return Annotation(object_id, area, path_class, color=colour, metadata=said)

    for area in plan.complete:
        yield object_of(area, ROI, "roi", _NO_CLASS_COLOUR)
    for area in plan.ignore:
        yield object_of(area, IGNORED[0], "ignore", _GREY)
    for shape in plan.shapes:
        path_class, colour = _class(scheme, shape.label)
        yield object_of(shape.geometry, path_class, "label", colour, is_blind=shape.is_blind)
    for patch in plan.patch_labels:
        path_class, colour = _class(scheme, patch.label)
        yield object_of(patch.region.to_polygon(), path_class, "patch label", colour)


def _class(scheme: ClassScheme, label: int) -> tuple[str, Rgb]:
    assert label < IGNORE_LABEL, "a plan's labels are the scheme's"
    name = scheme.names[label]
    return name, scheme.colors.get(name, _NO_CLASS_COLOUR)


def _split(area: BaseGeometry, held: BaseGeometry) -> str:
    if held.is_empty or not shapely.intersects(held, area) or shapely.touches(held, area):
        return "training"
    return "hold-out" if shapely.covers(held, area) else "both"
