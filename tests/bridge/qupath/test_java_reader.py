"""Reading streams; most laws are those of reading and writing together."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.annotations import Edits
from bridge.errors import QuPathFormatError
from bridge.qupath import java_reader
from bridge.qupath.edit import apply_edits
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_stream import MAGIC, JavaObject, ObjectArray, Reset
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_writer import write_stream
from bridge.qupath.read import read_qpdata

_OBJECTS = b"\x75\x72\x00\x13[Ljava.lang.Object;" + bytes(8) + b"\x02\x00\x00\x78\x70"  # class of an Object[]
_AGAIN = b"\x75\x71\x00\x7e\x00\x00"  # another array of that class


def _refusal(data: bytes) -> str:
    with pytest.raises(QuPathFormatError) as caught:
        read_stream(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_kind_gives_the_same_bytes(every_kind: bytes) -> None:
    assert write_stream(read_stream(every_kind).items) == every_kind


def test_real_files_give_the_same_bytes(real_files: dict[str, bytes]) -> None:
    for name, data in real_files.items():
        assert write_stream(read_stream(data).items) == data, name


def test_cut_anywhere_is_refused(lab, every_kind: bytes) -> None:
    small = lab.file([lab.box(name="a", metadata={"k": "v"}, children=[lab.path_object("PathCell", None)])])
    for data, step in ((small, 1), (every_kind, 7)):
        for size in range(0, len(data), step):
            with pytest.raises(QuPathFormatError):
                read_qpdata(data[:size])


def test_what_was_read_is_shared_as_it_was_written(every_kind: bytes) -> None:
    stream = read_stream(every_kind)
    numbers = [node for node in stream.nodes if isinstance(node, JavaObject) and node.desc.name == "java.lang.Integer"]
    assert len(numbers) == len({node.number("value") for node in numbers}), "one node for each number"
    assert len(stream.nodes) == len(set(stream.nodes))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no Java serialization stream"),
        (b"PK\x03\x04", "no Java serialization stream"),
        (MAGIC + b"\x7b", "unknown tag 0x7b (byte 4 of 5)"),
        (MAGIC + b"\x71\x00\x7e\x00\x00", "leads nowhere (byte 4"),
        (MAGIC + b"\x71\x00\x00\x00\x00", "leads nowhere"),
        (MAGIC + b"\x71\xff\xff\xff\xff", "leads nowhere"),
        (MAGIC + b"\x78", "nothing ends (byte 4"),
        (MAGIC + b"\x74\xff\xffabc", "cut short"),
        (MAGIC + b"\x7a\x7f\xff\xff\xff" + bytes(300), "cut short"),
        (MAGIC + b"\x7c" + b"\x7f" + bytes(7) + b"a", "cut short"),
        (MAGIC + b"\x7c" + b"\xff" * 8 + b"a", "cut short"),
        (MAGIC + b"\x7c" + pack(">q", 3) + b"abc", "in the form for more than 65535"),
        (MAGIC + b"\x7a" + pack(">i", 3) + b"abc", "in the form for more than 255"),
        (MAGIC + _OBJECTS + b"\x7f\xff\xff\xff", "2147483647 elements announced"),
        (MAGIC + _OBJECTS + b"\xff\xff\xff\xff", "4294967295 elements announced"),
        (MAGIC + _OBJECTS + b"\x00\x00\x00\x01\x78", "nothing ends"),
        (MAGIC + _OBJECTS + b"\x00\x00\x00\x01\x79", "unknown tag 0x79"),
        (MAGIC + b"\x73\x70", "an object without class"),
        (MAGIC + b"\x74\x00\x01a\x73\x71\x00\x7e\x00\x00", "where a class belongs"),
        (MAGIC + _OBJECTS + bytes(4) + b"\x71\x00\x7e\x00\x00", "the description of a class"),
        (MAGIC + b"\x74\x00\x01a" + b"junk", "unknown tag 0x6a (byte 8 of 12)"),
    ],
)
def test_refusals_name_the_byte(data: bytes, words: str) -> None:
    assert words in _refusal(data)


def test_a_reset_forgets_what_came_before() -> None:
    data = MAGIC + b"\x74\x00\x01a\x79\x74\x00\x01a\x71\x00\x7e\x00\x00"
    stream = read_stream(data)
    first, reset, second, again = stream.items
    assert isinstance(first, JavaString) and isinstance(reset, Reset) and second is again
    assert stream.nodes == [first, second]
    assert write_stream(stream.items) == data


def test_a_loop_is_read_and_written() -> None:
    data = MAGIC + _OBJECTS + b"\x00\x00\x00\x01\x71\x00\x7e\x00\x01"
    (array,) = read_stream(data).items
    assert isinstance(array, ObjectArray) and array.items == [array]
    assert write_stream([array]) == data


def test_deep_nesting_is_read_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    def nested(depth: int) -> bytes:
        return MAGIC + _OBJECTS + (b"\x00\x00\x00\x01" + _AGAIN) * depth + bytes(4)

    data = nested(50_000)
    assert write_stream(read_stream(data).items) == data
    monkeypatch.setattr(java_reader, "MAX_DEPTH", 1000)
    read_stream(nested(999))
    assert "more than 1000 objects inside one another" in _refusal(nested(1002))


def test_endless_superclasses_are_refused() -> None:
    link = b"\x72\x00\x01A" + bytes(8) + b"\x02\x00\x00\x78"
    assert "superclasses" in _refusal(MAGIC + b"\x73" + link * 40 + b"\x70")


def test_a_class_above_itself_is_refused() -> None:
    own = b"\x71\x00\x7e\x00\x00"
    assert "where a class belongs" in _refusal(MAGIC + b"\x73\x72\x00\x01A" + bytes(8) + b"\x02\x00\x00\x78" + own)


damage = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(4, 10_000), st.binary(min_size=1, max_size=4)),
        st.tuples(st.just("cut"), st.integers(4, 10_000), st.binary(min_size=1, max_size=20)),
        st.tuples(st.just("put"), st.integers(4, 10_000), st.binary(min_size=1, max_size=20)),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(damage)
@example([("set", 5902, b"\x7f")])
def test_damaged_files_are_refused_or_read(every_kind: bytes, damage: list[tuple[str, int, bytes]]) -> None:
    data = bytearray(every_kind)
    for how, where, what in damage:
        at = where % len(data)
        data[at : at + (0 if how == "put" else len(what))] = b"" if how == "cut" else what
    try:
        stream = read_stream(bytes(data))
        assert write_stream(stream.items) == data
        read_qpdata(bytes(data))
        apply_edits(bytes(data), Edits("marker"))
    except QuPathFormatError as error:
        assert "\n" not in str(error)
