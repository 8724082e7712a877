"""Reading GeoJSON of every dialect, and refusing what is none; edits are in test_geojson_edit."""

from __future__ import annotations

import gzip
import json
import math
import uuid
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations.objects import Annotation, ObjectKind, Shape
from bridge.errors import GeoJSONFormatError
from bridge.qupath.geojson import read_geojson, write_geojson
from geojson_support import same_numbers


def feature(geometry: Any = None, **properties: Any) -> dict[str, Any]:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [8, 0], [9, 8], [0, 8], [0, 0]]]}
    return {"type": "Feature", "geometry": square if geometry is None else geometry, "properties": properties}


def read_one(value: Any) -> Annotation:
    (annotation,) = read_geojson(json.dumps(value).encode()).annotations
    return annotation


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
            *({"name": ["a"], "value": 1}, {"value": 2}, "a"),
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


@pytest.mark.parametrize("where", ["geometry", "metadata"])
def test_values_nested_hundreds_of_times_are_refused(where: str) -> None:
    nested: list[object] = []
    for _ in range(400):
        nested = [nested]
    parts = {"geometry": shapely.box(0, 0, 9, 9).__geo_interface__, "metadata": {"a": "b"}, where: {"a": nested}}
    feature = {"type": "Feature", "geometry": parts["geometry"], "properties": {"metadata": parts["metadata"]}}
    with pytest.raises(GeoJSONFormatError):
        read_geojson(json.dumps(feature).encode())
