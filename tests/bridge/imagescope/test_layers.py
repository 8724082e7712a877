from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.annotations import predicted_class
from bridge.imagescope.layers import class_of_layer, from_line_color, is_our_layer, layer_of_class, to_line_color

NAMES = st.text(min_size=1, max_size=20).map(str.strip).filter(bool)
COLORS = st.tuples(*[st.integers(0, 255)] * 3)


@given(NAMES)
def test_predicted_class_and_layer_name_stand_for_each_other(name: str) -> None:
    layer = layer_of_class(predicted_class(name))
    assert is_our_layer(layer)
    assert class_of_layer(layer) == predicted_class(name)


@pytest.mark.parametrize("name", ["Tumor", "ROI", "Ignore", "Ignore*", "SlideBridge", "(predicted)", " (predicted)"])
def test_layers_of_people_keep_their_name(name: str) -> None:
    assert not is_our_layer(name)
    assert class_of_layer(name) == name.strip()


def test_unnamed_layer_has_no_class() -> None:
    assert class_of_layer("") is None
    assert class_of_layer("  ") is None


@given(COLORS)
def test_colours_come_back(color: tuple[int, int, int]) -> None:
    assert from_line_color(str(to_line_color(color))) == color


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("65280", (0, 255, 0)),
        ("255", (255, 0, 0)),
        ("16711680", (0, 0, 255)),
        ("5308410", (250, 255, 80)),
        ("", None),
        ("red", None),
        (None, None),
        ("9" * 5000, None),
    ],
)
def test_line_color_has_blue_in_the_high_byte(text: str | None, color: tuple[int, int, int] | None) -> None:
    assert from_line_color(text) == color
