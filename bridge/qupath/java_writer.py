"""Nodes → Java serialization stream, the exact inverse of ``java_reader``."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

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

_REFERENCE = Struct(">BI").pack
_OBJECT = Struct(">BBI").pack
_SHORT = Struct(">BH").pack
_LONG = Struct(">BQ").pack
_BLOCK = Struct(">BB").pack
_LONG_BLOCK = Struct(">BI").pack
_u2 = Struct(">H").pack
_u4 = Struct(">I").pack
_i8 = Struct(">q").pack


class _Mark:
    """What is written as it stands: an end mark, or primitives after an object field."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


_END = _Mark(bytes([TC_ENDBLOCKDATA]))
_EXTERNALIZED = (ANNOTATION,)


def write_stream(items: Sequence[Item]) -> bytes:
    """Write items as a whole stream; a node that was written before becomes a reference."""
    return _Writer().write(items)


class _Writer:
    __slots__ = ("_handles", "_out")

    def __init__(self) -> None:
        self._out = bytearray(MAGIC)
        self._handles: dict[Node, int] = {}

    def write(self, items: Sequence[Item]) -> bytes:
        """Write all items, the next one on top of ``work``; nothing recurses, and the loop is kept whole for speed."""
        out, handles = self._out, self._handles
        known = handles.get
        work: list[Item | _Mark] = list(reversed(items))
        while work:
            item = work.pop()
            kind = type(item)
            if item is None:
                out.append(TC_NULL)
            elif kind is bytes:
                size = len(item)  # type: ignore[arg-type] # mypy doesn't narrow by ``type``, which is faster here
                out += _BLOCK(TC_BLOCKDATA, size) if size < 256 else _LONG_BLOCK(TC_BLOCKDATALONG, size)
                out += item  # type: ignore[arg-type]
            elif kind is _Mark:
                out += item.data  # type: ignore[union-attr]
            elif (handle := known(item)) is not None:  # type: ignore[arg-type]
                out += _REFERENCE(TC_REFERENCE, handle)
            elif isinstance(item, JavaObject):
                desc = item.desc
                handle = known(desc)
                if handle is None:
                    out.append(TC_OBJECT)
                    self._write_class(desc)
                else:
                    out += _OBJECT(TC_OBJECT, TC_REFERENCE, handle)
                handles[item] = BASE_HANDLE + len(handles)
                if desc.flat_size >= 0:
                    out += item.parts[0]  # type: ignore[arg-type] # a flat object is one run of primitives
                elif desc.steps == _EXTERNALIZED:
                    work.append(_END)
                    work += item.parts[0][::-1]  # type: ignore[index,arg-type] # the one part is a list
                else:
                    self._write_parts(work, item)
            elif isinstance(item, PrimitiveArray):
                desc = item.desc
                handle = known(desc)
                if handle is None:
                    out.append(TC_ARRAY)
                    self._write_class(desc)
                else:
                    out += _OBJECT(TC_ARRAY, TC_REFERENCE, handle)
                handles[item] = BASE_HANDLE + len(handles)
                out += _u4(len(item.data) // desc.item_size)
                out += item.data
            elif isinstance(item, JavaString):
                handles[item] = BASE_HANDLE + len(handles)
                raw = item.raw
                size = len(raw)
                out += _SHORT(TC_STRING, size) if size < 0x10000 else _LONG(TC_LONGSTRING, size)
                out += raw
            elif isinstance(item, Reset):
                out.append(TC_RESET)
                handles.clear()
            else:
                self._write_other(work, item)  # type: ignore[arg-type]
        return bytes(out)

    def _write_parts(self, work: list[Item | _Mark], item: JavaObject) -> None:
        """Write the primitives that an object begins with and put the rest on top of the work."""
        parts, steps = item.parts, item.desc.steps or ()
        at = 0
        rest: list[Item | _Mark] = []
        for step in steps:
            part = parts[at]
            if step > 0:
                assert isinstance(part, bytes)
                if at:
                    rest.append(_Mark(part))
                else:
                    self._out += part
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

    def _write_other(self, work: list[Item | _Mark], item: ObjectArray | JavaEnum | JavaClass) -> None:
        out, handles, desc = self._out, self._handles, item.desc
        tag = TC_ENUM if isinstance(item, JavaEnum) else TC_CLASS if isinstance(item, JavaClass) else TC_ARRAY
        out.append(tag)
        self._write_class(desc)
        handles[item] = BASE_HANDLE + len(handles)
        if isinstance(item, ObjectArray):
            out += _u4(len(item.items))
            work += reversed(item.items)
        elif isinstance(item, JavaEnum):
            work.append(item.name)

    def _write_class(self, desc: ClassDesc | None) -> None:
        """Write a class and, after it, its superclasses."""
        out = self._out
        while desc is not None:
            handle = self._handles.get(desc)
            if handle is not None:
                out += _REFERENCE(TC_REFERENCE, handle)
                return
            out.append(TC_CLASSDESC)
            self._write_name(desc.name)
            out += _i8(desc.uid)
            self._handles[desc] = BASE_HANDLE + len(self._handles)
            out.append(desc.flags)
            out += _u2(len(desc.fields))
            for field in desc.fields:
                self._write_field(field)
            out.append(TC_ENDBLOCKDATA)
            desc = desc.superclass
        out.append(TC_NULL)

    def _write_name(self, name: str) -> None:
        raw = encode_text(name)
        self._out += _u2(len(raw))
        self._out += raw

    def _write_field(self, field: Field) -> None:
        self._out += field.code.encode()
        self._write_name(field.name)
        text = field.type_name
        if text is None:
            return
        handle = self._handles.get(text)
        if handle is not None:
            self._out += _REFERENCE(TC_REFERENCE, handle)
            return
        self._handles[text] = BASE_HANDLE + len(self._handles)
        size = len(text.raw)
        self._out += _SHORT(TC_STRING, size) if size < 0x10000 else _LONG(TC_LONGSTRING, size)
        self._out += text.raw
