"""Changes to a Java serialization stream by someone who knows its grammar, but not what QuPath means by it."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from struct import pack

from bridge.errors import QuPathFormatError
from bridge.qupath.java_class import ClassDesc
from bridge.qupath.java_reader import read_stream
from bridge.qupath.java_stream import Item, JavaObject, JavaStream, ObjectArray, PrimitiveArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_writer import write_stream

_TEXTS = ("", "\0", "\ud800", "Tumor: ", "Tumor: Predicted", "Object ID", "slidebridge", "x" * 70_000, "../..", "EOF")
_WORDS = (
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0\0\1",
    b"\x7f\xc0\0\0",
    b"\x7f\x80\0\0",
)


def mutate_stream(data: bytes, chance: random.Random) -> bytes:
    """Return the stream with one to three of its nodes changed; the data unchanged where they are no stream."""
    try:
        stream = read_stream(data)
    except QuPathFormatError:
        return data
    for _ in range(chance.choice((1, 1, 2, 3))):
        _change(stream, chance)
    try:
        return write_stream(stream.items)
    except (ValueError, AssertionError, OverflowError, TypeError, struct.error):  # what nobody could write either
        return data


def _change(stream: JavaStream, chance: random.Random) -> None:
    if chance.random() < 0.05:
        _change_list(stream.items, stream, chance)
        return
    node = chance.choice(stream.nodes)
    if isinstance(node, JavaObject):
        _change_object(node, stream, chance)
    elif isinstance(node, PrimitiveArray):
        node.data = _other_numbers(node, chance)
    elif isinstance(node, ObjectArray):
        _change_list(node.items, stream, chance)
    elif isinstance(node, ClassDesc):
        _change_class(node, chance)
    elif isinstance(node, JavaString):
        node.raw = JavaString.of(chance.choice(_TEXTS)).raw


def _change_object(node: JavaObject, stream: JavaStream, chance: random.Random) -> None:
    if not node.parts:
        return
    place = chance.randrange(len(node.parts))
    part = node.parts[place]
    if isinstance(part, list):
        _change_list(part, stream, chance)
    elif isinstance(part, bytes):
        node.parts[place] = _other_bytes(part, chance)
    else:
        node.parts[place] = _any_item(stream, chance)


def _change_list(items: list[Item], stream: JavaStream, chance: random.Random) -> None:
    place = chance.randint(0, len(items))
    match chance.randrange(5):
        case 0 if items:
            del items[place - 1]
        case 1 if items:
            items[place - 1 : place] = [items[place - 1]] * chance.choice((2, 3, 300))
        case 2 if items and isinstance(items[place - 1], bytes):
            items[place - 1] = _other_bytes(items[place - 1], chance)
        case 3 if items:
            items[place - 1] = _any_item(stream, chance)
        case _:
            items.insert(place, _any_item(stream, chance))


def _any_item(stream: JavaStream, chance: random.Random) -> Item:
    """Return null, primitives, or any node of the stream: one above it makes a ring."""
    if chance.random() < 0.2:
        return None
    if chance.random() < 0.2:
        return chance.choice(_WORDS)
    nodes = [node for node in stream.nodes if not isinstance(node, ClassDesc)]
    return chance.choice(nodes) if nodes else None


def _other_bytes(data: object, chance: random.Random) -> bytes:
    assert isinstance(data, bytes)
    word = chance.choice(_WORDS)
    start = 4 * chance.randrange(max(1, len(data) // 4))
    return (data[:start] + word + data[start + 4 :])[: len(data)]


def _other_numbers(node: PrimitiveArray, chance: random.Random) -> bytes:
    size = max(1, node.desc.item_size)
    count = len(node.data) // size
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: b"",
        lambda: node.data[: chance.randint(0, count) * size],
        lambda: node.data + node.data[-size:] * chance.choice((1, 1000)),
        lambda: chance.randbytes(len(node.data)),
        lambda: pack(">d", float("nan"))[:size] * count,
        lambda: b"\x7f\xf0\0\0\0\0\0\0"[:size] * count,
        lambda: _other_bytes(node.data, chance),
    )
    return chance.choice(changes)()


def _change_class(node: ClassDesc, chance: random.Random) -> None:
    if chance.random() < 0.5:
        node.name = chance.choice(
            ("java.lang.Runtime", "[I", "[[[[[[[[I", "", "qupath.lib.roi.PolygonROI", node.name + "2")
        )
    else:
        node.uid = chance.getrandbits(63)
