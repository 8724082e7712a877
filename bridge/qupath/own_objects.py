"""Predictions and proposals → QuPath objects in the graph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from struct import pack
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import shapely

from bridge.annotations import MachineObject, MachineRole
from bridge.errors import InvalidGeometryError
from bridge.qupath import class_table as table
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import JavaObject, ObjectArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.path_objects import OBJECT_ID
from bridge.qupath.read import OWN_KEY
from bridge.qupath.roi_geometry import Geometries

DECIMALS = 2  # QuPath 0.6 and later snap to 0.01 px on reading

_NO_CHILDREN = pack(">i", 0)
_T = TypeVar("_T")


def build_objects(builder: GraphBuilder, objects: Sequence[MachineObject], write_marker: str) -> list[JavaObject]:
    """Return the objects as nodes, in order, each bearing our metadata key with the write marker.

    A proposal becomes a locked rectangle. A prediction becomes an unlocked annotation, or a detection where it is not
    editable; a polygon without hole keeps its vertices as float32, everything else as well-known binary, both rounded
    to 0.01 px.

    Raises
    ------
    InvalidGeometryError
        A geometry is empty, not finite, or a mere collection.
    """
    rois = _build_rois(builder, objects)
    keys = builder.texts((OBJECT_ID, OWN_KEY))
    marker = builder.text(write_marker)
    return [_build(builder, item, roi, keys, marker) for item, roi in zip(objects, rois, strict=True)]


def _build(
    builder: GraphBuilder, item: MachineObject, roi: JavaObject, keys: ObjectArray, marker: JavaString
) -> JavaObject:
    is_proposal = item.role is MachineRole.PROPOSAL
    values = ObjectArray(keys.desc, [JavaString(item.object_id.encode()), marker])
    return builder.object(
        table.ANNOTATION if is_proposal or item.is_editable else table.DETECTION,
        [
            None if item.name is None else builder.text(item.name),
            None,  # colour: that of the class
            builder.metadata(keys, values),
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
    for number, (x, y) in _numbered(is_outline, _outlines(geometries[is_outline])):
        rois[number] = builder.polygon(x, y)
    for number, wkb in _numbered(is_other, _wkb(geometries[is_other])):
        rois[number] = builder.geometry(wkb)
    return [rois[number] for number in range(len(objects))]


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


def _outlines(polygons: Geometries) -> Iterator[tuple[bytes, bytes]]:
    """Yield x and y of each outline as big-endian float32, without the closing vertex."""
    xy, of = shapely.get_coordinates(shapely.get_exterior_ring(polygons), return_index=True)
    x, y = (column.astype(">f4").tobytes() for column in xy.round(DECIMALS).T)
    ends = np.cumsum(np.bincount(of, minlength=len(polygons))) * 4
    start = 0
    for end in ends.tolist():
        yield x[start : end - 4], y[start : end - 4]
        start = end


def _wkb(geometries: Geometries) -> list[bytes]:
    """Return well-known binary on the 0.01 px grid; where rounding alone would spoil a geometry GEOS snaps it."""
    rounded = np.asarray(shapely.transform(geometries, lambda xy: xy.round(DECIMALS)), dtype=object)
    is_spoilt = ~shapely.is_valid(rounded)
    rounded[is_spoilt] = shapely.set_precision(geometries[is_spoilt], 10.0**-DECIMALS)
    return [bytes(x) for x in shapely.to_wkb(rounded, byte_order=0, output_dimension=2)]
