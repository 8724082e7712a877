from __future__ import annotations

from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_stream import JavaClass, JavaObject, ObjectArray, PrimitiveArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_writer import write_stream


def test_a_node_met_again_is_one_node_again(lab) -> None:
    shared = lab.texts(["a", "b"])
    first, second = read_stream(write_stream([shared, shared])).items
    assert first is second


def test_equal_texts_of_different_nodes_stay_different() -> None:
    first, second = read_stream(write_stream([JavaString(b"a"), JavaString(b"a")])).items
    assert first is not second


def test_long_texts_and_blocks_take_the_long_form() -> None:
    items = [JavaString(b"a" * 65_535), JavaString(b"a" * 65_536), b"b" * 255, b"b" * 256, b""]
    data = write_stream(items)
    back = read_stream(data).items
    assert [item.raw if isinstance(item, JavaString) else item for item in back] == [
        item.raw if isinstance(item, JavaString) else item for item in items
    ]
    assert data.count(b"\x7c\x00\x00") == 1 and data.count(b"\x7a\x00\x00\x01\x00") == 1


def test_a_class_as_a_value(lab) -> None:
    (back,) = read_stream(write_stream([JavaClass(lab.desc("java.lang.Integer"))])).items
    assert isinstance(back, JavaClass) and back.desc.superclass.name == "java.lang.Number"


items = st.recursive(
    st.one_of(
        st.none(),
        st.binary(max_size=300),
        st.text(st.characters(), max_size=5).map(JavaString.of),
        st.integers(-(2**31), 2**31 - 1),
        st.lists(st.floats(width=32, allow_nan=False), max_size=4),
    ),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


def _build(lab, value):
    """An int becomes an Integer, a list a float array, a tuple an array of objects."""
    if isinstance(value, int):
        return lab.integer(value)
    if isinstance(value, list):
        return lab.primitives("[F", pack(f">{len(value)}f", *value))
    if isinstance(value, tuple):
        return ObjectArray(lab.desc("[Ljava.lang.Object;"), [_build(lab, inner) for inner in value])
    return value


def _plain(item):
    if isinstance(item, JavaString):
        return item.raw
    if isinstance(item, JavaObject):
        return (item.desc.name, item.number("value"))
    if isinstance(item, PrimitiveArray):
        return (item.desc.name, item.data)
    if isinstance(item, ObjectArray):
        return [_plain(inner) for inner in item.items]
    return item


@settings(max_examples=150, deadline=None)
@given(st.lists(items, max_size=5))
def test_what_is_written_is_read(new_lab, values: list[object]) -> None:
    lab = new_lab()
    nodes = [_build(lab, value) for value in values]
    data = write_stream(nodes)
    back = read_stream(data).items
    assert [_plain(item) for item in back] == [_plain(item) for item in nodes]
    assert write_stream(back) == data
