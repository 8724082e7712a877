"""Every property that an object may have is either held by the target, or counted as lost: for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from PIL import Image
from shapely.geometry import LineString, MultiPoint, Point, box

from bridge.annotations import Annotation, AnnotationSet, ObjectKind, Plane, ReadCounts, Shape, TmaGrid
from bridge.formats import open_label_mask
from bridge.imagescope import read_imagescope
from bridge.qupath import NewImage, QuPathProject, create_project, read_geojson, read_qpdata
from scripts.conversion import Endpoint, EndpointKind, parse_endpoint
from scripts.conversion import run as running
from scripts.conversion.losses import count_changed, count_joined, merged_losses
from scripts.conversion.reading import Material
from scripts.conversion.run import ConversionRequest, convert

SIDE = 200
RED, BLUE = (200, 0, 0), (0, 0, 200)
AREA = Annotation("11111111-1111-4111-8111-111111111111", box(20, 20, 80, 60), "Tumor", Shape.RECTANGLE, color=RED)
PARENT = replace(AREA, object_id="22222222-2222-4222-8222-222222222222", geometry=box(10, 10, 90, 90))
PROPERTIES: Mapping[str, Annotation] = {
    "name": replace(AREA, name="first"),
    "class name": replace(AREA, path_class="Tumor: In situ"),
    "odd class name": replace(AREA, path_class="Predicted (a): b (predicted)"),
    "no class": replace(AREA, path_class=None),
    "own color": replace(AREA, own_color=BLUE),
    "lock": replace(AREA, is_locked=True),
    "plane": replace(AREA, plane=Plane(0, 3, 2)),
    "measurements": replace(AREA, measurements={"Area µm^2": 12.5, "odd": float("nan")}),
    "metadata": replace(AREA, metadata={"reviewer": "Ä", "ANNOTATION_DESCRIPTION": "a\nb"}),
    "class probability": replace(AREA, probability=0.25),
    "parent object": replace(AREA, parent_id=PARENT.object_id),
    "missing core": replace(AREA, kind=ObjectKind.TMA_CORE, is_missing=True, path_class=None),
    "nucleus": replace(AREA, kind=ObjectKind.CELL, nucleus=box(40, 30, 50, 40)),
    "detection": replace(AREA, kind=ObjectKind.DETECTION),
    "tile": replace(AREA, kind=ObjectKind.TILE),
    "polygon": replace(AREA, geometry=shapely.Polygon([(0, 0), (40, 5), (20, 50)]), shape=Shape.POLYGON),
    "ellipse": replace(AREA, geometry=Point(50, 50).buffer(20, quad_segs=64), shape=Shape.ELLIPSE),
    "hole": replace(AREA, geometry=box(0, 0, 90, 90).difference(box(20, 20, 40, 40)), shape=Shape.GEOMETRY),
    "points": replace(AREA, geometry=MultiPoint([(1, 1), (5, 9)]), shape=Shape.POINTS),
    "line": replace(AREA, geometry=LineString([(1, 1), (50, 9)]), shape=Shape.LINE),
    "polyline": replace(AREA, geometry=LineString([(1, 1), (50, 9), (70, 70)]), shape=Shape.POLYLINE),
    "arrow": replace(AREA, geometry=LineString([(1, 1), (50, 9)]), shape=Shape.ARROW),
    "ruler": replace(AREA, geometry=LineString([(1, 1), (50, 9)]), shape=Shape.RULER),
    "nothing": replace(AREA, geometry=shapely.Polygon(), shape=Shape.NONE),
    "characters": replace(AREA, name="half \ud83d", metadata={"a\x01": "b"}),
}
COMPARED = (
    *("path_class", "name", "kind", "is_locked", "plane", "probability", "is_missing", "shape"),
    *("metadata", "measurements", "own_color", "parent_id"),
)


@pytest.fixture
def ends(tmp_path: Path) -> Mapping[str, Endpoint]:
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "slide.png")
    image = NewImage(
        tmp_path / "slide.png", "slide.png", SIDE, SIDE, ((SIDE, SIDE),), None, None, (SIDE, SIDE), is_openslide=False
    )
    project = create_project(tmp_path / "project", [image], {}, now=datetime(2025, 1, 1, tzinfo=UTC))
    files = {kind: parse_endpoint(str(tmp_path / f"out.{kind}")) for kind in ("xml", "geojson", "png")}
    return {**files, "qupath": Endpoint(project.path, EndpointKind.QUPATH, "1")}


def read_back(end: Endpoint) -> AnnotationSet:
    if end.kind is EndpointKind.QUPATH:
        return read_qpdata(QuPathProject(end.path).slides()[0].annotation_path.read_bytes())
    return (read_imagescope if end.kind is EndpointKind.IMAGESCOPE else read_geojson)(end.path.read_bytes())


def converted(monkeypatch: pytest.MonkeyPatch, end: Endpoint, found: AnnotationSet) -> Mapping[str, int]:
    """Convert objects that come from anywhere; return what is said to be lost or left out."""
    monkeypatch.setattr(running, "read_annotations", lambda _: Material(found, "seed", size=(SIDE, SIDE)))
    source = parse_endpoint("anywhere.xml")
    report = convert(ConversionRequest(source, end), sleep=lambda _: None)
    assert report.written + sum(report.left_out.values()) == len(found)
    return {**report.lost, **report.left_out}


@pytest.mark.parametrize("kind", ["xml", "geojson", "qupath"])
@pytest.mark.parametrize("what", PROPERTIES)
def test_a_property_is_held_or_counted(
    monkeypatch: pytest.MonkeyPatch, ends: Mapping[str, Endpoint], kind: str, what: str
) -> None:
    given = PROPERTIES[what]
    found = (PARENT, given) if given.parent_id else (given,)
    lost = converted(monkeypatch, ends[kind], AnnotationSet(found, ReadCounts(len(found))))
    after = [] if lost.get("no shape") else read_back(ends[kind]).annotations
    changed = _changes(given, after[-1]) if after else {"everything"}
    if not given.path_class:
        changed.discard("own_color")  # of an object without a class there is one colour
    assert bool(changed) <= bool(lost), f"{what} changed {changed}, and nothing is said"
    assert len(lost) <= len(changed) + 1, f"{what} is said to lose {lost}, and only {changed} changed"


def _changes(before: Annotation, after: Annotation) -> set[str]:
    values = ((key, getattr(before, key), getattr(after, key)) for key in COMPARED)
    changed = {key for key, old, new in values if str(old or None) != str(new or None)}
    has_nucleus = before.nucleus is None or after.nucleus is not None
    return changed if has_nucleus else {*changed, "nucleus"}


@pytest.mark.parametrize("what", PROPERTIES)
def test_a_mask_says_all_that_pixels_do_not_hold(
    monkeypatch: pytest.MonkeyPatch, ends: Mapping[str, Endpoint], what: str
) -> None:
    given = PROPERTIES[what]
    found = (PARENT, given) if given.parent_id else (given,)
    lost = converted(monkeypatch, ends["png"], AnnotationSet(found, ReadCounts(len(found))))
    held = ("class name", "odd class name", "no class", "polygon", "ellipse", "hole")
    assert bool(lost) is (what not in held), lost
    if what in held:
        with open_label_mask(ends["png"].path) as mask:
            assert mask.info.names[1] == (given.path_class or "Annotation")


@pytest.mark.parametrize("kind", ["xml", "geojson", "qupath", "png"])
def test_the_grid_of_a_tissue_array_is_counted(
    monkeypatch: pytest.MonkeyPatch, ends: Mapping[str, Endpoint], kind: str
) -> None:
    cores = tuple(
        replace(AREA, kind=ObjectKind.TMA_CORE, path_class=None, object_id=f"{i}" * 8 + "-1111-4111-8111-" + "1" * 12)
        for i in range(1, 5)
    )
    grid = TmaGrid(2, tuple(core.object_id for core in cores))
    lost = converted(monkeypatch, ends[kind], AnnotationSet((*cores, PARENT), ReadCounts(5), tma_grid=grid))
    assert lost.get("TMA grid") == (None if kind == "qupath" else 4)
    assert ("object type" in lost) is (kind == "xml")


def test_the_class_has_one_colour_in_xml(monkeypatch: pytest.MonkeyPatch, ends: Mapping[str, Endpoint]) -> None:
    found = (AREA, replace(PARENT, color=BLUE))
    assert converted(monkeypatch, ends["xml"], AnnotationSet(found, ReadCounts(2)))


def test_what_touches_its_own_class_becomes_one_in_a_mask() -> None:
    boxes = [(box(0, 0, 5, 5), 1), (box(5, 0, 9, 5), 1), (box(0, 6, 5, 9), 1), (box(1, 6, 4, 7), 2)]
    assert count_joined(boxes) == 2
    assert count_joined([]) == 0


def test_changes_are_found_by_id_and_the_larger_count_of_two_stays() -> None:
    assert count_changed([AREA], [replace(AREA, name="x", is_locked=True)]) == {"name": 1, "lock": 1}
    assert count_changed([AREA], [replace(PARENT, name="x")]) == {}
    assert merged_losses({"lock": 1, "name": 3}, {"lock": 2}) == {"lock": 2, "name": 3}
