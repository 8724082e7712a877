"""The nodes of a Java serialization stream, as data: nothing is ever loaded or run.

A stream is a sequence of items. An item is ``None`` (Java's null), ``bytes`` (block data: primitives that a class wrote
itself) or a node. Nodes have identity: a node that is met twice is one Python object, and is written out once and
referred to from then on, as Java does. That is why reading a stream and writing it again gives the same bytes.

Grammar and constants: *Java Object Serialization Specification*, version 2, chapter 6.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from bridge.qupath.java_class import PRIMITIVE_SIZES, ClassDesc
from bridge.qupath.java_text import JavaString

MAGIC = b"\xac\xed\x00\x05"
BASE_HANDLE = 0x7E0000

TC_NULL = 0x70
TC_REFERENCE = 0x71
TC_CLASSDESC = 0x72
TC_OBJECT = 0x73
TC_STRING = 0x74
TC_ARRAY = 0x75
TC_CLASS = 0x76
TC_BLOCKDATA = 0x77
TC_ENDBLOCKDATA = 0x78
TC_RESET = 0x79
TC_BLOCKDATALONG = 0x7A
TC_LONGSTRING = 0x7C
TC_ENUM = 0x7E

_PRIMITIVES = {code: Struct(f">{letter}") for code, letter in zip("BCDFIJSZ", "bHdfiqh?", strict=True)}


class JavaObject:
    """An object: its class, and what its class wrote.

    Attributes
    ----------
    parts
        One entry a step: ``bytes`` for a run of primitives, one item for each object field, a list of items for what a
        class wrote itself. An Externalizable object has one part, that list.
    """

    __slots__ = ("desc", "parts")

    def __init__(self, desc: ClassDesc, parts: list[Part]) -> None:
        self.desc = desc
        self.parts = parts

    def field(self, name: str) -> Item:
        """Return the item of an object field, None where the class has no such field."""
        slot = self.desc.slots.get(name)
        if slot is None or slot.code in PRIMITIVE_SIZES:
            return None
        part = self.parts[slot.part]
        return None if isinstance(part, list) else part

    def number(self, name: str) -> float | int | bool | None:
        """Return the value of a primitive field, None where the class has no such field."""
        slot = self.desc.slots.get(name)
        if slot is None or slot.code not in PRIMITIVE_SIZES:
            return None
        part = self.parts[slot.part]
        assert isinstance(part, bytes)
        value: float | int | bool = _PRIMITIVES[slot.code].unpack_from(part, slot.offset)[0]
        return value

    def written(self) -> list[Item]:
        """Return what the class wrote itself: the first list among the parts, else an empty one."""
        for part in self.parts:
            if isinstance(part, list):
                return part
        return []


class PrimitiveArray:
    """An array of primitives, kept as big-endian bytes."""

    __slots__ = ("data", "desc")

    def __init__(self, desc: ClassDesc, data: bytes) -> None:
        self.desc = desc
        self.data = data


class ObjectArray:
    """An array of objects."""

    __slots__ = ("desc", "items")

    def __init__(self, desc: ClassDesc, items: list[Item]) -> None:
        self.desc = desc
        self.items = items


class JavaEnum:
    """A constant of an enum."""

    __slots__ = ("desc", "name")

    def __init__(self, desc: ClassDesc, name: JavaString) -> None:
        self.desc = desc
        self.name = name


class JavaClass:
    """A class as a value."""

    __slots__ = ("desc",)

    def __init__(self, desc: ClassDesc) -> None:
        self.desc = desc


class Reset:
    """The mark after which nothing before may be referred to."""

    __slots__ = ()


Item = None | bytes | JavaString | JavaObject | PrimitiveArray | ObjectArray | JavaEnum | JavaClass | Reset
Node = JavaString | JavaObject | PrimitiveArray | ObjectArray | JavaEnum | JavaClass | ClassDesc
Part = Item | list[Item]


class JavaStream(NamedTuple):
    """A whole stream.

    Parameters
    ----------
    items
        What was written at the top, in order.
    nodes
        Every node met, class descriptions included, in the order of their first appearance.
    """

    items: list[Item]
    nodes: list[Node]
