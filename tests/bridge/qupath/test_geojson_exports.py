"""GeoJSON that QuPath and others exported; small files of every dialect are in test_geojson."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shapely

from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind, Shape
from bridge.annotations.outlines import is_same_outline
from bridge.errors import GeoJSONFormatError
from bridge.qupath.geojson import read_geojson, write_geojson
from geojson_support import comparable, same_numbers, without_half_pairs

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
