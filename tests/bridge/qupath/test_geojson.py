"""Reading and writing GeoJSON; edits are in test_geojson_edit."""

from __future__ import annotations

import gzip
import json
import math
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import geojson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon

from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind, Plane, Shape
from bridge.annotations.outlines import is_same_outline
from bridge.errors import GeoJSONFormatError
from bridge.qupath.geojson import read_geojson, write_geojson

KINDS = {
    "PathAnnotationObject": ObjectKind.ANNOTATION,
    "PathDetectionObject": ObjectKind.DETECTION,
    "PathTileObject": ObjectKind.TILE,
    "PathCellObject": ObjectKind.CELL,
    "TMACoreObject": ObjectKind.TMA_CORE,
}
SHAPES = {
    "PolygonROI": Shape.POLYGON,
    "RectangleROI": Shape.RECTANGLE,
    "EllipseROI": Shape.ELLIPSE,
    "GeometryROI": Shape.GEOMETRY,
    "PointsROI": Shape.POINTS,
    "LineROI": Shape.LINE,
    "PolylineROI": Shape.POLYLINE,
}
EXPORTS = (
    *("shapes_070", "shapes_060", "shapes_051", "planes_070", "planes_060", "planes_051", "planes_044"),
    *("tma_070", "tma_051", "cells_070", "cells_051", "classes_070", "plane_shapes_070", "bigroi_070"),
    *("colourless_070", "strings_070", "workflow_070", "workflow_051"),
)


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [8, 0], [9, 8], [0, 8], [0, 0]]]}
    return {"type": "Feature", "geometry": square if geometry is None else geometry, "properties": properties}


def read_one(value: Any) -> Annotation:
    (annotation,) = read_geojson(json.dumps(value).encode()).annotations
    return annotation


# --- real files


@pytest.mark.parametrize("project", EXPORTS)
def test_an_export_reads_as_qupath_itself_reads_the_objects(shared_data: Path, project: str) -> None:
    folder = shared_data / "qupath_projects" / "expected"
    expected = json.loads((folder / f"{project}_1.json").read_text())
    found = read_geojson((folder / f"{project}_1.geojson").read_bytes())
    assert len(found) == expected["n_objects"] == found.counts.read
    by_id = {annotation.object_id: annotation for annotation in found.annotations}
    for wanted in expected["objects"]:
        assert_is_the_object(by_id[wanted["id"]], wanted, has_metadata="_044" not in project)


def argb(color: int | None) -> tuple[int, int, int] | None:
    return None if color is None else (color >> 16 & 255, color >> 8 & 255, color & 255)


# Fields of ``expected/`` that an export carries; those that it doesn't are compared by nobody: they aren't there.
NOT_EXPORTED = {"probability", "parent", "measurement_list", "n_points", "bounds"}
CHECKS: dict[str, Any] = {
    "id": lambda a, value, _: a.object_id == value,
    "type": lambda a, value, _: a.kind is KINDS[value],
    "name": lambda a, value, _: a.name == without_half_pairs(value),
    "path_class": lambda a, value, _: a.path_class == without_half_pairs(value),
    "color": lambda a, value, _: a.color == argb(value),
    "object_color": lambda a, value, _: a.own_color == argb(value),
    "locked": lambda a, value, _: a.is_locked is value,
    "missing": lambda a, value, _: a.is_missing is value,
    "plane": lambda a, value, _: list(a.plane) == value,
    "measurements": lambda a, value, _: same_numbers(a.measurements, value),
    "metadata": lambda a, value, _: (
        a.metadata == {without_half_pairs(k): without_half_pairs(v) for k, v in value.items()}
    ),
    "case_id": lambda a, value, _: a.metadata.get("Case ID") == value,
    "description": lambda a, value, _: a.metadata.get("ANNOTATION_DESCRIPTION") == value,
    # Rounding to two decimals: half of that in x and in y.
    "wkb": lambda a, value, _: is_same_outline(a.geometry, shapely.from_wkb(value), tolerance_px=0.0075),
    # Of a polygon that crosses itself QuPath exports the cleaned parts.
    "roi": lambda a, value, entry: (
        a.shape is SHAPES[value] or shapely.from_wkb(entry["wkb"]).geom_type == "MultiPolygon"
    ),
    "nucleus_wkb": lambda a, value, _: (
        a.nucleus is None
        if value is None
        else a.nucleus is not None and is_same_outline(a.nucleus, shapely.from_wkb(value), tolerance_px=0.0075)
    ),
}


def assert_is_the_object(found: Annotation, wanted: dict[str, Any], *, has_metadata: bool) -> None:
    assert wanted.keys() <= CHECKS.keys() | NOT_EXPORTED, "a field of expected/ that nobody compares"
    assert found.parent_id is None and found.probability is None
    entry = {"object_color": None, "missing": False, "nucleus_wkb": None, **wanted}
    for field in CHECKS.keys() & entry.keys() - (set() if has_metadata else {"metadata"}):
        assert CHECKS[field](found, entry[field], wanted), f"{wanted['id']}: {field}"


@pytest.mark.parametrize("version", ["070", "051"])
def test_every_variant_of_an_export_is_read(shared_data: Path, version: str) -> None:
    folder = shared_data / "qupath_projects" / "expected"
    whole = read_geojson((folder / f"cells_{version}_1.geojson").read_bytes())
    by_id = {a.object_id: a for a in whole.annotations}
    variants = {path.name: read_geojson(path.read_bytes()) for path in folder.glob(f"cells_{version}_1.*.geojson*")}
    assert len(variants) == 7
    for name, found in variants.items():
        counts = {"empty": 0, "empty_collection": 0, "single": 1}
        assert len(found) == counts.get(name.split(".")[1], len(whole)), name
        for annotation in found.annotations:
            bare = "no_measurements" in name or "all_options" in name
            wanted = by_id[annotation.object_id]
            if bare:  # QuPath then leaves the metadata out as well
                wanted = replace(wanted, measurements={}, metadata={})
            assert comparable(annotation) == comparable(wanted), name


def without_half_pairs(text: str | None) -> str | None:
    return None if text is None else text.encode(errors="replace").decode()


def same_numbers(found: Any, wanted: dict[str, Any]) -> bool:
    expected = {without_half_pairs(name): float(value) for name, value in wanted.items()}
    return found.keys() == expected.keys() and all(
        found[name] == value or (math.isnan(found[name]) and math.isnan(value)) for name, value in expected.items()
    )


@pytest.mark.parametrize("version", ["070", "051"])
@pytest.mark.parametrize("form", ["array.geojson", "pretty.geojson", "geojson.gz", "geojson.zip"])
def test_every_form_of_an_export_holds_the_same(shared_data: Path, version: str, form: str) -> None:
    stem = shared_data / "qupath_projects" / "expected" / f"cells_{version}_1"
    plain = read_geojson(stem.with_name(f"{stem.name}.geojson").read_bytes())
    other = read_geojson(stem.with_name(f"{stem.name}.{form}").read_bytes())
    assert_same(plain, other)


def assert_same(first: AnnotationSet, second: AnnotationSet) -> None:
    assert first.counts == second.counts
    assert [comparable(a) for a in first.annotations] == [comparable(a) for a in second.annotations]


def comparable(annotation: Annotation) -> tuple[Any, ...]:
    """What ``==`` of annotations says, but NaN equals NaN."""
    numbers = {name: repr(value) for name, value in annotation.measurements.items()}
    return replace(annotation, measurements={}), numbers


@pytest.mark.parametrize("name", ["empty", "empty_collection"])
def test_an_export_of_nothing_is_empty(shared_data: Path, name: str) -> None:
    data = (shared_data / "qupath_projects" / "expected" / f"cells_070_1.{name}.geojson").read_bytes()
    assert len(read_geojson(data)) == 0


def test_children_of_the_root_object_stay_and_the_root_goes(shared_data: Path) -> None:
    folder = shared_data / "qupath_projects" / "expected"
    nested = read_geojson((folder / "tma_070_1.root.geojson").read_bytes())
    flat = read_geojson((folder / "tma_070_1.geojson").read_bytes())
    assert {a.object_id for a in nested.annotations} == {a.object_id for a in flat.annotations}
    expected = json.loads((folder / "tma_070_1.json").read_text())
    ids = {wanted["id"] for wanted in expected["objects"]}
    parents = {w["id"]: w["parent"] if w["parent"] in ids else None for w in expected["objects"]}
    assert {a.object_id: a.parent_id for a in nested.annotations} == parents
    assert any(parents.values())


@pytest.mark.parametrize(
    ("path", "count", "classes", "shapes"),
    [
        ("qupath_to_lmd/liposarcoma_HE.geojson", 38, 6, {Shape.POLYGON, Shape.POINTS}),
        ("qupath_to_lmd/demo_Qupath_project/Single_cells.geojson", 131, 5, {Shape.POLYGON, Shape.POINTS}),
        ("wsi_handling/TCGA-EJ-5519-01Z-00-DX1.json", 3, 3, {Shape.POLYGON, Shape.GEOMETRY}),
        ("wsidicom/qupath_geojson/qupath-brush.json", 1, 1, {Shape.POLYGON}),
        ("wsidicom/qupath_geojson/qupath-line.json", 1, 1, {Shape.LINE}),
        ("wsidicom/qupath_geojson/qupath-polyline.json", 1, 1, {Shape.POLYLINE}),
        ("wsidicom/qupath_geojson/qupath-multipoint.json", 1, 1, {Shape.POINTS}),
        ("wsidicom/qupath_geojson/qupath-rectangle.json", 1, 1, {Shape.RECTANGLE}),
        ("wsidicom/qupath_geojson_advanced/qupath-polygon-cell-classified.json", 4, 2, {Shape.POLYGON}),
        ("qupath_core/polygon.geojson", 1, 1, {Shape.GEOMETRY}),
    ],
)
def test_exports_of_older_versions_read(
    shared_data: Path, path: str, count: int, classes: int, shapes: set[Shape]
) -> None:
    found = read_geojson((shared_data / "qupath" / path).read_bytes())
    assert len(found) == count
    assert len({a.path_class for a in found.annotations}) == classes
    assert {a.shape for a in found.annotations} >= shapes
    assert all(uuid.UUID(a.object_id) for a in found.annotations)
    assert found.write_marker is None


def test_classes_that_a_gis_program_turned_into_text_are_classes(shared_data: Path) -> None:
    folder = shared_data / "qupath" / "qupath_to_lmd" / "tests_data"
    found = [a.path_class for a in read_geojson((folder / "test_multipolygon.geojson").read_bytes()).annotations]
    assert found == ["Tumor", "Stroma"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("wsidicom/sectra/pathologycore-area.json", "Sectra"),
        ("wsidicom/sectra/pathologycore-polyline.json", "Sectra"),
        ("wsidicom/cytomine/cytomine-polygon.txt", "Cytomine"),
        ("wsidicom/asap/asap-polygon.xml", "not JSON"),
        ("qupath_to_lmd/assets/classes.json", "class list"),
        ("qupath_to_lmd/demo_Qupath_project/project.qpproj", "QuPath project"),
    ],
)
def test_files_of_other_programs_are_refused_by_name(shared_data: Path, path: str, what: str) -> None:
    with pytest.raises(GeoJSONFormatError, match=what) as caught:
        read_geojson((shared_data / "qupath" / path).read_bytes())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("project", EXPORTS)
def test_real_objects_survive_writing(shared_data: Path, project: str) -> None:
    found = read_geojson((shared_data / "qupath_projects" / "expected" / f"{project}_1.geojson").read_bytes())
    again = read_geojson(write_geojson(found))
    known = {a.path_class: a.color for a in found.annotations if a.color is not None}
    expected = [replace(a, color=None) if a.path_class and a.path_class not in known else a for a in found.annotations]
    actual = [replace(a, color=None) if a.path_class and a.path_class not in known else a for a in again.annotations]
    assert [comparable(a) for a in actual] == [comparable(a) for a in expected]


# --- dialects, on small files


@pytest.mark.parametrize(
    ("classification", "path_class", "color"),
    [
        ("Tumor: Positive", "Tumor: Positive", None),
        ({"name": "Tumor", "color": [200, 0, 7]}, "Tumor", (200, 0, 7)),
        ({"names": ["Tumor", "Positive"], "color": [1, 2, 3]}, "Tumor: Positive", (1, 2, 3)),
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor", (200, 0, 0)),
        ({"name": "Tumor"}, "Tumor", None),
        ({"parentClass": {"name": "A", "colorRGB": 1}, "name": "B", "colorRGB": 2}, "A: B", (0, 0, 2)),
        ('{"name": "Tumor", "color": [9, 8, 7]}', "Tumor", (9, 8, 7)),
        (None, None, None),
        ("", None, None),
        ({}, None, None),
    ],
)
def test_every_way_to_say_a_class(classification: Any, path_class: str | None, color: Any) -> None:
    found = read_one(feature(classification=classification))
    assert (found.path_class, found.color) == (path_class, color)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (feature(), ObjectKind.ANNOTATION),
        (feature(objectType="detection"), ObjectKind.DETECTION),
        (feature(objectType="tmaCore"), ObjectKind.TMA_CORE),
        (feature(object_type="tile"), ObjectKind.TILE),
        (feature(type="cell"), ObjectKind.CELL),
        (feature(objectType="somethingNew"), ObjectKind.ANNOTATION),
        ({**feature(), "id": "PathDetectionObject"}, ObjectKind.DETECTION),
    ],
)
def test_every_way_to_say_a_kind(value: Any, kind: ObjectKind) -> None:
    assert read_one(value).kind is kind


@pytest.mark.parametrize(
    "measurements",
    [
        {"a": 1.5, "b": "NaN", "c": "inf", "d": "-Infinity", "text": "none", "null": None},
        [
            *({"name": "a", "value": 1.5}, {"name": "b", "value": "NaN"}),
            *({"name": "c", "value": "Infinity"}, {"name": "d", "value": "-inf"}),
        ],
    ],
)
def test_measurements_are_a_map_or_a_list(measurements: Any) -> None:
    found = read_one(feature(measurements=measurements)).measurements
    assert same_numbers(found, {"a": 1.5, "b": "nan", "c": "inf", "d": "-inf"})


def test_numbers_that_json_forbids_are_read_as_measurements() -> None:
    data = json.dumps(feature(measurements={"a": math.nan, "b": -math.inf}, name="\ud800x")).encode()
    (found,) = read_geojson(data).annotations
    assert same_numbers(found.measurements, {"a": "nan", "b": "-inf"})
    assert found.name == "?x"


def test_of_two_metadata_the_last_counts() -> None:
    text = json.dumps(feature(metadata={"a": "2"})).replace('"metadata"', '"metadata": {"a": "1"}, "metadata"')
    assert read_geojson(text.encode()).annotations[0].metadata == {"a": "2"}


def test_the_metadata_key_makes_an_object_ours() -> None:
    assert read_one(feature(metadata={"slidebridge": "w1"})).is_ours
    assert not read_one(feature(metadata={"other": 5})).is_ours


def test_the_collection_carries_the_write_marker() -> None:
    collection = {"type": "FeatureCollection", "features": [feature()], "slidebridge": {"write": "w7"}}
    assert read_geojson(json.dumps(collection).encode()).write_marker == "w7"
    assert read_geojson(json.dumps([feature()]).encode()).write_marker is None


def test_a_byte_order_mark_is_no_fault() -> None:
    assert len(read_geojson(b"\xef\xbb\xbf" + json.dumps(feature()).encode())) == 1


def test_children_go_as_deep_as_the_parser() -> None:
    node = feature(name="leaf")
    for level in range(300):
        node = feature(name=str(level), childObjects=[node])
    found = read_geojson(json.dumps(node).encode()).annotations
    assert len(found) == 301
    assert [a.parent_id for a in found[1:]] == [a.object_id for a in found[:-1]]


# --- ids


def test_ids_are_uuids_alike_at_each_reading_and_never_twice() -> None:
    same = str(uuid.uuid4())
    values = [feature(), feature(), {**feature(), "id": "17"}, {**feature(), "id": "17"}, {**feature(), "id": 17}]
    values += [
        {**feature(), "id": same},
        {**feature(), "id": same.upper()},
        {**feature(), "id": "PathAnnotationObject"},
    ]
    data = json.dumps(values).encode()
    ids = [a.object_id for a in read_geojson(data).annotations]
    assert ids == [a.object_id for a in read_geojson(data).annotations]
    assert len(set(ids)) == len(ids)
    assert all(str(uuid.UUID(object_id)) == object_id for object_id in ids)
    assert ids[5] == same


def test_an_object_without_id_keeps_its_name_when_others_go() -> None:
    other = feature({"type": "Polygon", "coordinates": [[[50, 50], [60, 50], [55, 60], [50, 50]]]})
    both = read_geojson(json.dumps([feature(), other]).encode()).annotations
    assert read_one([other]).object_id == both[1].object_id


# --- geometry


@pytest.mark.parametrize(
    ("geometry", "shape"),
    [
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 3], [0, 3], [0, 0]]]}, Shape.RECTANGLE),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [4, 3], [0, 3], [0, 0]]]}, Shape.POLYGON),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 3], [4, 0], [0, 3], [0, 0]]]}, Shape.POLYGON),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 3], [0, 3]]]}, Shape.RECTANGLE),
        (
            {
                "type": "Polygon",
                "coordinates": [[[0, 0], [4, 0], [4, 3], [0, 3], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]],
            },
            Shape.GEOMETRY,
        ),
        ({"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [4, 3], [0, 0]]], "isEllipse": True}, Shape.ELLIPSE),
        ({"type": "MultiPolygon", "coordinates": [[[[0, 0], [4, 0], [4, 3], [0, 0]]]]}, Shape.GEOMETRY),
        ({"type": "Point", "coordinates": [1, 2]}, Shape.POINTS),
        ({"type": "MultiPoint", "coordinates": [[1, 2]]}, Shape.POINTS),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4]]}, Shape.LINE),
        ({"type": "LineString", "coordinates": [[1, 2], [3, 4], [5, 9]]}, Shape.POLYLINE),
        ({"type": "MultiLineString", "coordinates": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}, Shape.POLYLINE),
        ({"type": "Polygon", "coordinates": []}, Shape.NONE),
        ({"type": "Polygon", "coordinates": [[[1, 1], [2, 2]]]}, Shape.NONE),
        ({}, Shape.NONE),
    ],
)
def test_the_shape_is_the_one_that_qupath_makes(geometry: Any, shape: Shape) -> None:
    found = read_one(feature(geometry))
    assert found.shape is shape
    assert found.geometry.is_empty == (shape is Shape.NONE)


def test_null_geometry_is_kept_as_an_object_without_area() -> None:
    found = read_geojson(json.dumps({"type": "Feature", "geometry": None, "properties": {}}).encode())
    assert found.annotations[0].shape is Shape.NONE
    assert found.counts.verbatim == {"none": 1}


def test_a_collection_of_geometries_stays_one_object() -> None:
    area = {"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [4, 3], [0, 0]]]}
    point = {"type": "Point", "coordinates": [1, 2]}
    found = read_one(feature({"type": "GeometryCollection", "geometries": [area, point]}))
    assert (found.shape, found.geometry.area) == (Shape.GEOMETRY, 4.0)
    assert read_one(feature({"type": "GeometryCollection", "geometries": [point]})).shape is Shape.NONE


def test_a_ring_that_crosses_itself_is_kept_as_drawn_and_counted() -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}
    found = read_geojson(json.dumps([feature(bow), feature()]).encode())
    assert found.counts.repaired == 1
    assert [list(p) for p in found.annotations[0].geometry.exterior.coords] == bow["coordinates"][0]


def test_a_third_coordinate_is_dropped() -> None:
    mixed = {"type": "Polygon", "coordinates": [[[0, 0, 1], [4, 1], [4, 3, 2], [0, 0, 1]]]}
    assert list(read_one(feature(mixed)).geometry.exterior.coords) == [(0, 0), (4, 1), (4, 3), (0, 0)]


# --- refusals


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ([feature(), feature({"type": "Polygon", "coordinates": [[[0, 0], [1, "NaN"], [2, 2]]]})], r"features\[1\]"),
        ([feature(), feature({"type": "Polygon", "coordinates": [[[0, 0], [1, None], [2, 2]]]})], r"features\[1\]"),
        ([feature(), feature({"type": "Polygon", "coordinates": [[[0, 0], [1e300, 1], [2, 2]]]})], r"features\[1\]"),
        ([feature({"type": "Polygon", "coordinates": [[0, 0], [1, 1], [2, 2]]})], r"features\[0\]"),
        ([feature({"type": "Polygon", "coordinates": 5})], r"features\[0\]"),
        ([feature({"type": "Polygon"})], r"features\[0\]"),
        ([feature({"type": "Circle", "coordinates": [0, 0]})], "Circle"),
        ([feature({"type": ["Polygon"], "coordinates": [0, 0]})], r"features\[0\]"),
        ([feature({"coordinates": [0, 0]})], r"features\[0\]"),
        ([feature([1, 2])], r"features\[0\]\.geometry"),
        ([feature(childObjects=[feature(), 5])], r"features\[0\]\.childObjects\[1\]"),
        ([feature(childObjects={"a": 1})], r"features\[0\]\.childObjects"),
        ([feature(classification=5)], r"features\[0\]\.properties\.classification"),
        ([{**feature(), "properties": [1]}], r"features\[0\]\.properties"),
        ([feature(), None], r"features\[1\]"),
        ({"annotations": [], "images": [], "categories": []}, "COCO"),
        ({"version": "2.0", "schema_ref": "darwin", "item": {}, "annotations": []}, "Darwin"),
        ({"features": 5}, "not GeoJSON"),
        ({"type": [], "a": 1}, "not GeoJSON"),
        ("text", "not GeoJSON"),
        (5, "not GeoJSON"),
    ],
)
def test_what_is_no_geojson_is_refused_in_one_line_that_says_where(value: Any, where: str) -> None:
    with pytest.raises(GeoJSONFormatError, match=where) as caught:
        read_geojson(json.dumps(value).encode())
    assert "\n" not in str(caught.value)


def test_numbers_beyond_double_are_refused() -> None:
    with pytest.raises(GeoJSONFormatError, match="infinity"):
        read_geojson(b'[{"type":"Point","coordinates":[1e999,2]}]')


def test_every_cut_of_a_file_is_refused() -> None:
    data = write_geojson([Annotation(str(uuid.uuid4()), shapely.box(0, 0, 9, 9), "Tumor", name='a"}]')])
    for end in range(len(data)):
        with pytest.raises(GeoJSONFormatError):
            read_geojson(data[:end])


def test_a_cut_archive_is_refused() -> None:
    data = gzip.compress(write_geojson([]) + b" " * 10_000)
    assert len(read_geojson(data)) == 0
    with pytest.raises(GeoJSONFormatError, match="cut"):
        read_geojson(data[:-9])


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(GeoJSONFormatError):
        read_geojson(b"[" * 5000 + b"]" * 5000)
    with pytest.raises(GeoJSONFormatError):
        read_geojson(b"[NaN," + b"[" * 50_000 + b"]" * 50_000 + b"]")


words = st.sampled_from(
    [
        *("type", "features", "Feature", "geometry", "coordinates", "Polygon", "MultiPolygon", "Point", "properties"),
        *("id", "classification", "name", "names", "color", "measurements", "metadata", "childObjects", "plane", "c"),
        *("isEllipse", "objectType", "nucleusGeometry", "slidebridge", "write", "GeometryCollection", "geometries"),
        *("NaN", "{"),
    ]
)
scraps = st.none() | st.booleans() | st.integers(-9, 1 << 70) | st.floats() | words
anything = st.recursive(
    scraps, lambda v: st.lists(v, max_size=4) | st.dictionaries(words, v, max_size=6), max_leaves=20
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A good collection in which any one value was replaced by anything."""
    nucleus = {"type": "Polygon", "coordinates": [[[0, 0], [4, 1], [4, 3], [0, 0]]]}
    properties = {
        "classification": {"names": ["A", "B"], "color": [1, 2, 3]},
        "measurements": [{"name": "a", "value": 1}],
    }
    whole = feature(**properties, metadata={"slidebridge": "w"}, childObjects=[feature()])
    whole |= {"id": str(uuid.UUID(int=5)), "nucleusGeometry": nucleus}
    whole["geometry"] |= {"plane": {"c": 0, "z": 1}, "isEllipse": True}
    value = {"type": "FeatureCollection", "features": [feature(), whole], "slidebridge": {"write": "w"}}
    node: Any = value
    while True:
        key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        if not (isinstance(node[key], dict | list) and node[key]) or draw(st.integers(0, 3)) == 0:
            node[key] = draw(anything)
            return value
        node = node[key]


@settings(deadline=None, max_examples=300)
@given(damaged() | anything)
def test_whatever_a_file_holds_it_is_read_or_refused(value: Any) -> None:
    data = json.dumps(value).encode()
    try:
        found = read_geojson(data)
    except GeoJSONFormatError as error:
        assert "\n" not in str(error)
        return
    assert len(read_geojson(write_geojson(found))) <= len(found)


# --- laws

grid = st.integers(0, 200_000).map(lambda n: n / 100)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
# ": " parts a name, and a name in braces reads as an object that a GIS program made text of.
part = names.filter(lambda text: text.strip() == text and text and ":" not in text and "{" not in text)
classes = st.lists(part, min_size=1, max_size=3).map(": ".join)
colors = st.tuples(*[st.integers(0, 255)] * 3)
boxes = st.builds(
    lambda x, y, w, h: shapely.box(x, y, round(x + w, 2), round(y + h, 2)), grid, grid, *[grid.filter(bool)] * 2
)
stars = st.builds(
    lambda x, y, radii: Polygon(
        [
            (
                round(x + r * math.cos(math.tau * i / len(radii)), 2),
                round(y + r * math.sin(math.tau * i / len(radii)), 2),
            )
            for i, r in enumerate(radii)
        ]
    ),
    grid,
    grid,
    st.lists(st.integers(5, 90), min_size=5, max_size=9),
)
holed = st.builds(
    lambda x, y: Polygon(
        shapely.box(x, y, x + 100, y + 90).exterior, [shapely.box(x + 10, y + 10, x + 20, y + 30).exterior]
    ),
    *[st.integers(0, 9999)] * 2,
)
far = st.builds(lambda star: MultiPolygon([star, shapely.box(-900, -900, -800, -850)]), stars)
dots = st.lists(st.tuples(grid, grid), min_size=1, max_size=4).map(
    lambda p: Point(p[0]) if len(p) == 1 else MultiPoint(p)
)
lines = st.lists(st.tuples(grid, grid), min_size=2, max_size=5, unique=True).map(LineString)
drawn = st.one_of(
    boxes.map(lambda g: (g, Shape.RECTANGLE)),
    stars.map(lambda g: (g, Shape.POLYGON)),
    stars.map(lambda g: (g, Shape.ELLIPSE)),
    holed.map(lambda g: (g, Shape.GEOMETRY)),
    far.map(lambda g: (g, Shape.GEOMETRY)),
    dots.map(lambda g: (g, Shape.POINTS)),
    lines.map(lambda g: (g, Shape.LINE if len(g.coords) == 2 else Shape.POLYLINE)),
)


@st.composite
def annotations(draw: st.DrawFn) -> Annotation:
    geometry, shape = draw(drawn)
    kind = draw(st.sampled_from(ObjectKind))
    path_class = draw(st.none() | classes)
    metadata = draw(st.dictionaries(names, names, max_size=2))
    is_ours = draw(st.booleans())
    return Annotation(
        object_id=str(draw(st.uuids())),
        geometry=geometry,
        path_class=path_class,
        shape=shape,
        kind=kind,
        name=draw(st.none() | names),
        is_ours=is_ours,
        is_locked=draw(st.booleans()),
        color=None if path_class is None else draw(colors),
        own_color=draw(st.none() | colors),
        is_missing=kind is ObjectKind.TMA_CORE and draw(st.booleans()),
        plane=draw(st.just(Plane()) | st.builds(Plane, st.integers(-1, 3), st.integers(0, 9), st.integers(0, 9))),
        probability=draw(st.none() | st.floats(0, 1)),
        nucleus=draw(st.none() | boxes) if kind is ObjectKind.CELL else None,
        metadata={**metadata, **({"slidebridge": "w"} if is_ours else {})},
        measurements=draw(st.dictionaries(names, st.floats(), max_size=2)),
    )


@settings(deadline=None, max_examples=60)
@given(st.lists(annotations(), max_size=4, unique_by=lambda a: a.object_id), st.none() | part)
def test_what_is_written_reads_back(objects: list[Annotation], marker: str | None) -> None:
    found = read_geojson(write_geojson(AnnotationSet(tuple(objects)), write_marker=marker))
    assert [comparable(a) for a in found.annotations] == [comparable(a) for a in objects]
    assert found.write_marker == marker


wild = st.lists(st.tuples(grid, grid), min_size=3, max_size=12).map(Polygon)
wilder = st.lists(wild, min_size=1, max_size=3).map(MultiPolygon)
fine = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 2), min_size=3, max_size=9).map(Polygon)


@settings(deadline=None, max_examples=150)
@given(wild | wilder | fine | stars, st.none() | classes, st.none() | colors)
def test_qupath_accepts_whatever_is_written(geometry: Any, path_class: str | None, color: Any) -> None:
    collection = geojson.loads(write_geojson([Annotation("x", geometry, path_class, color=color)]))
    assert collection.is_valid
    for item in collection["features"]:
        assert str(uuid.UUID(item["id"])) == item["id"]
        assert item["geometry"]["type"] in ("Polygon", "MultiPolygon")
        outline = shapely.geometry.shape(item["geometry"])
        assert outline.is_valid and outline.area > 0
        assert all(round(c, 2) == c for c in shapely.get_coordinates(outline).ravel().tolist())
        classification = item["properties"].get("classification")
        assert (classification is None) == (path_class is None)
        if classification is not None:
            assert len(classification["color"]) == 3
            assert ": ".join(classification.get("names") or [classification["name"]]) == path_class


def test_area_survives_repair() -> None:
    bow = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    found = read_geojson(write_geojson([Annotation("x", bow, "Tumor")])).annotations[0]
    assert found.geometry.is_valid
    assert found.geometry.area == pytest.approx(50, abs=0.2)


def test_a_collection_goes_out_as_its_polygons() -> None:
    both = GeometryCollection([shapely.box(0, 0, 4, 4), Point(9, 9), MultiPolygon([shapely.box(6, 6, 8, 8)])])
    found = read_geojson(write_geojson([Annotation("x", both, shape=Shape.GEOMETRY)])).annotations[0]
    assert (found.geometry.geom_type, found.geometry.area) == ("MultiPolygon", 20.0)


def test_objects_without_geometry_are_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    objects = [Annotation("a", Polygon(), shape=Shape.NONE), Annotation("b", shapely.box(0, 0, 2, 2))]
    objects.append(Annotation("c", shapely.box(0, 0, 0.001, 0.001)))
    assert len(read_geojson(write_geojson(objects))) == 1
    assert "count=2" in caplog.text


def test_a_class_has_one_colour_wherever_it_stands() -> None:
    box = shapely.box(0, 0, 2, 2)
    objects = [
        Annotation("a", box, "Tumor"),
        Annotation("b", box, "Tumor", color=(1, 2, 3)),
        Annotation("c", box, "New"),
    ]
    first = read_geojson(write_geojson(objects)).annotations
    assert [a.color for a in first[:2]] == [(1, 2, 3)] * 2
    assert first[2].color == read_geojson(write_geojson(objects[2:])).annotations[0].color is not None


def test_multilines_survive() -> None:
    lines = MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3), (4, 5)]])
    found = read_geojson(write_geojson([Annotation("x", lines, shape=Shape.POLYLINE)])).annotations[0]
    assert found.geometry.equals(lines)


def test_an_id_that_is_no_uuid_becomes_the_same_one_each_time() -> None:
    box = shapely.box(0, 0, 2, 2)
    ids = {read_geojson(write_geojson([Annotation("layer 1/3", box)])).annotations[0].object_id for _ in range(2)}
    assert len(ids) == 1
    assert uuid.UUID(ids.pop())


@pytest.mark.parametrize("where", ["geometry", "metadata"])
def test_values_nested_hundreds_of_times_are_refused(where: str) -> None:
    nested: list[object] = []
    for _ in range(400):
        nested = [nested]
    parts = {"geometry": shapely.box(0, 0, 9, 9).__geo_interface__, "metadata": {"a": "b"}, where: {"a": nested}}
    feature = {"type": "Feature", "geometry": parts["geometry"], "properties": {"metadata": parts["metadata"]}}
    with pytest.raises(GeoJSONFormatError):
        read_geojson(json.dumps(feature).encode())
