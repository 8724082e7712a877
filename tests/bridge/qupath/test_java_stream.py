from __future__ import annotations

from bridge.qupath import class_table as table


def test_fields_by_name_whatever_their_class(lab) -> None:
    values = lab.numeric_list("D", {"a": 1.0})
    assert values.number("isClosed") is True and values.field("map") is None
    assert values.field("values").data == b"\x3f\xf0" + bytes(6)
    box = lab.box_roi("Rectangle", 1.5, 2, 3, 4, (5, 6, 7))
    assert [box.number(name) for name in ("x", "y", "x2", "y2", "c", "z", "t")] == [1.5, 2, 3, 4, 5, 6, 7]


def test_a_field_that_is_missing_or_of_the_other_sort_is_none(lab) -> None:
    number = lab.integer(3)
    assert number.number("value") == 3 and number.field("value") is None
    assert number.number("other") is None and number.field("other") is None
    path_class = lab.path_class("A", (1, 2, 3))
    assert path_class.number("name") is None and path_class.field("name").text == "A"


def test_what_a_class_wrote_itself(lab) -> None:
    assert [item.text for item in lab.hash_map({"a": "b"}).written()[1:]] == ["a", "b"]
    assert lab.integer(3).written() == []
    assert lab.object(table.WORKFLOW, [b"\0"]).written() == [b"\0"]
