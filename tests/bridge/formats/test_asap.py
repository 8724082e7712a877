"""ASAP's XML as people have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import Annotation, Shape
from bridge.errors import AnnotationFileError
from bridge.formats.asap import MAX_DEPTH, AsapFile, read_asap

SQUARE = ((10, 20), (110, 20), (110, 80), (10, 80))


def item(kind: str, points: object, *, group: str = "None", color: str = "#F4FA58", inside: str = "") -> str:
    rows = "".join(f'<Coordinate Order="{i}" X="{x}" Y="{y}" />' for i, (x, y) in enumerate(points))
    head = f'<Annotation Name="Annotation 0" Type="{kind}" PartOfGroup="{group}" Color="{color}">'
    return f"{head}<Coordinates>{rows}</Coordinates>{inside}</Annotation>"


def group(name: str, parent: str = "None", color: str = "#64FE2E") -> str:
    return f'<Group Name="{name}" PartOfGroup="{parent}" Color="{color}"><Attributes /></Group>'


def read(*items: str, groups: str = "") -> AsapFile:
    inner = f"<Annotations>{''.join(items)}</Annotations><AnnotationGroups>{groups}</AnnotationGroups>"
    return read_asap(f'<?xml version="1.0"?><ASAP_Annotations>{inner}</ASAP_Annotations>'.encode())


def only(found: AsapFile) -> Annotation:
    (annotation,) = found.found.annotations
    return annotation


@pytest.mark.parametrize(
    ("kind", "points", "shape", "geometry"),
    [
        ("Polygon", SQUARE, Shape.POLYGON, "Polygon"),
        ("Spline", SQUARE, Shape.POLYGON, "Polygon"),
        ("Rectangle", SQUARE, Shape.RECTANGLE, "Polygon"),
        ("Rectangle", ((0, 5), (5, 0), (10, 5), (5, 10)), Shape.POLYGON, "Polygon"),
        ("Dot", SQUARE[:1], Shape.POINTS, "Point"),
        ("PointSet", SQUARE, Shape.POINTS, "MultiPoint"),
        ("Measurement", SQUARE[:2], Shape.RULER, "LineString"),
    ],
)
def test_every_tool_of_asap_is_read(kind: str, points: object, shape: Shape, geometry: str) -> None:
    found = read(item(kind, points))
    assert (only(found).shape, only(found).geometry.geom_type) == (shape, geometry)
    assert found.splines == (kind == "Spline")
    assert found.found.counts.read == 1
    assert found.found.counts.verbatim == ({} if shape.is_area else {shape.value: 1})


@pytest.mark.parametrize("kind", ["None", "", "Lasso"])
def test_what_nobody_knows_is_kept_without_a_shape(kind: str) -> None:
    found = read(item(kind, SQUARE))
    assert only(found).shape is Shape.NONE and found.found.counts.verbatim == {"no shape": 1}


@pytest.mark.parametrize("points", [(), SQUARE[:1], SQUARE[:2], (*SQUARE[:2], SQUARE[0])])
def test_too_few_corners_make_no_area(points: object) -> None:
    assert only(read(item("Polygon", points))).shape is Shape.NONE


def test_groups_are_classes_and_groups_inside_are_derived() -> None:
    groups = group("Tumor") + group("In situ", "Tumor", "#0000FF") + group("Fett ü", color="#010203")
    found = read(
        item("Polygon", SQUARE, group="Tumor"),
        item("Polygon", SQUARE, group="In situ"),
        item("Polygon", SQUARE),
        item("Polygon", SQUARE, group="Never listed", color="#0A0B0C"),
        groups=groups,
    )
    assert [(a.path_class, a.color) for a in found.found.annotations] == [
        ("Tumor", (0x64, 0xFE, 0x2E)),
        ("Tumor: In situ", (0, 0, 255)),
        (None, (0xF4, 0xFA, 0x58)),
        ("Never listed", (10, 11, 12)),
    ]
    assert found.colors == {"Tumor": (0x64, 0xFE, 0x2E), "Tumor: In situ": (0, 0, 255), "Fett ü": (1, 2, 3)}


def test_groups_in_a_ring_end() -> None:
    found = read(item("Polygon", SQUARE, group="A"), groups=group("A", "B") + group("B", "A") + group("C", "C"))
    assert only(found).path_class == "B: A"


def test_a_chosen_colour_is_the_objects_own_and_the_usual_one_is_nobodys() -> None:
    groups = group("Tumor")
    chosen = read(item("Polygon", SQUARE, group="Tumor", color="#FF0000"), groups=groups)
    usual = read(item("Polygon", SQUARE, group="Tumor"), groups=groups)
    assert (only(chosen).own_color, only(usual).own_color) == ((255, 0, 0), None)


def test_no_hole_is_guessed() -> None:
    inner = ((40, 30), (60, 30), (60, 50), (40, 50))
    found = read(item("Polygon", SQUARE), item("Polygon", inner, group="Exclusion"), groups=group("Exclusion"))
    assert [a.geometry.area for a in found.found.annotations] == [6000, 400]


def test_decimal_commas_and_order() -> None:
    points = ((2, "0", "10,5"), (0, "0", "0"), (1, "8,0", "0"))
    rows = "".join(f'<Coordinate Order="{order}" X="{x}" Y="{y}"/>' for order, x, y in points)
    head = '<Annotation Name="" Type="Polygon" PartOfGroup="None" Color="junk"><Coordinates>'
    annotation = only(read(f"{head}{rows}</Coordinates></Annotation>"))
    assert list(annotation.geometry.exterior.coords) == [(0, 0), (8, 0), (0, 10.5), (0, 0)]
    assert (annotation.name, annotation.color) == (None, None)


def test_attributes_of_an_object_are_metadata() -> None:
    attributes = '<Attributes><Attribute Name="reviewer" Value="Ä" /></Attributes>'
    assert only(read(item("Dot", SQUARE[:1], inside=attributes))).metadata == {"reviewer": "Ä"}


def test_crossing_outlines_are_kept_as_drawn_and_counted() -> None:
    found = read(item("Polygon", ((0, 0), (40, 40), (40, 0), (0, 40))))
    assert found.found.counts.repaired == 1 and not only(found).geometry.is_valid


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no element found"),
        (b"<Annotations/>", "not ASAP's"),
        (b"<ASAP_Annotations><Annotations>", "line 1"),
        (b'<!DOCTYPE x [<!ENTITY a "aa">]><ASAP_Annotations/>', "document type"),
        (b"<ASAP_Annotations>" + b"<a>" * MAX_DEPTH, "deep"),
        (item("Dot", [("1,234.5", 1)]).join(("<ASAP_Annotations>", "</ASAP_Annotations>")).encode(), "1,234.5"),
        (item("Dot", [("", 1)]).join(("<ASAP_Annotations>", "</ASAP_Annotations>")).encode(), "X=''"),
        (b'<?xml version="1.0" encoding="klingon"?><ASAP_Annotations/>', "encoding"),
    ],
)
def test_refusals_say_where(data: bytes, message: str) -> None:
    with pytest.raises(AnnotationFileError, match=message) as caught:
        read_asap(data)
    assert "\n" not in str(caught.value)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=40), st.integers(0, 600))
def test_damaged_files_are_read_or_refused(noise: bytes, place: int) -> None:
    whole = f"<ASAP_Annotations>{item('Polygon', SQUARE, group='T')}{group('T')}</ASAP_Annotations>".encode()
    try:
        read_asap(whole[:place] + noise + whole[place + len(noise) :])
    except AnnotationFileError as error:
        assert "line" in str(error)


@pytest.mark.parametrize("value", ["nan", "inf", "1e300"])
def test_wild_coordinates_make_no_shape(value: str) -> None:
    assert only(read(item("Polygon", [*SQUARE[:3], (value, 0)]))).shape is Shape.NONE


def test_real_files(shared_data: Path) -> None:
    folder = shared_data / "qupath" / "wsidicom" / "asap"
    found = {path.stem: only(read_asap(path.read_bytes())) for path in sorted(folder.glob("*.xml"))}
    assert {name: a.shape for name, a in found.items()} == {
        "asap-polygon": Shape.POLYGON,
        "asap-pointset": Shape.POINTS,
        "asap-dot": Shape.POINTS,
    }
    assert found["asap-polygon"].geometry.bounds == (22693.1875, 16551.1797, 23067.4531, 16710.6367)
    assert found["asap-dot"].color == (0xF4, 0xFA, 0x58)
