"""There and back again for every pair of formats: classes, names, holes and areas stay, where both formats hold them.

Tolerances. XML, GeoJSON and QuPath's files round coordinates to 0.01 px, so that a vertex moves by at most
0.005·√2 = 0.0071 px, and an area by at most that times the length of its outline. An ellipse is a box in XML and in
QuPath's files; the polygons that readers draw of it stay within 0.1 px of the true curve. A mask has whole pixels: its
areas are off by less than three quarters of a pixel for each pixel of outline; what comes out of a mask goes through
all other formats without losing a single pixel.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mask_support import read_label_mask
from PIL import Image
from shapely import affinity
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, Shape, repair_area
from bridge.formats import MaskInfo, write_label_mask
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import NewImage, QuPathProject, create_project, read_geojson, read_qpdata, write_geojson
from bridge.qupath.plain import append_annotations
from scripts.conversion import ConversionReport, ConversionRequest, Endpoint, EndpointKind, convert, parse_endpoint
from scripts.conversion.mask_reading import read_mask

CELL, CELLS = 100, 3
SIDE = CELL * CELLS
ROUNDING_PX = 0.005 * math.sqrt(2) + 1e-4  # and a float32 at some hundred pixels
SAGITTA_PX = 0.1
PIXEL = 0.75
COLORS = {"Tumor": (200, 0, 0), "Tumor: In situ": (255, 128, 0), "Gefäß": (0, 0, 200), "区域 <&>": (0, 160, 80)}
UNCLASSED = (1, 2, 3)
VECTORS, MASKS = ("xml", "geojson", "qupath"), ("png", "tif")
NOT_IN_XML = (Shape.POINTS, Shape.POLYLINE)


@dataclass(frozen=True)
class Place:
    """A folder, a slide and a QuPath project of it, in which one round trip is made."""

    folder: Path

    @classmethod
    def make(cls, folder: str) -> Place:
        place = cls(Path(folder))
        Image.new("L", (SIDE, SIDE), 200).convert("RGB").save(place.slide)
        return place

    @property
    def slide(self) -> Path:
        return self.folder / "slide.png"

    def end(self, kind: str, name: str) -> Endpoint:
        if kind != "qupath":
            return parse_endpoint(str(self.folder / f"{name}.{kind}"))
        image = NewImage(self.slide, "slide.png", SIDE, SIDE, ((SIDE, SIDE),), None, None, (SIDE, SIDE), False)
        project = create_project(self.folder / name, [image], {}, now=datetime(2025, 1, 1, tzinfo=UTC))
        return Endpoint(project.path, EndpointKind.QUPATH, "1")

    def go(self, source: Endpoint, target: Endpoint) -> ConversionReport:
        return convert(ConversionRequest(source, target, self.slide), sleep=lambda _: None)


def read(end: Endpoint) -> tuple[Annotation, ...]:
    if end.kind is EndpointKind.MASK:
        return read_mask(end.path, None, None, None).found.annotations
    if end.kind is EndpointKind.QUPATH:
        return read_qpdata(QuPathProject(end.path).slides()[0].annotation_path.read_bytes()).annotations
    reader = read_imagescope if end.kind is EndpointKind.IMAGESCOPE else read_geojson
    return reader(end.path.read_bytes()).annotations


def write(end: Endpoint, annotations: Sequence[Annotation]) -> None:
    if end.kind is EndpointKind.QUPATH:
        project = QuPathProject(end.path)
        entry = project.slides()[0]
        entry.annotation_path.write_bytes(append_annotations(project.create(entry), annotations).data)
    elif end.kind is EndpointKind.IMAGESCOPE:
        end.path.write_bytes(write_imagescope(annotations, None))
    else:
        end.path.write_bytes(write_geojson(annotations))


# what is drawn: one object a cell, in its coordinates of 0 to 100

NUMBER = st.floats(10, 45, width=32)


@st.composite
def star(draw: Callable[..., float]) -> Polygon:
    """A polygon around the middle of a cell, of any jaggedness."""
    radii = draw(st.lists(NUMBER, min_size=3, max_size=12))
    angles = np.arange(len(radii)) * 2 * math.pi / len(radii)
    return Polygon([(50 + r * math.cos(a), 50 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)])


@st.composite
def drawn(draw: Callable[..., object]) -> tuple[Shape, BaseGeometry]:
    kind = draw(
        st.sampled_from(["star", "cell", "rectangle", "ellipse", "ring", "parts", "bow", "line", "path", "dots"])
    )
    a, b = draw(NUMBER), draw(NUMBER)
    match kind:
        case "star":
            return Shape.POLYGON, draw(star())
        case "cell":  # touches its neighbours
            return Shape.RECTANGLE, box(0, 0, CELL, CELL)
        case "rectangle":
            return Shape.RECTANGLE, box(50 - a, 50 - b, 50 + b, 50 + a)
        case "ellipse":
            circle = Point(0, 0).buffer(1, quad_segs=32)
            return Shape.ELLIPSE, affinity.translate(affinity.scale(circle, a, b, origin=(0, 0)), 50, 50)
        case "ring":  # two holes; in one an object of another class may lie
            return Shape.GEOMETRY, Polygon(
                box(2, 2, 98, 98).exterior, [box(10, 10, 10 + a, 90).exterior, box(60, 20, 90, 20 + b).exterior]
            )
        case "parts":
            return Shape.GEOMETRY, shapely.MultiPolygon([box(5, 5, 45, a + 15), box(55, 40, 95, 50 + b)])
        case "bow":
            return Shape.POLYGON, Polygon([(10, 10), (50 + a, 90), (50 + b, 10), (10, 90)])
        case "line":
            return Shape.LINE, LineString([(10, a), (90, b)])
        case "path":
            return Shape.POLYLINE, LineString([(10, a), (50, b), (90, a)])
        case _:
            return Shape.POINTS, MultiPoint([(a, b), (b + 20, 80)])


@st.composite
def annotations(draw: Callable[..., object]) -> tuple[Annotation, ...]:
    cells = draw(st.lists(st.integers(0, CELLS**2 - 1), min_size=1, max_size=5, unique=True))
    found = []
    for cell in cells:
        shape, geometry = draw(drawn())
        path_class = draw(st.sampled_from([None, *COLORS]))
        placed = affinity.translate(geometry, CELL * (cell % CELLS), CELL * (cell // CELLS))
        found.append(_annotation(f"{cell}", placed, shape, path_class, draw(st.sampled_from(["n", "Ünï 区 <&>"]))))
        if shape is Shape.GEOMETRY and geometry.geom_type == "Polygon" and draw(st.booleans()):
            island = affinity.translate(box(62, 22, 68, 28), CELL * (cell % CELLS), CELL * (cell // CELLS))
            found.append(_annotation(f"{cell} island", island, Shape.RECTANGLE, "Tumor", "in a hole"))
    return tuple(found)


def _annotation(number: str, geometry: BaseGeometry, shape: Shape, path_class: str | None, name: str) -> Annotation:
    object_id = f"00000000-0000-4000-8000-{crc32(number.encode()):012d}"
    color = UNCLASSED if path_class is None else COLORS[path_class]
    return Annotation(object_id, geometry, path_class, shape, name=f"{name} {number}", color=color)


# what must be the same: XML makes several regions of several parts, so objects of one name count together


def parts_of(found: Sequence[Annotation]) -> Mapping[tuple[str | None, str | None], list[Annotation]]:
    grouped: dict[tuple[str | None, str | None], list[Annotation]] = {}
    for annotation in found:
        grouped.setdefault((annotation.path_class, annotation.name), []).append(annotation)
    return grouped


def area_of(found: Sequence[Annotation]) -> float:
    return sum(repair_area(a.geometry).area for a in found if a.shape.is_area)


def holes_of(found: Sequence[Annotation]) -> int:
    parts = shapely.get_parts([a.geometry for a in found if a.shape.is_area and a.geometry.is_valid])
    return int(shapely.get_num_interior_rings(parts).sum())


def assert_same_drawing(before: Sequence[Annotation], after: Sequence[Annotation]) -> None:
    old, new = parts_of(before), parts_of(after)
    assert old.keys() == new.keys()
    for key, drawn_before in old.items():
        length = sum(a.geometry.length for a in drawn_before)
        is_ellipse = drawn_before[0].shape is Shape.ELLIPSE
        tolerance = length * (ROUNDING_PX + (SAGITTA_PX if is_ellipse else 0)) + 0.01
        assert area_of(new[key]) == pytest.approx(area_of(drawn_before), abs=tolerance), key
        assert {_color(a) for a in new[key]} == {_color(a) for a in drawn_before}
        if all(a.geometry.is_valid for a in drawn_before):
            assert holes_of(new[key]) == holes_of(drawn_before)
            bounds = (shapely.total_bounds([a.geometry for a in group]) for group in (drawn_before, new[key]))
            assert np.allclose(*bounds, atol=ROUNDING_PX)
        if not drawn_before[0].shape.is_area:
            (one,), (other,) = drawn_before, new[key]
            assert other.geometry.length == pytest.approx(one.geometry.length, abs=4 * ROUNDING_PX)
            assert shapely.get_num_coordinates(other.geometry) == shapely.get_num_coordinates(one.geometry)


def _color(annotation: Annotation) -> object:
    return annotation.color if annotation.path_class else annotation.color or annotation.own_color


def held(kinds: Sequence[str], found: Sequence[Annotation]) -> tuple[Annotation, ...]:
    return tuple(a for a in found if "xml" not in kinds or a.shape not in NOT_IN_XML)


def examples(count: int) -> settings:
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(deadline=None, max_examples=count, suppress_health_check=quiet)


def check_vectors(there: str, back: str, found: tuple[Annotation, ...]) -> None:
    """A → B → A between formats of outlines."""
    assume(held((there, back), found))  # into QuPath's project no file is written without objects
    with tempfile.TemporaryDirectory() as folder:
        place = Place.make(folder)
        first, middle, last = place.end(there, "first"), place.end(back, "middle"), place.end(there, "last")
        write(first, found)
        reports = [place.go(first, middle), place.go(middle, last)]
        expected = held((there, back), read(first))
        assert sum(r.written for r in reports) + sum(sum(r.left_out.values()) for r in reports) == sum(
            r.objects for r in reports
        )
        assert_same_drawing(held((there,), found), read(first))
        assert_same_drawing(expected, read(last))
        left_out = sum(reports[0].left_out.values()) + sum(reports[1].left_out.values())
        assert left_out == len(read(first)) - len(expected)


def check_to_mask_and_back(there: str, mask: str, found: tuple[Annotation, ...]) -> None:
    """A → mask → A: every area within the pixels' rule, every class, every hole; points and lines are left out."""
    assume(any(a.shape.is_area for a in found))
    with tempfile.TemporaryDirectory() as folder:
        place = Place.make(folder)
        first, middle, last = place.end(there, "first"), place.end(mask, "middle"), place.end(there, "last")
        write(first, found)
        report = place.go(first, middle)
        place.go(middle, last)
        areas = [a for a in read(first) if a.shape.is_area]
        assert report.written == len(areas)
        assert sum(report.left_out.values()) == len(read(first)) - len(areas)
        classes = {a.path_class or "Annotation" for a in areas}
        after = read(last)
        assert {a.path_class for a in after} == classes
        for path_class in classes:
            old = [a for a in areas if (a.path_class or "Annotation") == path_class]
            new = [a for a in after if a.path_class == path_class]
            tolerance = sum(a.geometry.length for a in old) * PIXEL + 2
            assert area_of(new) == pytest.approx(area_of(old), abs=tolerance)
            if all(a.geometry.is_valid for a in old) and not _touch(old):
                assert holes_of(new) == holes_of(old)


def _touch(found: Sequence[Annotation]) -> bool:
    """Say whether objects touch, so that a mask makes one of them and may enclose a hole between them."""
    return any(a.geometry.distance(b.geometry) < 3 for a in found for b in found if a is not b)


@st.composite
def labels(draw: Callable[..., object]) -> np.ndarray:
    side = draw(st.integers(1, 12))
    rows = draw(st.lists(st.lists(st.integers(0, 4), min_size=side, max_size=side), min_size=1, max_size=12))
    return np.array(rows, dtype=np.uint8).repeat(draw(st.integers(1, 3)), axis=0)


def check_mask_through(mask: str, other: str, array: np.ndarray) -> None:
    """Mask → B → mask: every pixel has the class that it had."""
    assume(array.any())
    with tempfile.TemporaryDirectory() as folder:
        place = Place.make(folder)
        names = ("Background", *COLORS)
        info = MaskInfo(names, ((0, 0, 0), *COLORS.values()), (0.5, 0.5), 1.0)
        first, middle, last = place.end(mask, "first"), place.end(other, "middle"), place.end(mask, "last")
        whole = np.zeros((SIDE, SIDE), np.uint8)
        whole[7 : 7 + array.shape[0], 3 : 3 + array.shape[1]] = array
        write_label_mask(first.path, whole, info)
        place.go(first, middle)
        place.go(middle, last)
        found = read_label_mask(last.path)
        assert found.names is not None and found.names[0] == "Background"
        number = np.array([names.index(name) for name in found.names], dtype=np.uint8)
        np.testing.assert_array_equal(number[found.labels], whole)


PAIRS = [(a, b) for a in VECTORS for b in VECTORS]
TO_MASKS = [(a, b) for a in VECTORS for b in MASKS]
FROM_MASKS = [(a, b) for a in MASKS for b in (*VECTORS, *MASKS)]


@pytest.mark.parametrize(("there", "back"), PAIRS)
@examples(6)
@given(annotations())
def test_outlines_come_back(there: str, back: str, found: tuple[Annotation, ...]) -> None:
    check_vectors(there, back, found)


@pytest.mark.parametrize(("there", "mask"), TO_MASKS)
@examples(4)
@given(annotations())
def test_areas_come_back_from_masks(there: str, mask: str, found: tuple[Annotation, ...]) -> None:
    check_to_mask_and_back(there, mask, found)


@pytest.mark.parametrize(("mask", "other"), FROM_MASKS)
@examples(4)
@given(labels())
def test_no_pixel_changes_on_the_way(mask: str, other: str, array: np.ndarray) -> None:
    check_mask_through(mask, other, array)


@pytest.mark.long
@pytest.mark.parametrize(("there", "back"), PAIRS)
@examples(150)
@given(annotations())
def test_many_outlines_come_back(there: str, back: str, found: tuple[Annotation, ...]) -> None:
    check_vectors(there, back, found)


@pytest.mark.long
@pytest.mark.parametrize(("there", "mask"), TO_MASKS)
@examples(100)
@given(annotations())
def test_many_areas_come_back_from_masks(there: str, mask: str, found: tuple[Annotation, ...]) -> None:
    check_to_mask_and_back(there, mask, found)


@pytest.mark.long
@pytest.mark.parametrize(("mask", "other"), FROM_MASKS)
@examples(100)
@given(labels())
def test_no_pixel_of_many_changes_on_the_way(mask: str, other: str, array: np.ndarray) -> None:
    check_mask_through(mask, other, array)


# from ASAP, which is only read


def asap_of(found: Sequence[Annotation]) -> bytes:
    """The objects that ASAP can draw, as its file."""
    kinds = {
        Shape.POLYGON: "Polygon",
        Shape.RECTANGLE: "Rectangle",
        Shape.POINTS: "PointSet",
        Shape.LINE: "Measurement",
    }
    items = []
    for a in found:
        points = shapely.get_coordinates(a.geometry)[: -1 if a.shape.is_area else None]
        rows = "".join(f'<Coordinate Order="{i}" X="{x}" Y="{y}"/>' for i, (x, y) in enumerate(points.tolist()))
        group = (a.path_class or "None").replace("&", "&amp;").replace("<", "&lt;")
        name = (a.name or "").replace("&", "&amp;").replace("<", "&lt;")
        head = f'Name="{name}" Type="{kinds[a.shape]}" PartOfGroup="{group}" Color="#{bytes(_color(a)).hex()}"'
        items.append(f"<Annotation {head}><Coordinates>{rows}</Coordinates></Annotation>")
    return f"<ASAP_Annotations><Annotations>{''.join(items)}</Annotations></ASAP_Annotations>".encode()


@pytest.mark.parametrize("other", VECTORS)
@examples(6)
@given(annotations())
def test_what_asap_draws_arrives(other: str, found: tuple[Annotation, ...]) -> None:
    kept = (Shape.POLYGON, Shape.RECTANGLE, Shape.POINTS, Shape.LINE)
    drawn_in_asap = tuple(a for a in found if a.shape in kept)
    assume(held((other,), drawn_in_asap))
    with tempfile.TemporaryDirectory() as folder:
        place = Place.make(folder)
        path = place.folder / "asap.xml"
        path.write_bytes(asap_of(drawn_in_asap))
        target = place.end(other, "target")
        report = place.go(Endpoint(path, EndpointKind.ASAP), target)
        expected = [replace(a, shape=Shape.RULER) if a.shape is Shape.LINE else a for a in drawn_in_asap]
        assert_same_drawing(held((other,), expected), read(target))
        assert report.written == len(held((other,), expected))
