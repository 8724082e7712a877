"""The part of the stream reader that steps through bytes: sizes, texts, references, class descriptions."""

from __future__ import annotations

from struct import Struct
from typing import TypeVar

from bridge.errors import QuPathFormatError
from bridge.qupath.java_class import PRIMITIVE_SIZES, ClassDesc, Field
from bridge.qupath.java_stream import (
    BASE_HANDLE,
    MAGIC,
    TC_CLASSDESC,
    TC_ENDBLOCKDATA,
    TC_LONGSTRING,
    TC_NULL,
    TC_REFERENCE,
    TC_STRING,
    Node,
)
from bridge.qupath.java_text import JavaString, encode_text

MAX_CLASSES = 10_000  # real files describe some 40
MAX_LINEAGE = 32  # superclasses above one another
MAX_FIELDS = 1_000  # of a class and its superclasses

_u2 = Struct(">H").unpack_from
_u4 = Struct(">I").unpack_from
_u8 = Struct(">Q").unpack_from
_i8 = Struct(">q").unpack_from

_NodeT = TypeVar("_NodeT", bound=Node)


class ClassReader:
    """A position in the bytes of a stream, and the nodes that a reference may lead to."""

    __slots__ = ("_classes", "_data", "_handles", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = len(MAGIC)
        self._handles: list[Node] = []
        self._classes = 0

    def _refuse(self, what: str, pos: int) -> QuPathFormatError:
        return QuPathFormatError(f"{what} (byte {pos} of {len(self._data)})")

    def _take(self, size: int) -> bytes:
        """Return the next bytes and step over them."""
        start, end = self._pos, self._pos + size
        if end > len(self._data):
            raise self._refuse(f"the stream is cut short: {size} bytes announced", start)
        self._pos = end
        return self._data[start:end]

    def _remember(self, node: _NodeT) -> _NodeT:
        self._handles.append(node)
        return node

    def _read_string(self) -> JavaString:
        """Read a string where the grammar allows nothing else: in full or as a reference."""
        start = self._pos
        tag = self._data[start]
        self._pos += 1
        if tag == TC_STRING:
            return self._remember(JavaString(self._take(_u2(self._take(2))[0])))
        if tag == TC_LONGSTRING:
            return self._remember(JavaString(self._take_long(_u8(self._take(8))[0], 0xFFFF)))
        node = self._read_handle() if tag == TC_REFERENCE else None
        if not isinstance(node, JavaString):
            raise self._refuse("something else where a text belongs", start)
        return node

    def _take_long(self, size: int, longest_short: int) -> bytes:
        """Return the next bytes, announced in the form for many."""
        if size <= longest_short:
            raise self._refuse(f"{size} bytes in the form for more than {longest_short}", self._pos)
        return self._take(size)

    def _read_handle(self) -> Node:
        index: int = _u4(self._take(4))[0] - BASE_HANDLE
        if not 0 <= index < len(self._handles):
            raise self._refuse("a reference leads nowhere", self._pos - 5)
        return self._handles[index]

    def _read_class(self, pos: int) -> ClassDesc:
        """Read the class of an object, in full or as a reference; ``_pos`` is behind it then."""
        self._pos = pos
        desc = self._read_class_or_null()
        if desc is None:
            raise self._refuse("an object without class", pos)
        return desc

    def _read_class_or_null(self) -> ClassDesc | None:
        """Read a class with its superclasses; they follow one another, so no recursion is needed."""
        chain: list[tuple[ClassDesc, int, tuple[Field, ...]]] = []
        while True:
            start = self._pos
            tag = self._data[start]
            self._pos += 1
            if tag != TC_CLASSDESC:
                break
            chain.append(self._read_description())
            if len(chain) > MAX_LINEAGE:
                raise self._refuse(f"more than {MAX_LINEAGE} superclasses", start)
        above = self._known_class(tag, start)
        for desc, flags, fields in reversed(chain):
            self._complete(desc, flags, fields, above)
            above = desc
        return above

    def _known_class(self, tag: int, start: int) -> ClassDesc | None:
        if tag == TC_NULL:
            return None
        node = self._read_handle() if tag == TC_REFERENCE else None
        if not isinstance(node, ClassDesc) or node.steps is None:
            raise self._refuse("something else where a class belongs", start)
        return node

    def _complete(self, desc: ClassDesc, flags: int, fields: tuple[Field, ...], above: ClassDesc | None) -> None:
        try:
            desc.complete(flags, fields, above)
        except QuPathFormatError as error:
            raise self._refuse(error.message, self._pos) from error
        lineage = tuple(desc.lineage())
        if len(lineage) > MAX_LINEAGE or sum(len(level.fields) for level in lineage) > MAX_FIELDS:
            raise self._refuse(f"class {desc.name[:80]!r} has too many superclasses or fields", self._pos)

    def _read_description(self) -> tuple[ClassDesc, int, tuple[Field, ...]]:
        """Read a description after its tag, up to its superclass: (description, flags, fields)."""
        self._classes += 1
        if self._classes > MAX_CLASSES:
            raise self._refuse(f"more than {MAX_CLASSES} classes", self._pos)
        name = self._read_name()
        desc = self._remember(ClassDesc(name, _i8(self._take(8))[0]))
        flags = self._take(1)[0]
        fields = tuple(self._read_field() for _ in range(_u2(self._take(2))[0]))
        if self._take(1)[0] != TC_ENDBLOCKDATA:
            raise self._refuse(f"class {name[:80]!r} is annotated, which QuPath doesn't do", self._pos - 1)
        return desc, flags, fields

    def _read_field(self) -> Field:
        code = chr(self._take(1)[0])
        name = self._read_name()
        if code in PRIMITIVE_SIZES:
            return Field(code, name)
        if code not in "L[":
            raise self._refuse(f"a field of unknown type {code!r}", self._pos)
        return Field(code, name, self._read_string())

    def _read_name(self) -> str:
        start = self._pos
        raw = self._take(_u2(self._take(2))[0])
        name = JavaString(raw).text if raw.isascii() else raw.decode("utf-8", "replace")
        if encode_text(name) != raw:
            raise self._refuse("a name that is no Java name", start)
        return name
