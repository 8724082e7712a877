from __future__ import annotations

import pytest

from bridge.errors import QuPathFormatError
from bridge.qupath.java_stream import ObjectArray
from bridge.qupath.java_values import Allowance, boxed_int, is_hash_map, list_items, map_items, numbers, text_or_none


def test_numbers_of_both_widths(lab) -> None:
    assert numbers(lab.primitives("[D", b"\x3f\xf8" + bytes(6))) == (1.5,)
    assert numbers(lab.primitives("[F", b"\x3d\xcc\xcc\xcd")) == (0.10000000149011612,), "float32, exactly"
    assert numbers(lab.primitives("[B", b"\x01")) == () == numbers(None)


def test_lists_are_unwrapped(lab) -> None:
    names = [lab.text("a"), lab.text("b")]
    plain = lab.array_list(names)
    wrapped = lab.object("java.util.Collections$UnmodifiableList", plain)
    assert list_items(plain) == list_items(wrapped) == names
    assert list_items(ObjectArray(lab.desc("[Ljava.lang.Object;"), names)) == names
    assert list_items(None) == []


def test_a_list_that_wraps_itself_is_empty(lab) -> None:
    loop = lab.object("java.util.Collections$UnmodifiableList", None)
    loop.parts[0] = loop
    assert list_items(loop) == []


def test_maps_and_scalars(lab) -> None:
    hash_map = lab.hash_map({"a": "1", "b": "2"})
    assert [(key.text, value.text) for key, value in map_items(hash_map)] == [("a", "1"), ("b", "2")]
    assert is_hash_map(hash_map) and not is_hash_map(lab.array_list([])) and not is_hash_map(None)
    assert boxed_int(lab.integer(-7)) == -7 and boxed_int(lab.boolean(True)) is None
    assert text_or_none(lab.text("x")) == "x" and text_or_none(b"x") is None


def test_an_allowance_ends() -> None:
    allowance = Allowance(0)
    allowance.spend(1_000_000)
    with pytest.raises(QuPathFormatError, match="again and again"):
        allowance.spend(1)
