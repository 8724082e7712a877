"""Predictions and proposals → QuPath objects in the graph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from struct import pack
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from bridge.annotations import MachineObject, MachineRole
from bridge.annotations.source import CHECKPOINT_KEY
from bridge.errors import InvalidGeometryError
from bridge.qupath import class_table as table
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import JavaObject, ObjectArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.path_objects import OBJECT_ID
from bridge.qupath.read import OWN_KEY
from bridge.qupath.roi_geometry import Geometries
from bridge.qupath.roi_numbers import DECIMALS, float_columns, grid_wkb

_NO_CHILDREN = pack(">i", 0)
_T = TypeVar("_T")


def build_objects(builder: GraphBuilder, objects: Sequence[MachineObject], write_marker: str) -> list[JavaObject]:
    """Return the objects as nodes, in order, each bearing our metadata key with the write marker, and its model's id.

    A proposal becomes a locked rectangle. A prediction becomes an unlocked annotation, or a detection where it is not
    editable; a polygon without hole keeps its vertices as float32, everything else as well-known binary, both rounded
    to 0.01 px.

    Raises
    ------
    InvalidGeometryError
        A geometry is empty, not finite, or a mere collection.
    """
    rois = _build_rois(builder, objects)
    keys = {count: builder.texts((OBJECT_ID, OWN_KEY, CHECKPOINT_KEY)[:count]) for count in (2, 3)}
    marker = builder.text(write_marker)
    return [_build(builder, item, roi, keys, marker) for item, roi in zip(objects, rois, strict=True)]


def _build(
    builder: GraphBuilder, item: MachineObject, roi: JavaObject, keys: Mapping[int, ObjectArray], marker: JavaString
) -> JavaObject:
    is_proposal = item.role is MachineRole.PROPOSAL
    made_by = [] if item.checkpoint is None else [builder.text(item.checkpoint)]
    texts = [JavaString(item.object_id.encode()), marker, *made_by]
    names = keys[len(texts)]
    return builder.object(
        table.ANNOTATION if is_proposal or item.is_editable else table.DETECTION,
        [
            None if item.name is None else builder.text(item.name),
            None,  # colour: that of the class
            builder.metadata(names, ObjectArray(names.desc, [*texts])),
            None,  # measurements
            _NO_CHILDREN,
            builder.boolean(is_proposal),
            builder.path_class(item.path_class, item.color),
            roi,
            pack(">d", math.nan if item.probability is None else item.probability),
        ],
    )


def _build_rois(builder: GraphBuilder, objects: Sequence[MachineObject]) -> list[JavaObject]:
    rois: dict[int, JavaObject] = {}
    geometries = _checked(objects)
    is_box = np.array([item.role is MachineRole.PROPOSAL for item in objects], bool)
    is_outline = (shapely.get_type_id(geometries) == shapely.GeometryType.POLYGON) & ~is_box
    is_outline &= shapely.get_num_interior_rings(geometries) == 0
    is_other = ~is_box & ~is_outline
    for number, corners in _numbered(is_box, shapely.bounds(geometries[is_box]).round(DECIMALS).tolist()):
        rois[number] = builder.rectangle(*corners)
    for number, (x, y) in _numbered(is_outline, float_columns(geometries[is_outline], drop_last=True)):
        rois[number] = builder.polygon(x, y)
    for number, wkb in _numbered(is_other, grid_wkb(geometries[is_other])):
        rois[number] = builder.geometry(_held(wkb, objects[number]))
    return [rois[number] for number in range(len(objects))]


def _held(wkb: bytes | None, item: MachineObject) -> bytes:
    if wkb is None:
        raise InvalidGeometryError(f"object {item.object_id} has no area on QuPath's 0.01 px grid")
    return wkb


def _checked(objects: Sequence[MachineObject]) -> Geometries:
    """Return the geometries, a multipolygon of one as that one."""
    geometries = np.empty(len(objects), dtype=object)
    geometries[:] = [item.geometry for item in objects]
    kinds = shapely.get_type_id(geometries)
    is_wrong = (kinds == shapely.GeometryType.GEOMETRYCOLLECTION) | ~np.isfinite(shapely.bounds(geometries)).all(axis=1)
    for number in np.flatnonzero(is_wrong)[:1]:
        what = geometries[number].wkt[:40]
        raise InvalidGeometryError(f"object {objects[number].object_id} is {what}, which QuPath can't hold")
    is_single = (kinds == shapely.GeometryType.MULTIPOLYGON) & (shapely.get_num_geometries(geometries) == 1)
    geometries[is_single] = shapely.get_geometry(geometries[is_single], 0)
    return geometries


def _numbered(chosen: npt.NDArray[np.bool_], values: Iterable[_T]) -> Iterable[tuple[int, _T]]:
    return zip(np.flatnonzero(chosen).tolist(), values, strict=True)
