"""People's annotations appended to a ``data.qpdata``."""

from __future__ import annotations

import math
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiLineString, MultiPolygon, Point, Polygon, box

from bridge.annotations import Annotation, ObjectKind, Plane, Shape, TmaGrid
from bridge.errors import QuPathFormatError
from bridge.qupath.create import create_qpdata
from bridge.qupath.java_stream import JavaObject
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_classes import PATH_CLASS
from bridge.qupath.path_objects import open_root
from bridge.qupath.plain import append_annotations
from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.read import read_qpdata

EMPTY = create_qpdata({"builderType": "uri"}, file_path="/p/d", project_path="/p/project.qpproj", entry_id="1")
HOLED = Polygon([(0, 0), (60, 0), (60, 60), (0, 60)], [[(10, 10), (20, 10), (20, 20)]])
RED = (200, 0, 0)
TEXT = st.text(max_size=12)
UUIDS = st.uuids().map(str)


def person(geometry, shape: Shape = Shape.POLYGON, number: int = 1, **more: object) -> Annotation:
    return Annotation(
        str(uuid.UUID(int=number)), geometry, **{"path_class": "Tumor", "color": RED, **more}, shape=shape
    )


OUTLINES = [
    (Shape.POLYGON, Polygon([(1.5, 2.25), (30, 4), (12, 40.5)])),
    (Shape.POLYGON, Polygon([(0, 0), (40, 40), (40, 0), (0, 41)])),  # crosses itself: kept as drawn
    (Shape.GEOMETRY, HOLED),
    (Shape.GEOMETRY, MultiPolygon([HOLED, box(100, 100, 110, 120.5)])),
    (Shape.RECTANGLE, box(5, 6, 300.25, 400)),
    (Shape.ELLIPSE, shapely.affinity.scale(Point(50, 50).buffer(20, quad_segs=32), 1.5, 1)),
    (Shape.POINTS, Point(3, 4.5)),
    (Shape.POINTS, shapely.MultiPoint([(3, 4), (5, 6.25)])),
    (Shape.LINE, LineString([(1, 2), (3.5, 4)])),
    (Shape.POLYLINE, LineString([(1, 2), (3.5, 4), (9, 0)])),
]
KINDS = (ObjectKind.ANNOTATION, ObjectKind.DETECTION, ObjectKind.TILE, ObjectKind.CELL)


@st.composite
def objects(draw: st.DrawFn) -> Annotation:
    shape, geometry = draw(st.sampled_from(OUTLINES))
    kind = draw(st.sampled_from(KINDS))
    return Annotation(
        draw(UUIDS),
        geometry,
        draw(st.none() | st.sampled_from(["Tumor", "Tumor: Positive", "Ignore*", "Ω: b: c"])),
        shape,
        kind,
        draw(st.none() | TEXT),
        is_locked=draw(st.booleans()),
        color=None,
        own_color=draw(st.none() | st.tuples(*[st.integers(0, 255)] * 3)),
        plane=Plane(*draw(st.tuples(st.integers(-1, 3), st.integers(0, 9), st.integers(0, 9)))),
        probability=draw(st.none() | st.floats(0, 1)),
        nucleus=Polygon([(1, 1), (2, 1), (2, 2)]) if kind is ObjectKind.CELL and draw(st.booleans()) else None,
        metadata=draw(st.dictionaries(TEXT.filter(lambda k: not k.startswith("slidebridge")), TEXT)),
        measurements=draw(st.dictionaries(TEXT, st.floats(allow_nan=False))),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(objects(), max_size=5, unique_by=lambda a: a.object_id))
def test_what_is_appended_reads_back(annotations: list[Annotation]) -> None:
    annotations = [a for a in annotations if "Object ID" not in a.metadata]
    colored = [replace(a, color=None if a.path_class is None else RED) for a in annotations]
    appended = append_annotations(EMPTY, colored)
    assert appended.written == tuple(colored) and not appended.left_out and not appended.lost
    for before, after in zip(colored, read_qpdata(appended.data).annotations, strict=True):
        tolerance = 0.1 if before.shape is Shape.ELLIPSE else 1e-6
        assert shapely.hausdorff_distance(after.geometry, before.geometry) <= tolerance
        same = replace(after, geometry=before.geometry, nucleus=before.nucleus)
        assert same == before
        assert (after.nucleus is None) == (before.nucleus is None)


def test_all_else_keeps_its_bytes(real_files: dict[str, bytes]) -> None:
    for name, data in real_files.items():
        found = read_qpdata(data).annotations
        appended = append_annotations(data, [person(box(1, 2, 30, 40), Shape.RECTANGLE, 99), *found[:200]])
        assert _taken_out(appended.data, len(open_root(open_qpdata(data).root).children)) == data, name
        ids = [a.object_id for a in read_qpdata(appended.data).annotations]
        assert ids[: len(found)] == [a.object_id for a in found]


def test_a_generated_file_keeps_its_bytes_too(every_kind: bytes) -> None:
    before = read_qpdata(every_kind).annotations
    appended = append_annotations(every_kind, before)
    assert _taken_out(appended.data, len(open_root(open_qpdata(every_kind).root).children)) == every_kind
    # All their ids were taken.
    assert appended.renamed == len(before)
    ids = [a.object_id for a in read_qpdata(appended.data).annotations]
    assert len(set(ids)) == len(ids) == 2 * len(before)


def _taken_out(data: bytes, count: int) -> bytes:
    """Return the file with all but the first objects below the root taken out again."""
    qpdata = open_qpdata(data)
    root = open_root(qpdata.root)
    root.replace_children(root.children[:count])
    return write_stream(qpdata.stream.items)


def test_real_objects_go_from_file_to_file(real_files: dict[str, bytes]) -> None:
    for name, data in real_files.items():
        found = read_qpdata(data).annotations
        back = read_qpdata(append_annotations(EMPTY, found).data).annotations
        assert [a.object_id for a in back] == [a.object_id for a in found], name
        for before, after in zip(found, back, strict=True):
            kept = (
                "path_class",
                "shape",
                "name",
                "is_locked",
                "plane",
                "probability",
                "parent_id",
                "own_color",
            )
            assert [getattr(after, key) for key in kept] == [getattr(before, key) for key in kept]
            assert before.geometry.is_empty or after.geometry.hausdorff_distance(before.geometry) < 0.01
            assert after.measurements.keys() == before.measurements.keys()
            assert after.metadata == {k: v for k, v in before.metadata.items() if not k.startswith("slidebridge")}


def test_the_same_input_gives_the_same_bytes() -> None:
    nameless = [replace(person(HOLED, Shape.GEOMETRY), object_id=name) for name in ("L0R0", "L0R1")]
    first = append_annotations(EMPTY, nameless)
    assert append_annotations(EMPTY, nameless).data == first.data
    ids = [a.object_id for a in read_qpdata(first.data).annotations]
    assert len({uuid.UUID(name) for name in ids}) == 2 and first.renamed == 0


def test_nothing_of_ours_goes_in() -> None:
    ours = person(HOLED, Shape.GEOMETRY, is_ours=True, metadata={"slidebridge": "7", "reviewer": "ab"})
    appended = append_annotations(EMPTY, [ours])
    assert b"slidebridge" not in appended.data
    (back,) = read_qpdata(appended.data).annotations
    assert back.metadata == {"reviewer": "ab"} and not back.is_ours


def test_every_level_of_a_class_has_the_color_of_its_own_objects() -> None:
    derived = person(box(0, 0, 9, 9), number=1, path_class="Tumor: Positive: Strong", color=(1, 2, 3))
    base = person(box(0, 0, 9, 9), number=2, path_class="Tumor", color=RED)
    nodes = open_qpdata(append_annotations(EMPTY, [derived, base]).data).stream.nodes
    classes = [n for n in nodes if isinstance(n, JavaObject) and n.desc.name == PATH_CLASS]
    assert len(classes) == 3 and all(n.field("colorRGB") is not None for n in classes)
    colors = {a.path_class: a.color for a in read_qpdata(append_annotations(EMPTY, [derived, base]).data).annotations}
    assert colors == {"Tumor: Positive: Strong": (1, 2, 3), "Tumor": RED}


def test_an_object_without_class_keeps_the_colour_of_its_layer_as_its_own() -> None:
    (back,) = read_qpdata(append_annotations(EMPTY, [person(box(0, 0, 9, 9), path_class=None)]).data).annotations
    assert (back.path_class, back.color, back.own_color) == (None, None, RED)


def test_a_nucleus_with_a_hole_comes_back() -> None:
    cell = person(box(0, 0, 99, 99), kind=ObjectKind.CELL, nucleus=HOLED)
    (back,) = read_qpdata(append_annotations(EMPTY, [cell]).data).annotations
    assert back.nucleus is not None and back.nucleus.equals(HOLED)


def test_a_class_without_color_gets_one() -> None:
    (back,) = read_qpdata(append_annotations(EMPTY, [person(box(0, 0, 9, 9), color=None)]).data).annotations
    assert back.color is not None


def test_children_stay_below_their_parents() -> None:
    parent, child = person(box(0, 0, 99, 99), number=1), person(box(1, 1, 9, 9), number=2)
    orphan = person(box(1, 1, 9, 9), number=3, parent_id=str(uuid.UUID(int=77)))
    appended = append_annotations(EMPTY, [parent, replace(child, parent_id=parent.object_id), orphan])
    parents = {a.object_id: a.parent_id for a in read_qpdata(appended.data).annotations}
    assert parents == {parent.object_id: None, child.object_id: parent.object_id, orphan.object_id: None}
    assert appended.lost == {"parent object": 1}


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (person(Polygon(), Shape.NONE), "no shape"),
        (person(box(0, 0, 9, 9), Shape.NONE), "no shape"),
        (person(box(0, 0, 0.001, 9)), "area below 0.01 px"),
        (person(MultiPolygon([box(0, 0, 0.001, 9), box(20, 0, 20.001, 9)]), Shape.GEOMETRY), "area below 0.01 px"),
    ],
)
def test_what_qupath_has_no_roi_for_is_left_out_and_counted(annotation: Annotation, reason: str) -> None:
    appended = append_annotations(EMPTY, [annotation])
    assert appended.left_out == {reason: 1}
    assert not appended.written and not len(read_qpdata(appended.data))


def core(number: int, **more: object) -> Annotation:
    return person(
        Point(100 * number, 50).buffer(30), Shape.ELLIPSE, number, kind=ObjectKind.TMA_CORE, path_class=None, **more
    )


def test_a_full_grid_of_cores_is_made_with_them() -> None:
    cores = [core(n, is_missing=n == 3, name=f"A-{n}") for n in range(1, 5)]
    child = person(box(80, 40, 110, 60), number=9, parent_id=cores[0].object_id)
    grid = TmaGrid(2, tuple(c.object_id for c in reversed(cores)))
    appended = append_annotations(EMPTY, [*cores, child], tma_grid=grid)
    back = read_qpdata(appended.data)
    assert appended.has_grid and back.tma_grid == grid and not appended.lost
    assert {a.parent_id for a in back.annotations if a.kind is ObjectKind.ANNOTATION} == {cores[0].object_id}
    assert {a.name: a.is_missing for a in back.annotations if a.kind is ObjectKind.TMA_CORE} == {
        "A-1": False,
        "A-2": False,
        "A-3": True,
        "A-4": False,
    }


@pytest.mark.parametrize("width, of", [(2, (1, 2, 3)), (3, (1, 2, 3, 4)), (0, (1, 2, 3, 4)), (2, (1, 2, 3, 3))])
def test_a_grid_that_is_not_full_or_not_of_these_cores_is_not_made(width: int, of: tuple[int, ...]) -> None:
    cores = [core(n) for n in range(1, 5)]
    appended = append_annotations(EMPTY, cores, tma_grid=TmaGrid(width, tuple(core(n).object_id for n in of)))
    assert not appended.has_grid and appended.lost == {"object type": 4}
    assert read_qpdata(appended.data).tma_grid is None


def test_a_file_keeps_the_grid_that_it_has() -> None:
    first = [core(n) for n in (1, 2)]
    made = append_annotations(EMPTY, first, tma_grid=TmaGrid(2, tuple(c.object_id for c in first))).data
    second = [core(n) for n in (3, 4)]
    appended = append_annotations(made, second, tma_grid=TmaGrid(2, tuple(c.object_id for c in second)))
    assert not appended.has_grid
    assert read_qpdata(appended.data).tma_grid == read_qpdata(made).tma_grid


@pytest.mark.parametrize("project", ["tma_070", "tma_051"])
def test_a_real_grid_goes_from_project_to_project(project: str, shared_data: Path) -> None:
    found = read_qpdata((shared_data / "qupath_projects" / project / "data" / "1" / "data.qpdata").read_bytes())
    appended = append_annotations(EMPTY, found.annotations, tma_grid=found.tma_grid)
    back = read_qpdata(appended.data)
    assert found.tma_grid is not None and back.tma_grid == found.tma_grid
    facts = [{a.object_id: (a.kind, a.name, a.is_missing, a.parent_id) for a in s.annotations} for s in (found, back)]
    assert facts[0] == facts[1]


def test_what_an_object_loses_is_counted() -> None:
    arrow = person(LineString([(0, 0), (9, 9)]), Shape.ARROW, 1)
    core = person(box(0, 0, 9, 9), number=2, kind=ObjectKind.TMA_CORE, is_missing=True, nucleus=box(1, 1, 2, 2))
    mixed = person(GeometryCollection([box(0, 0, 9, 9), Point(50, 50)]), Shape.GEOMETRY, 3)
    appended = append_annotations(EMPTY, [arrow, core, mixed])
    assert appended.lost == {
        "arrow head": 1,
        "object type": 1,
        "missing core": 1,
        "nucleus": 1,
        "parts without area": 1,
    }
    assert [a.shape for a in read_qpdata(appended.data).annotations] == [Shape.LINE, Shape.POLYGON, Shape.POLYGON]


def test_crossing_parts_become_valid() -> None:
    bow = Polygon([(0, 0), (40, 40), (40, 0), (0, 40)])
    appended = append_annotations(EMPTY, [person(MultiPolygon([bow, box(100, 0, 120, 20)]), Shape.GEOMETRY)])
    (back,) = read_qpdata(appended.data).annotations
    assert back.geometry.is_valid and math.isclose(back.geometry.area, 800 + 400)


def test_lines_of_several_parts_are_kept() -> None:
    lines = MultiLineString([[(0, 0), (5, 5)], [(9, 9), (20, 9)]])
    (back,) = read_qpdata(append_annotations(EMPTY, [person(lines, Shape.POLYLINE)]).data).annotations
    assert shapely.equals(back.geometry, lines)


def test_versions_that_we_do_not_write_are_refused(lab) -> None:
    old = lab.file([lab.box(object_id=str(uuid.UUID(int=5)))], version=2)
    with pytest.raises(QuPathFormatError, match="read only"):
        append_annotations(old, [person(box(0, 0, 9, 9))])
    with pytest.raises(QuPathFormatError):
        append_annotations(EMPTY[:-9], [person(box(0, 0, 9, 9))])
