"""Class names, labels, colours, and what files call a class."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import box

from bridge.annotations import (
    Annotation,
    ClassScheme,
    Layer,
    Rgb,
    format_color,
    parse_color,
    plain_class,
    predicted_class,
)
from bridge.errors import BridgeError, ConfigError, UnknownPathClassError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
TWO = {"Tumor": RED, "Stroma": GREEN}


def region(layer: str, *, text: str | None = None, color: Rgb | None = RED, layer_id: str = "1") -> Annotation:
    """A region as ImageScope's reader makes it."""
    return Annotation("L0R0", box(0, 0, 9, 9), layer or None, name=text, layer=Layer(layer, layer_id, color))


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_survive_the_round_trip(color: Rgb) -> None:
    assert parse_color(format_color(color)) == color
    assert parse_color(format_color(color).upper()) == color


@pytest.mark.parametrize(
    "text", ["", "#", "ff0000", "#ff000", "#ff00000", "#gg0000", "#0x1234", "#-12345", "#1_2_3_", "red"]
)
def test_what_is_no_colour_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="#rrggbb"):
        parse_color(text)


@given(st.text(min_size=1))
def test_predicted_class_and_plain_class_are_inverse(name: str) -> None:
    assert plain_class(predicted_class(name)) == name


@pytest.mark.parametrize("name", ["Tumor", "Predicted", "Predicted: Tumor", "Tumor:Predicted", "Tumor: predicted", ""])
def test_other_classes_have_no_plain_class(name: str) -> None:
    assert plain_class(name) is None


def test_background_is_label_zero_wherever_it_is_named() -> None:
    for colors in (TWO, {"Tumor": RED, "Background": BLUE, "Stroma": GREEN}):
        scheme = ClassScheme(colors)
        assert scheme.names == ("Background", "Tumor", "Stroma")
        assert [scheme.label(name) for name in scheme.names] == [0, 1, 2]
        assert "Background" in scheme


def test_unknown_class_says_what_is_known() -> None:
    with pytest.raises(
        UnknownPathClassError, match=r"'Fat' is not in the scheme \(Background, Tumor, Stroma\)"
    ) as caught:
        ClassScheme(TWO).label("Fat")
    assert caught.value.path_class == "Fat"
    assert isinstance(caught.value, BridgeError)


def test_later_classes_of_the_priority_are_burnt_later() -> None:
    colors = {"A": RED, "B": GREEN, "C": BLUE}
    assert ClassScheme(colors).labels_by_priority() == (0, 1, 2, 3)
    assert ClassScheme(colors, priority=("C", "A")).labels_by_priority() == (0, 2, 3, 1)


def test_a_mask_has_room_for_254_classes() -> None:
    assert ClassScheme({f"c{i}": RED for i in range(254)}).label("c253") == 254
    with pytest.raises(ConfigError, match="254"):
        ClassScheme({f"c{i}": RED for i in range(255)})


def test_rules_and_priority_must_point_at_known_classes() -> None:
    with pytest.raises(ConfigError, match=r"'x' points at 'Fat'"):
        ClassScheme(TWO, mapping={"x": "Fat"})
    with pytest.raises(ConfigError, match="'Fat'"):
        ClassScheme(TWO, priority=("Fat",))
    for target in ("ROI", "Background", "Ignore*", "Ignore", "Tumor"):
        assert ClassScheme(TWO, mapping={"x": target}).resolve("x") == target


def test_the_more_particular_rule_wins() -> None:
    rules = {"id:1": "A", "color:#ff0000": "B", "old name": "C", "text:mitosis": "D"}
    colors = dict.fromkeys("ABCD", RED)

    def classify(annotation: Annotation) -> str | None:
        return ClassScheme(colors, mapping=rules).classify(annotation)

    assert classify(region("", color=GREEN)) == "A"
    assert classify(region("")) == "B"
    assert classify(region("old name")) == "C"
    assert classify(region("old name", text="mitosis")) == "D"
    assert classify(region("new name", color=BLUE, layer_id="2")) == "new name"
    assert classify(region("", color=None, layer_id="2")) is None


@pytest.mark.parametrize("name", ["Tumor", "ROI", "Ignore", "Proposed", "Stroma: Predicted"])
def test_a_rule_for_a_colour_or_id_does_not_touch_layers_that_say_what_they_are(name: str) -> None:
    # `new` writes such rules for unnamed layers; our own layers get whatever id is free, in the class's colour.
    scheme = ClassScheme(TWO, mapping={"color:#ff0000": "Stroma", "id:1": "Stroma"})
    assert scheme.classify(region(name)) == name
    assert scheme.classify(region("layer 5")) == "Stroma"


def test_colours_in_rules_may_be_in_capitals() -> None:
    assert ClassScheme(TWO, mapping={"color:#FF0000": "Stroma"}).classify(region("")) == "Stroma"


def test_a_text_rule_is_for_regions_of_layers_not_for_names_of_objects() -> None:
    scheme = ClassScheme(TWO, mapping={"text:a": "Stroma"})
    assert scheme.classify(Annotation("x", box(0, 0, 1, 1), "Tumor", name="a")) == "Tumor"
    assert scheme.classify(region("Tumor", text="a")) == "Stroma"


def test_resolve_translates_a_files_class_name() -> None:
    scheme = ClassScheme(TWO, mapping={"Tumour": "Tumor", "layer:Str": "Stroma"})
    assert [scheme.resolve(name) for name in ("Tumour", "Str", "Fat")] == ["Tumor", "Stroma", "Fat"]
