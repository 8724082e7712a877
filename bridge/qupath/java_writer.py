"""Nodes → Java serialization stream, the exact inverse of ``java_reader``."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

from bridge.qupath.java_class import ANNOTATION, ClassDesc, Field
from bridge.qupath.java_stream import (
    BASE_HANDLE,
    MAGIC,
    TC_ARRAY,
    TC_BLOCKDATA,
    TC_BLOCKDATALONG,
    TC_CLASS,
    TC_CLASSDESC,
    TC_ENDBLOCKDATA,
    TC_ENUM,
    TC_LONGSTRING,
    TC_NULL,
    TC_OBJECT,
    TC_REFERENCE,
    TC_RESET,
    TC_STRING,
    Item,
    JavaClass,
    JavaEnum,
    JavaObject,
    Node,
    ObjectArray,
    PrimitiveArray,
    Reset,
)
from bridge.qupath.java_text import JavaString, encode_text
from bridge.qupath.java_work import Mark, Stop, Work

_REFERENCE = Struct(">BI").pack
_OBJECT = Struct(">BBI").pack
_SHORT = Struct(">BH").pack
_LONG = Struct(">BQ").pack
_BLOCK = Struct(">BB").pack
_LONG_BLOCK = Struct(">BI").pack
_u2 = Struct(">H").pack
_u4 = Struct(">I").pack
_i8 = Struct(">q").pack


_END = Mark(bytes([TC_ENDBLOCKDATA]))
_EXTERNALIZED = (ANNOTATION,)


def write_stream(items: Sequence[Item]) -> bytes:
    """Write items as a whole stream; a node that was written before becomes a reference."""
    writer = StreamWriter()
    writer.write(items)
    return bytes(writer.out)


class StreamWriter:
    """What was written so far, and the number of each node in it.

    Parameters
    ----------
    stops
        All of one object, in the order of its items.

    Attributes
    ----------
    out
        The bytes.
    handles
        Node → its number, in the order of the numbers.
    is_reset
        Some numbers were given twice.
    """

    __slots__ = ("_stops", "handles", "is_reset", "out")

    def __init__(self, stops: Sequence[Stop] = ()) -> None:
        self.out = bytearray(MAGIC)
        self.handles: dict[Node, int] = {}
        self.is_reset = False
        self._stops = stops

    def write(self, items: Sequence[Item]) -> None:
        """Write all items."""
        self.work_off(list(reversed(items)))

    def work_off(self, work: list[Work]) -> None:
        """Write what is left of some items, the last one first; nothing recurses, the loop is kept whole for speed."""
        out, handles = self.out, self.handles
        known, pop = handles.get, work.pop
        object_heads: dict[ClassDesc, bytes] = {}  # what an object of a class begins with, once the class is written
        array_heads: dict[ClassDesc, bytes] = {}
        stopping = self._stops[0].owner if self._stops else None
        while work:
            item: Any = pop()  # Any: mypy doesn't narrow by ``type``, which is faster here
            kind = type(item)
            if item is None:
                out.append(TC_NULL)
            elif kind is bytes:
                size = len(item)
                out += _BLOCK(TC_BLOCKDATA, size) if size < 256 else _LONG_BLOCK(TC_BLOCKDATALONG, size)
                out += item
            elif kind is Mark:
                out += item.data
            elif (handle := known(item)) is not None:
                out += _REFERENCE(TC_REFERENCE, handle)
            elif kind is JavaObject:
                desc = item.desc
                out += object_heads.get(desc) or self._head(TC_OBJECT, desc, object_heads)
                handles[item] = BASE_HANDLE + len(handles)
                if desc.flat_size >= 0:
                    out += item.parts[0]  # a flat object is one run of primitives
                elif desc.steps == _EXTERNALIZED:
                    parts = item.parts[0]  # the one part is a list
                    work.append(_END)
                    work += parts[::-1]
                    if item is stopping:
                        self._put_stops(work, len(parts))
                else:
                    self._write_parts(work, item)
            elif kind is JavaString:
                handles[item] = BASE_HANDLE + len(handles)
                raw = item.raw
                size = len(raw)
                out += _SHORT(TC_STRING, size) if size < 0x10000 else _LONG(TC_LONGSTRING, size)
                out += raw
            elif kind is PrimitiveArray:
                desc, data = item.desc, item.data
                out += array_heads.get(desc) or self._head(TC_ARRAY, desc, array_heads)
                handles[item] = BASE_HANDLE + len(handles)
                out += _u4(len(data) // desc.item_size)
                out += data
            elif kind is ObjectArray:
                desc = item.desc
                out += array_heads.get(desc) or self._head(TC_ARRAY, desc, array_heads)
                handles[item] = BASE_HANDLE + len(handles)
                out += _u4(len(item.items))
                work += item.items[::-1]
            elif kind is Reset:
                out.append(TC_RESET)
                handles.clear()
                object_heads.clear()
                array_heads.clear()
                self.is_reset = True
            elif kind is Stop:
                item.size, item.handles = len(out), len(handles)
            else:
                self._write_other(work, item)

    def _head(self, tag: int, desc: ClassDesc, heads: dict[ClassDesc, bytes]) -> bytes:
        """Return what an object or array of a class begins with; where the class is new, it is written with it."""
        handle = self.handles.get(desc)
        if handle is None:
            self.out.append(tag)
            self._write_class(desc)
            return b""
        head = heads[desc] = _OBJECT(tag, TC_REFERENCE, handle)
        return head

    def _put_stops(self, work: list[Work], count: int) -> None:
        """Put stops between the items of an object, which are the last ``count`` of the work."""
        rest = work[: len(work) - count]
        for stop in reversed(self._stops):
            work.insert(len(work) - stop.at, stop)
            stop.work = list(rest)

    def _write_parts(self, work: list[Work], item: JavaObject) -> None:
        """Write the primitives that an object begins with and put the rest on top of the work."""
        parts, steps = item.parts, item.desc.steps or ()
        at = 0
        rest: list[Work] = []
        for step in steps:
            part = parts[at]
            if step > 0:
                assert isinstance(part, bytes)
                if at:
                    rest.append(Mark(part))
                else:
                    self.out += part
                at += 1
            elif step:
                rest += parts[at : at - step]  # type: ignore[arg-type] # these steps are items
                at -= step
            else:
                rest += part  # type: ignore[arg-type] # this step is a list
                rest.append(_END)
                at += 1
        rest.reverse()
        work += rest

    def _write_other(self, work: list[Work], item: JavaEnum | JavaClass) -> None:
        self.out.append(TC_ENUM if isinstance(item, JavaEnum) else TC_CLASS)
        self._write_class(item.desc)
        self.handles[item] = BASE_HANDLE + len(self.handles)
        if isinstance(item, JavaEnum):
            work.append(item.name)

    def _write_class(self, desc: ClassDesc | None) -> None:
        """Write a class and, after it, its superclasses."""
        out = self.out
        while desc is not None:
            handle = self.handles.get(desc)
            if handle is not None:
                out += _REFERENCE(TC_REFERENCE, handle)
                return
            out.append(TC_CLASSDESC)
            self._write_name(desc.name)
            out += _i8(desc.uid)
            self.handles[desc] = BASE_HANDLE + len(self.handles)
            out.append(desc.flags)
            out += _u2(len(desc.fields))
            for field in desc.fields:
                self._write_field(field)
            out.append(TC_ENDBLOCKDATA)
            desc = desc.superclass
        out.append(TC_NULL)

    def _write_name(self, name: str) -> None:
        raw = encode_text(name)
        self.out += _u2(len(raw))
        self.out += raw

    def _write_field(self, field: Field) -> None:
        self.out += field.code.encode()
        self._write_name(field.name)
        text = field.type_name
        if text is None:
            return
        handle = self.handles.get(text)
        if handle is not None:
            self.out += _REFERENCE(TC_REFERENCE, handle)
            return
        self.handles[text] = BASE_HANDLE + len(self.handles)
        size = len(text.raw)
        self.out += _SHORT(TC_STRING, size) if size < 0x10000 else _LONG(TC_LONGSTRING, size)
        self.out += text.raw
