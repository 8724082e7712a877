"""What we read against what QuPath itself reads (``expected/`` of the sample projects)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from bridge.annotations import Annotation, ObjectKind, ReadCounts, Shape
from bridge.qupath.java_stream import JavaEnum, JavaObject, ObjectArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_values import map_items
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


def _numbers(values: dict[str, Any]) -> dict[str, str]:
    return {name: repr(float(value)) for name, value in values.items()}  # NaN and -0 are told apart


def _is_as_drawn(ours: Any, theirs: Any, name: str | None) -> bool:
    """Vertex by vertex: equal as stored, or equal once both are on QuPath's 0.01 px grid.

    QuPath snaps geometries of floats to that grid before it shows them (0.6 and later those of WKB too). Exceptions:
    an ellipse is the same to 0.15 px, for both sides take vertices of their own; the polygon of 5,000 vertices in
    ``bigroi_070`` is cleaned by QuPath and must only have the same bounds.
    """
    if ours is None:
        return False
    if name == "polygon of 5,000 vertices":
        return bool(np.allclose(ours.bounds, theirs.bounds, atol=0.02))
    if _is_ellipse(theirs):
        is_near = shapely.hausdorff_distance(ours.exterior, theirs.exterior) < 0.15
        return bool(is_near and abs(ours.area - theirs.area) < 0.1 * theirs.length)
    if shapely.equals_exact(shapely.normalize(ours), shapely.normalize(theirs), 0):
        return True
    return bool(shapely.equals_exact(_on_qupaths_grid(ours), _on_qupaths_grid(theirs), 1e-9))


def _on_qupaths_grid(geometry: Any) -> Any:
    """Return the geometry as QuPath's ``getGeometry`` does: on a 0.01 px grid, .5 rounded up, any ring start."""
    return shapely.normalize(shapely.transform(geometry, lambda xy: np.floor(xy * 100 + 0.5) / 100))


def _is_ellipse(geometry: Any) -> bool:
    """QuPath flattens every ellipse to 100 vertices."""
    return len(shapely.get_coordinates(geometry)) == 101


def _has_bounds(geometry: Any, x: float, y: float, width: float, height: float) -> bool:
    return bool(np.allclose(geometry.bounds, (x, y, x + width, y + height), rtol=0, atol=0.011))


def _list_class(opened: PathObject) -> str | None:
    node = opened.measurements
    return node.desc.name.rpartition(".")[2] if isinstance(node, JavaObject) else None


def _stored_points(annotation: Annotation) -> int:
    count = int(shapely.get_num_coordinates(annotation.geometry))
    return count - (annotation.shape is Shape.POLYGON)  # QuPath doesn't count the vertex that closes a polygon


# Every field of ``expected/``: whether (annotation, its object in the graph, the field's value, the entry) agree.
_CHECKS: dict[str, Callable[[Annotation, PathObject, Any, dict[str, Any]], bool]] = {
    "id": lambda a, _, value, __: a.object_id == value,
    "type": lambda a, _, value, __: a.kind is _TYPES.get(value),
    "name": lambda a, _, value, __: a.name == value,
    "roi": lambda a, _, value, __: a.shape is _SHAPES.get(value),
    "plane": lambda a, _, value, __: list(a.plane) == value,
    "wkb": lambda a, _, value, entry: _is_as_drawn(a.geometry, shapely.from_wkb(value), entry["name"]),
    "bounds": lambda a, _, value, __: _has_bounds(a.geometry, *value),
    "path_class": lambda a, _, value, __: a.path_class == value,
    "color": lambda a, _, value, __: a.color == _rgb(value),
    "probability": lambda a, _, value, __: (
        repr(math.nan if a.probability is None else a.probability) == repr(float(value))
    ),
    "locked": lambda a, _, value, __: a.is_locked is value,
    "parent": lambda a, _, value, __: (a.parent_id or "root") == value,
    "measurements": lambda a, _, value, __: _numbers(dict(a.measurements)) == _numbers(value),
    "metadata": lambda a, _, value, __: value is None or a.metadata == value,  # 0.4.4 doesn't show it
    "nucleus_wkb": lambda a, _, value, entry: (
        a.nucleus is None if value is None else _is_as_drawn(a.nucleus, shapely.from_wkb(value), None)
    ),
    "object_color": lambda a, _, value, __: a.own_color == _rgb(value),
    "description": lambda a, _, value, __: a.metadata.get("ANNOTATION_DESCRIPTION") == value,
    "measurement_list": lambda _, opened, value, __: _list_class(opened) == value,
    "n_points": lambda a, _, value, __: _stored_points(a) == value,
    "missing": lambda a, _, value, __: a.is_missing is value,
    "case_id": lambda a, _, value, __: a.metadata.get("Case ID") == value,
}
# What an entry without the field means.
_ABSENT = {"nucleus_wkb": None, "object_color": None, "missing": False}
# Workflow steps whose script QuPath makes from their other fields.
_MADE_UP = ("Plugin step", "Plugin step with scripts", "Apply tissue")
_FILE_FIELDS = {"n_objects", "objects", "tma_grid", "image_type", "stains", "workflow", "properties"}


def _pairs(data: bytes) -> dict[str, tuple[Annotation, PathObject]]:
    """Return each object by id, as annotation and as it lies in the graph."""
    found = (opened for opened, _ in walk(open_root(open_qpdata(data).root)))
    return {a.object_id: (a, opened) for a, opened in zip(read_qpdata(data).annotations, found, strict=True)}


@pytest.mark.parametrize("project", PROJECTS)
def test_every_field_is_as_qupath_reads_it(shared_data: Path, project: str) -> None:
    data, expected = _expected(shared_data, project)
    found = read_qpdata(data)
    assert len(found) == found.counts.read == expected["n_objects"]
    assert expected.keys() <= _FILE_FIELDS
    pairs = _pairs(data)
    assert len(pairs) == len(found)
    for entry in expected["objects"]:
        assert entry.keys() <= _CHECKS.keys(), "a field of expected/ that nobody compares"
        annotation, opened = pairs[entry["id"]]
        for field, value in {**_ABSENT, **entry}.items():
            assert _CHECKS[field](annotation, opened, value, entry), f"{entry['id']}: {field}"


def _changed(value: Any) -> Any:
    """Return another value of the same form."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [value[0] + 1, *value[1:]]
    if isinstance(value, dict):
        return {**value, "one more": 1.0}
    if value is None:
        return 1
    is_geometry = value.startswith("00000000")
    return shapely.box(0, 0, 1, 2).wkb_hex if is_geometry else "0.75" if value == "nan" else value + "x"


def test_each_comparison_can_fail(shared_data: Path) -> None:
    """With any field of an expected file changed, the comparison of that field no longer holds."""
    met = set()
    for project in PROJECTS:
        data, expected = _expected(shared_data, project)
        pairs = _pairs(data)
        for entry in expected["objects"][:25]:
            annotation, opened = pairs[entry["id"]]
            for field in entry.keys() - {"metadata", "name"} | {k for k in ("metadata", "name") if entry[k]}:
                other = None if field == "nucleus_wkb" and entry[field] is None else _changed(entry[field])
                if other is not None:
                    assert not _CHECKS[field](annotation, opened, other, entry), f"{project} {entry['id']}: {field}"
                    met.add(field)
    assert met == _CHECKS.keys()


@pytest.mark.parametrize("project", ["tma_051", "tma_070"])
def test_the_tma_grid_is_as_qupath_reads_it(shared_data: Path, project: str) -> None:
    data, expected = _expected(shared_data, project)
    wanted, grid = expected["tma_grid"], read_qpdata(data).tma_grid
    assert wanted.keys() == {"width", "height", "cores"}
    assert grid is not None
    assert (grid.width, len(grid.core_ids) / grid.width) == (wanted["width"], wanted["height"])
    assert list(grid.core_ids) == wanted["cores"]


def test_only_a_tissue_microarray_has_a_grid(shared_data: Path) -> None:
    have = {project for project in PROJECTS if read_qpdata(_expected(shared_data, project)[0]).tma_grid is not None}
    assert have == {"tma_051", "tma_070"}


def _texts_below(item: Any) -> set[str]:
    """Return every text in a part of the graph."""
    texts, seen, work = set(), set(), [item]
    while work:
        node = work.pop()
        if isinstance(node, list):
            work += node
        elif isinstance(node, JavaString):
            texts.add(node.text)
        elif isinstance(node, JavaEnum):
            work.append(node.name)
        elif isinstance(node, JavaObject | ObjectArray) and node not in seen:
            seen.add(node)
            work += node.parts if isinstance(node, JavaObject) else node.items
    return texts


@pytest.mark.parametrize("project", ["workflow_051", "workflow_070"])
def test_what_we_only_keep_is_in_the_graph_as_qupath_reads_it(shared_data: Path, project: str) -> None:
    data, expected = _expected(shared_data, project)
    qpdata = open_qpdata(data)
    assert qpdata.image_type == expected["image_type"]
    by_class = {item.desc.name.rpartition(".")[2]: item for item in qpdata.stream.items if isinstance(item, JavaObject)}
    (stains,) = (json.loads(text) for text in _texts_below(by_class["ColorDeconvolutionStains"]))
    wanted = json.loads(expected["stains"])
    assert stains.keys() == wanted.keys() and stains["Name"] == wanted["Name"]
    texts = _texts_below(by_class["Workflow"])
    for step in expected["workflow"]:
        assert step.keys() == {"cls", "name", "parameters", "script"}
        assert step["name"] in texts
        # A plugin's parameters are one JSON text.
        assert all(any(name in text for text in texts) for name in step["parameters"])
        # Of the last steps QuPath shows numbers that it computed anew.
        assert step["name"] in ("Set color deconvolution stains", *_MADE_UP) or step["script"] in texts
    assert qpdata.properties is not None
    found = {key.text: value for key, value in map_items(qpdata.properties)}
    assert found.keys() == expected["properties"].keys()
    for name, (java_class, text) in expected["properties"].items():
        assert _is_value(found[name], java_class, text), name


def _is_value(item: Any, java_class: str, text: str | None) -> bool:
    if isinstance(item, JavaString):
        return java_class == "java.lang.String" and text in (None, item.text)
    is_number = isinstance(item, JavaObject) and item.number("value") is not None
    return item.desc.name == java_class and (not is_number or str(item.number("value")) == text)


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


def test_half_transparent_colours_are_counted(shared_data: Path) -> None:
    folder = shared_data / "qupath_projects"
    counted = {
        name: read_qpdata((folder / name / "data" / "1" / "data.qpdata").read_bytes()).counts.translucent
        for name in ("classes_070", "shapes_070", "colourless_070")
    }
    assert counted == {"classes_070": 1, "shapes_070": 0, "colourless_070": 0}
