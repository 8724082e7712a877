"""People's annotations as a new ImageScope file: what is written reads back, and what isn't is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import GeometryCollection, LineString, MultiPoint, MultiPolygon, Point, Polygon, box

from bridge.annotations import Annotation, ObjectKind, Plane, Shape, is_same_outline
from bridge.annotations.diff import diff_annotations
from bridge.imagescope.plain import compose_imagescope, write_imagescope
from bridge.imagescope.read import read_imagescope

RED, BLUE = (200, 0, 0), (0, 0, 200)
RING = Point(100.25, 80.5).buffer(30)
HOLED = RING.difference(Point(95, 80).buffer(8)).difference(box(110, 75, 115, 82))
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=12)
CLASSES = TEXT.map(str.strip).filter(lambda name: name and not name.endswith(" (predicted)"))


def person(geometry, path_class: str | None = "Tumor", shape: Shape = Shape.POLYGON, **more: object) -> Annotation:
    return Annotation("x", geometry, path_class, shape, **{"color": RED, **more})


@st.composite
def drawings(draw: st.DrawFn) -> Annotation:
    shape, geometry = draw(
        st.sampled_from(
            [
                (Shape.POLYGON, RING),
                (Shape.POLYGON, Polygon([(0, 0), (40, 40), (40, 0), (0, 41)])),  # crosses itself
                (Shape.GEOMETRY, HOLED),
                (Shape.RECTANGLE, box(3.3, 4, 50, 60.75)),
                (Shape.ELLIPSE, affinity.scale(Point(50, 50).buffer(20, quad_segs=32), 1.5, 1)),
                (Shape.ARROW, LineString([(1, 2), (30.5, 40)])),
                (Shape.RULER, LineString([(1, 2), (30.5, 40)])),
            ]
        )
    )
    place = draw(st.tuples(*[st.floats(-1e3, 1e5, width=32)] * 2))
    metadata = draw(st.dictionaries(TEXT.filter(lambda key: key and not key.startswith("slidebridge")), TEXT))
    moved = affinity.translate(geometry, *place)
    return person(moved, draw(st.none() | CLASSES), shape, name=draw(TEXT) or None, metadata=metadata)


def by_layer(annotations: Iterable[Annotation]) -> list[Annotation]:
    layers: dict[str | None, list[Annotation]] = {}
    for annotation in annotations:
        layers.setdefault(annotation.path_class, []).append(annotation)
    ours = [name for name in layers if name == "Proposed"]
    return [a for name in [*(n for n in layers if n not in ours), *ours] for a in layers[name]]


@settings(max_examples=60, deadline=None)
@given(st.lists(drawings(), max_size=6))
def test_what_is_written_reads_back(annotations: list[Annotation]) -> None:
    composed = compose_imagescope(annotations, (0.25, 0.25))
    back = read_imagescope(composed.data)
    assert back.mpp == (0.25, 0.25)
    assert not composed.left_out and composed.lost.keys() <= {"class name"}
    assert len(back) == composed.objects == len(annotations)
    for before, after in zip(by_layer(annotations), back.annotations, strict=True):
        kept = ("path_class", "name", "shape", "color", "metadata")
        assert [getattr(after, key) for key in kept] == [getattr(before, key) for key in kept]
        assert is_same_outline(
            before.geometry, after.geometry, tolerance_px=0.15 if before.shape is Shape.ELLIPSE else 0.02
        )


def test_real_files_survive_being_written_anew(small_real_file: Path) -> None:
    before = read_imagescope(small_real_file.read_bytes())
    composed = compose_imagescope(before.annotations, before.mpp)
    after = read_imagescope(composed.data)
    difference = diff_annotations(before.annotations, after.annotations)
    assert not difference.added and not difference.removed
    assert after.counts == before.counts
    assert {a.layer.color for a in after.annotations} == {a.layer.color for a in before.annotations}
    # Once written, nothing moves any more.
    assert compose_imagescope(after.annotations, after.mpp).data == composed.data


def test_nothing_of_ours_is_in_the_file() -> None:
    ours = person(RING, "Tumor: Predicted", is_ours=True, metadata={"slidebridge": "7", "slidebridge.probability": "1"})
    data = write_imagescope([ours], None)
    assert b"slidebridge" not in data.lower()
    assert [a.metadata for a in read_imagescope(data).annotations] == [{}]


def test_a_file_without_objects_is_whole() -> None:
    back = read_imagescope(write_imagescope([], (0.5, 0.5)))
    assert (len(back), back.mpp) == (0, (0.5, 0.5))


def test_parts_become_regions_and_an_island_in_a_hole_stays() -> None:
    lake = box(0, 0, 100, 100).difference(box(20, 20, 80, 80))
    composed = compose_imagescope([person(MultiPolygon([lake, box(40, 40, 60, 60)]), shape=Shape.GEOMETRY)], None)
    back = read_imagescope(composed.data)
    assert (len(composed.written), composed.objects, len(back)) == (1, 2, 2)
    assert sum(a.geometry.area for a in back.annotations) == 100**2 - 60**2 + 20**2


def test_layers_are_told_apart_by_class_and_without_class_by_color() -> None:
    objects = [
        person(RING, "Proposed"),
        person(RING, None),
        person(RING, "Tumor"),
        person(RING, None, color=BLUE),
        person(RING, "Tumor", color=BLUE),
    ]
    composed = compose_imagescope(objects, None)
    layers = [(a.layer.name, a.layer.color) for a in read_imagescope(composed.data).annotations]
    assert layers == [("", RED), ("Tumor", RED), ("Tumor", RED), ("", BLUE), ("Proposed", RED)]
    assert composed.lost == {"color (the class has another)": 1}


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (person(MultiPoint([(1, 2), (3, 4)]), shape=Shape.POINTS), "points"),
        (person(LineString([(0, 0), (5, 5), (9, 0)]), shape=Shape.POLYLINE), "polyline"),
        (person(LineString([(0, 0), (5, 5), (9, 0)]), shape=Shape.LINE), "polyline"),
        (person(Polygon(), shape=Shape.NONE), "no shape"),
        (person(RING, shape=Shape.NONE), "no shape"),
        (person(box(0, 0, 0.001, 50)), "area below 0.01 px"),
        (person(box(0, 0, 2e8, 50)), "coordinates beyond 1e8"),
    ],
)
def test_what_imagescope_has_no_shape_for_is_left_out_and_counted(annotation: Annotation, reason: str) -> None:
    composed = compose_imagescope([person(RING), annotation], None)
    assert composed.left_out == {reason: 1}
    assert len(composed.written) == len(read_imagescope(composed.data)) == 1


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"kind": ObjectKind.CELL}, "object type"),
        ({"is_locked": True}, "lock"),
        ({"measurements": {"area": 1.0}}, "measurements"),
        ({"probability": 0.5}, "class probability"),
        ({"nucleus": RING}, "nucleus"),
        ({"parent_id": "p"}, "parent object"),
        ({"plane": Plane(z=2)}, "plane"),
        ({"name": "bell \x07"}, "characters"),
        ({"metadata": {"k": "half \ud83d"}}, "characters"),
        ({"path_class": "Tumor (predicted)"}, "class name"),
        ({"shape": Shape.LINE, "geometry": LineString([(0, 0), (9, 9)])}, "line (became a ruler)"),
    ],
)
def test_what_a_region_has_no_place_for_is_counted(changes: dict[str, object], what: str) -> None:
    composed = compose_imagescope([person(RING), replace(person(RING), **changes)], None)
    assert composed.lost == {what: 1}
    assert len(read_imagescope(composed.data)) == 2


def test_columns_are_those_of_imagescope() -> None:
    objects = [
        person(box(0, 0, 40, 30), shape=Shape.RECTANGLE),
        person(box(0, 0, 42, 34), shape=Shape.ELLIPSE),
        person(LineString([(0, 0), (30, 40)]), shape=Shape.RULER),
    ]
    regions = [r.attrib for r in ElementTree.fromstring(write_imagescope(objects, (0.5, 0.5))).iter("Region")]
    columns = [(r["Type"], r["Length"], r["Area"], r["LengthMicrons"], r["AreaMicrons"], r["Analyze"]) for r in regions]
    assert columns == [
        ("1", "140.0", "1200.0", "70.0", "300.0", "1"),
        ("2", "119.7", "1121.5", "59.9", "280.4", "1"),  # of a real file: shared/facts/aperio-xml.md
        ("4", "50.0", "0.0", "25.0", "0.0", "0"),
    ]
    assert [r["Id"] for r in regions] == [r["DisplayId"] for r in regions] == ["1", "2", "3"]


def test_a_rectangle_that_is_turned_is_a_polygon() -> None:
    turned = affinity.rotate(box(0, 0, 40, 30), 20)
    (back,) = read_imagescope(write_imagescope([person(turned, shape=Shape.RECTANGLE)], None)).annotations
    assert back.shape is Shape.POLYGON and is_same_outline(back.geometry, turned)


def test_polygons_of_a_collection_are_kept() -> None:
    mixed = GeometryCollection([box(0, 0, 9, 9), Point(50, 50)])
    (back,) = read_imagescope(write_imagescope([person(mixed, shape=Shape.GEOMETRY)], None)).annotations
    assert shapely.equals(back.geometry, box(0, 0, 9, 9))
