"""What we read against what QuPath itself reads (``expected/`` of the sample projects)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from bridge.annotations import Annotation, ObjectKind, Plane, ReadCounts, Shape
from bridge.qupath.java_values import boxed_int
from bridge.qupath.path_objects import PathObject, open_root, walk
from bridge.qupath.qpdata import open_qpdata
from bridge.qupath.read import read_qpdata

PROJECTS = (
    "bigroi_070", "cells_051", "cells_070", "classes_070", "colourless_070", "deep_070", "detections_070",
    "plane_shapes_070", "planes_044", "planes_051", "planes_060", "planes_070", "shapes_051", "shapes_060",
    "shapes_070", "strings_070", "tma_051", "tma_070", "workflow_051", "workflow_070",
)  # fmt: skip
_TYPES = {
    "PathAnnotationObject": ObjectKind.ANNOTATION,
    "PathDetectionObject": ObjectKind.DETECTION,
    "PathTileObject": ObjectKind.TILE,
    "PathCellObject": ObjectKind.CELL,
    "TMACoreObject": ObjectKind.TMA_CORE,
}
_SHAPES = {
    "PolygonROI": Shape.POLYGON,
    "RectangleROI": Shape.RECTANGLE,
    "EllipseROI": Shape.ELLIPSE,
    "GeometryROI": Shape.GEOMETRY,
    "PointsROI": Shape.POINTS,
    "LineROI": Shape.LINE,
    "PolylineROI": Shape.POLYLINE,
}


def _expected(shared_data: Path, project: str) -> tuple[bytes, dict[str, Any]]:
    folder = shared_data / "qupath_projects"
    expected = json.loads((folder / "expected" / f"{project}_1.json").read_text())
    return (folder / project / "data" / "1" / "data.qpdata").read_bytes(), expected


def _rgb(argb: int | None) -> tuple[int, int, int] | None:
    return None if argb is None else (argb >> 16 & 255, argb >> 8 & 255, argb & 255)


def _fields(annotation: Annotation) -> dict[str, Any]:
    return {
        "type": annotation.kind,
        "name": annotation.name,
        "roi": annotation.shape,
        "plane": annotation.plane,
        "path_class": annotation.path_class,
        "color": annotation.color,
        "probability": annotation.probability,
        "locked": annotation.is_locked,
        "parent": annotation.parent_id,
        "measurements": {name: repr(float(value)) for name, value in annotation.measurements.items()},
        "metadata": annotation.metadata,
        "has_nucleus": annotation.nucleus is not None,
    }


def _wanted(entry: dict[str, Any], metadata: Any) -> dict[str, Any]:
    probability = float(entry["probability"])
    return {
        "type": _TYPES[entry["type"]],
        "name": entry["name"],
        "roi": _SHAPES[entry["roi"]],
        "plane": Plane(*entry["plane"]),
        "path_class": entry["path_class"],
        "color": _rgb(entry["color"]),
        "probability": None if math.isnan(probability) else probability,
        "locked": entry["locked"],
        "parent": None if entry["parent"] == "root" else entry["parent"],
        "measurements": {name: repr(float(value)) for name, value in entry["measurements"].items()},
        "metadata": metadata if entry["metadata"] is None else entry["metadata"],  # 0.4.4 doesn't show it
        "has_nucleus": entry.get("nucleus_wkb") is not None,
    }


@pytest.mark.parametrize("project", PROJECTS)
def test_every_field_is_as_qupath_reads_it(shared_data: Path, project: str) -> None:
    data, expected = _expected(shared_data, project)
    found = read_qpdata(data)
    assert len(found) == found.counts.read == expected["n_objects"]
    by_id = {annotation.object_id: annotation for annotation in found.annotations}
    assert len(by_id) == len(found)
    for entry in expected["objects"]:
        annotation = by_id[entry["id"]]
        assert _fields(annotation) == _wanted(entry, annotation.metadata)


def _geometries(found: Annotation, entry: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    yield found.geometry, shapely.from_wkb(entry["wkb"])
    if entry.get("nucleus_wkb") is not None:
        yield found.nucleus, shapely.from_wkb(entry["nucleus_wkb"])


def _on_qupaths_grid(geometry: Any) -> Any:
    """Return the geometry as QuPath's ``getGeometry`` does: on a 0.01 px grid, .5 rounded up, any ring start."""
    return shapely.normalize(shapely.transform(geometry, lambda xy: np.floor(xy * 100 + 0.5) / 100))


def _is_ellipse(geometry: Any) -> bool:
    """QuPath flattens every ellipse to 100 vertices."""
    return len(shapely.get_coordinates(geometry)) == 101


@pytest.mark.parametrize("project", PROJECTS)
def test_every_geometry_is_as_qupath_reads_it(shared_data: Path, project: str) -> None:
    """Vertex by vertex: equal as stored, or equal once both are on QuPath's 0.01 px grid.

    QuPath snaps geometries of floats to that grid before it shows them (0.6 and later those of WKB too). Exceptions:
    an ellipse is the same to 0.15 px, for both sides take vertices of their own; the polygon of 5,000 vertices in
    ``bigroi_070`` is cleaned by QuPath and must only have the same bounds.
    """
    data, expected = _expected(shared_data, project)
    by_id = {annotation.object_id: annotation for annotation in read_qpdata(data).annotations}
    for entry in expected["objects"]:
        for ours, theirs in _geometries(by_id[entry["id"]], entry):
            if entry["name"] == "polygon of 5,000 vertices":
                assert np.allclose(ours.bounds, theirs.bounds, atol=0.02)
                assert len(shapely.get_coordinates(ours)) == 5001
            elif _is_ellipse(theirs):
                assert shapely.hausdorff_distance(ours.exterior, theirs.exterior) < 0.15
                assert abs(ours.area - theirs.area) < 0.1 * theirs.length
            elif not shapely.equals_exact(shapely.normalize(ours), shapely.normalize(theirs), 0):
                assert shapely.equals_exact(_on_qupaths_grid(ours), _on_qupaths_grid(theirs), 1e-9), entry["name"]


def _opened(data: bytes) -> dict[str, PathObject]:
    named = read_qpdata(data).annotations
    found = (opened for opened, _ in walk(open_root(open_qpdata(data).root)))
    return {annotation.object_id: opened for annotation, opened in zip(named, found, strict=True)}


@pytest.mark.parametrize("project", ["cells_051", "cells_070", "classes_070", "tma_051", "tma_070"])
def test_own_colours_and_missing_cores_are_as_qupath_reads_them(shared_data: Path, project: str) -> None:
    data, expected = _expected(shared_data, project)
    by_id = _opened(data)
    for entry in expected["objects"]:
        assert boxed_int(by_id[entry["id"]].color) == entry.get("object_color")
        assert by_id[entry["id"]].is_missing == bool(entry.get("missing", False))


def test_qupaths_own_counts(shared_data: Path) -> None:
    data, _ = _expected(shared_data, "plane_shapes_070")
    assert read_qpdata(data).counts == ReadCounts(read=25, verbatim={"points": 6, "line": 3, "polyline": 3})


def test_every_kind(every_kind: bytes) -> None:
    found = read_qpdata(every_kind)
    assert [(a.kind.value, a.shape.value) for a in found.annotations] == [
        ("annotation", "geometry"), ("cell", "polygon"), ("tmaCore", "ellipse"), ("detection", "polygon"),
        ("tile", "rectangle"), ("annotation", "points"), ("annotation", "points"), ("annotation", "polyline"),
        ("annotation", "line"), ("annotation", "geometry"),
    ]  # fmt: skip
    parent, cell = found.annotations[:2]
    assert parent.name == "région Ω 区域 😀 \0 \ud83d" and parent.probability == 0.62 and parent.is_locked
    assert parent.metadata == {"ANNOTATION_DESCRIPTION": "a\nb", "reviewer": "ab"}
    assert (cell.parent_id, parent.parent_id) == (parent.object_id, None)
    assert (cell.path_class, cell.color) == ("Tumor: Positive", (255, 80, 80))
    assert cell.nucleus.bounds == (5, 5, 9, 9) and cell.measurements == {"mean": 0.10000000149011612}
    assert math.isnan(parent.measurements["nan"])
    assert found.mpp == (0.5, 0.5) and found.write_marker is None
    assert found.counts.verbatim == {"points": 2, "polyline": 1, "line": 1}
    assert not any(a.is_ours for a in found.annotations)


def test_objects_without_uuid_are_named_by_position(lab) -> None:
    data = lab.file([lab.box(name="a"), lab.box(name="b", object_id="no uuid"), lab.box(has_metadata=False)])
    names = [a.object_id for a in read_qpdata(data).annotations]
    assert len(set(names)) == 3 and all(len(name) == 36 for name in names)
    assert names == [a.object_id for a in read_qpdata(data).annotations]


def test_ours_bear_our_key(lab) -> None:
    (ours,) = read_qpdata(lab.file([lab.box(metadata={"slidebridge": "run 7", "k": "v"})])).annotations
    assert ours.is_ours and ours.metadata == {"slidebridge": "run 7", "k": "v"}


def test_self_crossing_outlines_are_kept_and_counted(lab) -> None:
    bow = [(0, 0), (10, 10), (10, 0), (0, 10)]
    found = read_qpdata(lab.file([lab.path_object("PathAnnotation", lab.vertices_roi("Polygon", bow)), lab.box()]))
    assert found.counts.repaired == 1
    assert shapely.get_coordinates(found.annotations[0].geometry)[:-1].tolist() == [list(p) for p in bow]
