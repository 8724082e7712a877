"""GeoJSON as we write it: what is written reads back, and QuPath takes it."""

from __future__ import annotations

import math
import uuid
from typing import Any

import geojson
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon

from bridge.annotations.objects import Annotation, AnnotationSet, ObjectKind, Plane, Shape
from bridge.qupath.geojson import read_geojson, write_geojson
from geojson_support import comparable

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
