"""Files of QuPath 0.2 (data version 2): read whole, never written; no real one is at hand."""

from __future__ import annotations

import math

import pytest
import shapely
from shapely.geometry import MultiPolygon, box

from bridge.annotations import Annotation, Edits, ObjectKind, Plane, Shape
from bridge.errors import QuPathFormatError
from bridge.qupath.edit import apply_edits
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_writer import write_stream
from bridge.qupath.plain import append_annotations
from bridge.qupath.read import read_qpdata

OUTER, HOLE, ISLAND = ([*box(*b).exterior.coords][:-1] for b in ((0, 0, 60, 60), (10, 10, 20, 20), (70, 0, 80, 9)))


def _objects(lab):
    plain = {"has_metadata": False}
    tumor, derived = lab.path_class("Tumor", (200, 0, 0)), lab.path_class("Tumor: Positive", (255, 80, 80))
    cell = lab.path_object(
        "PathCell",
        lab.vertices_roi("Polygon", [(1.5, 2.25), (30, 4), (12, 40.5)], (0, 1, 2)),
        nucleus=lab.box_roi("Ellipse", 5, 5, 9, 9),
        measurements=lab.numeric_list("F", {"mean": 0.1, "nan": math.nan}),
        path_class=derived,
        **plain,
    )
    described = lab.path_object(
        "PathAnnotation",
        lab.area_roi([OUTER, HOLE, ISLAND]),
        name="0.2",
        color=-16711936,
        metadata={"ANNOTATION_DESCRIPTION": "kept"},
        measurements=lab.general_list({"Area": 1.5}),
        children=[cell],
        is_locked=True,
        path_class=tumor,
        probability=0.5,
    )
    jts = lab.path_object("PathAnnotation", lab.jts_roi(lab.jts(box(0, 0, 9, 9) - box(2, 2, 4, 4))), **plain)
    wkb = lab.path_object("PathAnnotation", lab.geometry_roi(box(0, 0, 3, 3)), **plain)
    lockless = lab.path_object("PathAnnotation", lab.box_roi("Rectangle", 1, 2, 3, 4), has_lock=False, **plain)
    core = lab.path_object("TMACore", lab.box_roi("Ellipse", 0, 0, 30, 20), is_missing=True, **plain)
    return [described, jts, wkb, lockless, core]


def test_every_field_is_read(lab) -> None:
    data = lab.version_2(_objects(lab))
    assert write_stream(read_stream(data).items) == data
    found = read_qpdata(data)
    described, cell, jts, wkb, lockless, core = found.annotations
    assert found.mpp is None and found.tma_grid is None and found.counts.repaired == 0
    assert described.geometry.equals(MultiPolygon([box(0, 0, 60, 60) - box(10, 10, 20, 20), box(70, 0, 80, 9)]))
    assert (described.path_class, described.color, described.own_color) == ("Tumor", (200, 0, 0), (0, 255, 0))
    assert (described.name, described.is_locked, described.probability) == ("0.2", True, 0.5)
    assert described.metadata == {"ANNOTATION_DESCRIPTION": "kept"} and described.measurements == {"Area": 1.5}
    assert (cell.kind, cell.path_class, cell.plane) == (ObjectKind.CELL, "Tumor: Positive", Plane(0, 1, 2))
    assert cell.parent_id == described.object_id and cell.nucleus is not None and cell.nucleus.bounds == (5, 5, 9, 9)
    assert cell.measurements["mean"] == 0.10000000149011612 and math.isnan(cell.measurements["nan"])
    assert jts.geometry.equals(box(0, 0, 9, 9) - box(2, 2, 4, 4))
    assert wkb.geometry.equals(box(0, 0, 3, 3)) and wkb.metadata == {}
    assert (lockless.shape, lockless.is_locked) == (Shape.RECTANGLE, False)
    assert core.kind is ObjectKind.TMA_CORE and core.is_missing
    ids = [a.object_id for a in found.annotations]
    assert len(set(ids)) == 6 and ids == [a.object_id for a in read_qpdata(data).annotations]


@pytest.mark.parametrize("header", ["Image path: x", '{"server": {"metadata": {}}}', ""])
def test_the_header_only_costs_the_mpp(lab, header: str) -> None:
    assert len(read_qpdata(lab.version_2([lab.box(has_metadata=False)], header))) == 1


def test_nothing_is_written(lab) -> None:
    data = lab.version_2(_objects(lab))
    new = Annotation("a", box(0, 0, 9, 9), "Tumor")
    for write in (lambda: apply_edits(data, Edits("m")), lambda: append_annotations(data, [new])):
        with pytest.raises(QuPathFormatError, match=r"version 2 .*read only; open the image in QuPath 0\.4") as caught:
            write()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("touching", [True, False])
def test_rings_may_touch_and_nest(lab, touching: bool) -> None:
    """A hole that touches its shell at a vertex, an island in a hole, a hole in the island."""
    squares = [box(0, 0, 100, 100), box(10, 10, 90, 90), box(20, 20, 80, 80), box(30, 30, 70, 70)]
    rings = [list(square.exterior.coords)[:-1] for square in squares]
    if touching:
        rings.append([(0, 50), (5, 45), (5, 55)])
    (found,) = read_qpdata(lab.version_2([lab.path_object("PathAnnotation", lab.area_roi(rings))])).annotations
    assert found.geometry.is_valid
    assert found.geometry.area == 100**2 - 80**2 + 60**2 - 40**2 - (25 if touching else 0)


def test_crossing_rings_are_kept_as_drawn(lab) -> None:
    rings = [[(0, 0), (10, 0), (10, 10), (0, 10)], [(5, 5), (15, 5), (15, 15), (5, 15)]]
    found = read_qpdata(lab.version_2([lab.path_object("PathAnnotation", lab.area_roi(rings))]))
    assert found.counts.repaired == 1
    assert shapely.get_num_coordinates(found.annotations[0].geometry) == 10
