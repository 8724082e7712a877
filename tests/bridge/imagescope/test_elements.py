from __future__ import annotations

import math

import pytest

from bridge.imagescope.document import parse_document
from bridge.imagescope.elements import parse_number


@pytest.mark.parametrize(
    ("text", "value"), [("12", 12), ("-12.5", -12.5), ("9,5", 9.5), (" 1e3 ", 1000), ("46146.2400000000", 46146.24)]
)
def test_numbers_as_tools_write_them(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["nan", "1.#QNAN", "-1.#IND00", "1.#INF", "inf"])
def test_numbers_that_are_not_finite_say_so(text: str) -> None:
    assert not math.isfinite(parse_number(text))


@pytest.mark.parametrize(
    ("data", "newline"),
    [
        (b"<Annotations>\r\n\n</Annotations>", "\r\n"),
        (b"<Annotations>\n\r\n</Annotations>", "\n"),
        (b"<Annotations/>", "\n"),
    ],
)
def test_line_end_is_the_first_one(data: bytes, newline: str) -> None:
    assert parse_document(data).newline == newline


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ('Name="A"', "A"),
        ('LayerName="B"', "B"),
        ('Name="" LayerName="B"', "B"),
        ("", ""),
        ('Name="A&amp;&#228;"', "A&ä"),
    ],
)
def test_layer_is_named_by_name_else_layer_name(attributes: str, name: str) -> None:
    (layer,) = parse_document(f"<Annotations><Annotation {attributes}/></Annotations>".encode()).layers
    assert layer.name == name


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False), ("", False), ("True", True)])
def test_negative_regions_say_so(value: str, expected: bool) -> None:
    data = f'<Annotations><Annotation><Region NegativeROA="{value}"/></Annotation></Annotations>'
    (layer,) = parse_document(data.encode()).layers
    assert layer.regions[0].is_negative is expected
