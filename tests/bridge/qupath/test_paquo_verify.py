"""What QuPath reads against what we read: real lists of real QuPaths, and every field that may differ."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import MultiPoint, Point, Polygon, box

from bridge.annotations import Annotation, AnnotationSet, ObjectKind, Plane, Shape, TmaGrid
from bridge.errors import QuPathBackendError
from bridge.qupath.paquo_records import QuPathImage, QuPathObject, read_image
from bridge.qupath.paquo_verify import class_colors, compare_objects
from bridge.qupath.read import read_qpdata

_ALL = (
    "bigroi_070", "cells_051", "cells_070", "classes_070", "colourless_070", "deep_070", "plane_shapes_070",
    "planes_044", "planes_051", "planes_060", "planes_070", "shapes_051", "shapes_060", "shapes_070", "strings_070",
    "tma_051", "tma_070", "workflow_051", "workflow_070",
)  # fmt: skip
_ID = "5b1d0000-0000-4000-8000-00000000000{}"
_RECORD: dict[str, Any] = {
    "id": _ID.format(1), "type": "PathAnnotationObject", "name": "a", "roi": "PolygonROI", "plane": [-1, 0, 0],
    "wkb": shapely.to_wkb(box(0, 0, 10, 20), hex=True), "bounds": [0.0, 0.0, 10.0, 20.0], "path_class": "Tumor",
    "color": -3670016, "object_color": None, "probability": "nan", "locked": False, "parent": "root",
    "measurements": {"m": 1.5, "n": "nan"}, "metadata": {"k": "v"}, "nucleus_wkb": None, "missing": False,
}  # fmt: skip
_OURS = Annotation(
    _ID.format(1), box(0, 0, 10, 20), "Tumor", name="a", color=(200, 0, 0), metadata={"k": "v"},
    measurements={"m": 1.5, "n": float("nan")},
)  # fmt: skip


def _fields(ours: Annotation, record: dict[str, Any]) -> list[str]:
    compared = compare_objects(AnnotationSet((ours,)), read_image([record]))
    return [difference.field for difference in compared.differences]


def _expected(shared_data: Path, name: str) -> tuple[bytes, dict[str, Any]]:
    folder = shared_data / "qupath_projects"
    expected = json.loads((folder / "expected" / f"{name}_1.json").read_text())
    return (folder / name / "data" / "1" / "data.qpdata").read_bytes(), expected


@pytest.mark.parametrize("name", _ALL)
def test_we_read_real_files_as_real_qupaths_did(shared_data: Path, name: str) -> None:
    data, expected = _expected(shared_data, name)
    compared = compare_objects(read_qpdata(data), read_image(expected["objects"], expected.get("tma_grid")))
    assert compared.ours == compared.theirs == expected["n_objects"]
    assert compared.differences == ()


def test_every_object_that_qupath_lacks_is_named(shared_data: Path) -> None:
    data, expected = _expected(shared_data, "detections_070")  # which lists 60 of 1501
    compared = compare_objects(read_qpdata(data), read_image(expected["objects"]))
    assert [d.field for d in compared.differences] == ["object"] * (1501 - 60)
    assert {d.theirs for d in compared.differences} == {"nothing"}


@pytest.mark.parametrize("name", ["cells_070", "tma_070"])
def test_a_change_anywhere_in_a_real_list_is_found(shared_data: Path, name: str) -> None:
    data, expected = _expected(shared_data, name)
    ours, theirs = read_qpdata(data), read_image(expected["objects"], expected.get("tma_grid"))
    for number, other in enumerate(theirs.objects):
        moved = replace(other, geometry=affinity.translate(other.geometry, 0.5), is_locked=not other.is_locked)
        changed = replace(theirs, objects=(*theirs.objects[:number], moved, *theirs.objects[number + 1 :]))
        found = compare_objects(ours, changed).differences
        assert [(d.object_id, d.field) for d in found] == [(other.object_id, "lock"), (other.object_id, "geometry")]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("kind", {"type": "PathDetectionObject"}),
        ("shape", {"roi": "RectangleROI"}),
        ("class", {"path_class": "Tumor: Positive"}),
        ("class", {"path_class": None}),
        ("colour of the class", {"color": -3670017}),
        ("own colour", {"object_color": -1}),
        ("name", {"name": None}),
        ("name", {"name": ""}),
        ("lock", {"locked": True}),
        ("parent", {"parent": _ID.format(2)}),
        ("plane (c, z, t)", {"plane": [-1, 1, 0]}),
        ("plane (c, z, t)", {"plane": [0, 0, 0]}),
        ("probability", {"probability": 0.5}),
        ("missing core", {"missing": True}),
        ("geometry", {"wkb": shapely.to_wkb(box(0, 0, 10, 20.1), hex=True)}),
        ("geometry", {"wkb": None}),
        ("nucleus", {"nucleus_wkb": shapely.to_wkb(box(1, 1, 2, 2), hex=True)}),
        ("metadata 'k'", {"metadata": {"k": "w"}}),
        ("metadata 'more'", {"metadata": {"k": "v", "more": ""}}),
        ("measurement 'm'", {"measurements": {"m": 1.5000000000000002, "n": "nan"}}),
        ("measurement 'n'", {"measurements": {"m": 1.5, "n": "inf"}}),
        ("measurement 'n'", {"measurements": {"m": 1.5}}),
    ],
)
def test_each_field_is_compared_and_named(field: str, change: dict[str, Any]) -> None:
    assert _fields(_OURS, _RECORD) == []
    assert _fields(_OURS, {**_RECORD, **change}) == [field]


def test_a_version_that_shows_no_metadata_is_not_blamed() -> None:
    assert _fields(_OURS, {**_RECORD, "metadata": None}) == []


def test_a_class_may_have_the_colour_of_the_projects_list_or_of_another_image() -> None:
    other = AnnotationSet((replace(_OURS, color=(1, 2, 3)),))
    shown = read_image([{**_RECORD, "color": -16711165}])  # 255 << 24 | 1, 2, 3 is −16711165
    ours = AnnotationSet((_OURS,))
    assert [d.field for d in compare_objects(ours, shown).differences] == ["colour of the class"]
    assert compare_objects(ours, shown, class_colors([ours, other])).is_equal
    assert compare_objects(ours, shown, class_colors([ours], {"Tumor": (1, 2, 3)})).is_equal
    assert not compare_objects(ours, shown, class_colors([ours], {"Stroma": (1, 2, 3)})).is_equal


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 40), st.floats(-0.0049, 0.0049), st.floats(-0.0049, 0.0049), st.integers(0, 39), st.booleans())
def test_an_outline_snapped_to_qupaths_grid_is_the_same(sides, dx, dy, start, is_turned) -> None:
    ring = list(Point(500, 500).buffer(100, quad_segs=sides).exterior.coords)[:-1]
    turned = [*ring[start % len(ring) :], *ring[: start % len(ring)]]
    theirs = affinity.translate(Polygon(turned[::-1] if is_turned else turned), dx, dy)
    record = {**_RECORD, "wkb": shapely.to_wkb(theirs, hex=True)}
    assert _fields(replace(_OURS, geometry=Polygon(ring)), record) == []
    away = {**_RECORD, "wkb": shapely.to_wkb(affinity.translate(theirs, 0.05), hex=True)}
    assert _fields(replace(_OURS, geometry=Polygon(ring)), away) == ["geometry"]


def test_a_polygon_that_qupath_cleans_is_compared_by_what_it_stores() -> None:
    ring = [(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 10.0)]
    cleaned = shapely.make_valid(Polygon(ring))
    record = {**_RECORD, "wkb": shapely.to_wkb(cleaned, hex=True), "bounds": [0, 0, 10, 10]}
    ours = replace(_OURS, geometry=Polygon(ring))
    assert _fields(ours, record) == []  # crossing itself: the same area
    assert _fields(ours, {**record, "n_points": 4, "points": [v for point in ring for v in point]}) == []
    other = [(0.0, 0.0), (10.0, 10.0), (10.0, 0.0), (0.0, 9.0)]
    assert _fields(ours, {**record, "n_points": 4, "points": [v for p in other for v in p]}) == ["geometry"]


def test_points_and_lines_are_compared() -> None:
    points = MultiPoint([(1, 1), (2, 2), (3, 5)])
    ours = replace(_OURS, geometry=points, shape=Shape.POINTS)
    record = {**_RECORD, "roi": "PointsROI", "wkb": shapely.to_wkb(points, hex=True)}
    assert _fields(ours, record) == []
    fewer = shapely.to_wkb(MultiPoint([(1, 1), (3, 5)]), hex=True)
    assert _fields(ours, {**record, "wkb": fewer}) == ["geometry"]


def test_an_ellipse_that_is_flattened_otherwise_is_the_same_but_no_other_is() -> None:
    def flat(sides: int, height: float = 100.0) -> Polygon:
        return affinity.scale(Point(200, 200).buffer(1, quad_segs=sides), 150, height)

    ours = replace(_OURS, geometry=flat(60), shape=Shape.ELLIPSE)
    record = {**_RECORD, "roi": "EllipseROI", "bounds": [50, 100, 300, 200]}
    assert _fields(ours, {**record, "wkb": shapely.to_wkb(flat(25), hex=True)}) == []
    lower = {**record, "wkb": shapely.to_wkb(flat(25, 99), hex=True), "bounds": [50, 101, 300, 198]}
    assert _fields(ours, lower) == ["geometry"]


def _image(*objects: QuPathObject) -> QuPathImage:
    return QuPathImage(objects)


def test_objects_without_id_are_paired_in_order_and_keep_their_parents() -> None:
    nameless = ["6ba7b810-9dad-51d1-80b4-00c04fd430c8", "6ba7b810-9dad-51d1-80b4-00c04fd430c9"]  # version 5: ours
    ours = AnnotationSet(
        (replace(_OURS, object_id=nameless[0]), replace(_OURS, object_id=nameless[1], parent_id=nameless[0]))
    )
    parent, child = read_image(
        [{**_RECORD, "id": _ID.format(7)}, {**_RECORD, "id": _ID.format(8), "parent": _ID.format(7)}]
    ).objects
    assert compare_objects(ours, _image(parent, child)).is_equal
    orphan = replace(child, parent_id=None)
    assert [d.field for d in compare_objects(ours, _image(parent, orphan)).differences] == ["parent"]
    found = compare_objects(ours, _image(parent)).differences
    assert sorted((d.ours, d.theirs) for d in found)[0][0] == "nothing" and len(found) == 3


def test_one_id_twice_is_paired_twice() -> None:
    (shown,) = read_image([_RECORD]).objects
    compared = compare_objects(AnnotationSet((_OURS, _OURS)), _image(shown, shown))
    assert compared.is_equal
    assert [d.ours for d in compare_objects(AnnotationSet((_OURS,)), _image(shown, shown)).differences] == ["nothing"]


def test_the_grid_of_cores_is_compared() -> None:
    ours = AnnotationSet((replace(_OURS, kind=ObjectKind.TMA_CORE),), tma_grid=TmaGrid(1, (_ID.format(1),)))
    record = {**_RECORD, "type": "TMACoreObject"}
    assert compare_objects(ours, read_image([record], {"width": 1, "cores": [_ID.format(1)]})).is_equal
    assert [d.object_id for d in compare_objects(ours, read_image([record])).differences] == ["TMA grid"]


@pytest.mark.parametrize(
    "record",
    [
        {}, {**_RECORD, "wkb": "00"}, {**_RECORD, "wkb": 7}, {**_RECORD, "bounds": [1]}, {**_RECORD, "plane": "abc"},
        {**_RECORD, "measurements": [1]}, {**_RECORD, "probability": None}, {**_RECORD, "color": "red"},
        {**_RECORD, "points": [1, 2, 3]}, {**_RECORD, "metadata": 3},
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_one_line(record: dict[str, Any]) -> None:
    with pytest.raises(QuPathBackendError, match="an object that is none") as caught:
        read_image([record])
    assert len(str(caught.value).splitlines()) == 1


def test_the_default_plane_is_all_channels() -> None:
    assert read_image([_RECORD]).objects[0].plane == Plane()
