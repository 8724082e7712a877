"""Java serialization stream → nodes.

The bytes are hostile until proven otherwise: nothing recurses, no size is believed before it was compared with the
bytes that are left, and whatever Java would not write is refused with the byte where it was met.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class in small letters

from bridge.errors import QuPathFormatError
from bridge.qupath.java_class import ClassDesc
from bridge.qupath.java_class_reader import ClassReader
from bridge.qupath.java_stream import (
    BASE_HANDLE,
    MAGIC,
    TC_ARRAY,
    TC_BLOCKDATA,
    TC_BLOCKDATALONG,
    TC_CLASS,
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
    JavaStream,
    Node,
    ObjectArray,
    Part,
    PrimitiveArray,
    Reset,
)
from bridge.qupath.java_text import JavaString

MAX_DEPTH = 100_000  # objects inside objects; QuPath's own reader gives up below 1,000

Instance = JavaString | JavaObject | PrimitiveArray | ObjectArray | JavaEnum | JavaClass  # what may be referred to
_WITH_CLASS = (TC_OBJECT, TC_ARRAY)
_u2 = Struct(">H").unpack_from
_u4 = Struct(">I").unpack_from
_u8 = Struct(">Q").unpack_from


def read_stream(data: bytes) -> JavaStream:
    """Read a whole stream; what comes back gives the same bytes when it is written.

    Raises
    ------
    QuPathFormatError
        Not a Java stream, cut short, followed by other bytes, or beyond the limits of this module. The message names
        the byte.
    """
    if not data.startswith(MAGIC):
        raise QuPathFormatError("this is no Java serialization stream (byte 0)")
    return _Reader(data).read()


class _Reader(ClassReader):
    __slots__ = ("_earlier", "_known", "_referred")

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        # By the bytes that refer to them: most references are to the same few nodes.
        self._known: dict[bytes, ClassDesc] = {}
        self._referred: dict[bytes, Instance] = {}
        self._earlier: list[Node] = []

    def read(self) -> JavaStream:
        try:
            items = self._read_items()
        except (IndexError, StructError):
            raise self._refuse("the stream is cut short", len(self._data)) from None
        return JavaStream(items, self._earlier + self._handles)

    def _read_items(self) -> list[Item]:
        """Read all items, in one loop that is kept whole for speed.

        One turn of the loop reads one item into ``out``, which still takes ``left`` items (negative: until the end
        mark). ``stack`` holds the same five variables for each object that encloses this one.
        """
        data, size, handles = self._data, len(self._data), self._handles
        pos = self._pos
        top: list[Item] = []
        out: list[Item] = top
        left = -1
        parts: list[Part] = []
        steps: tuple[int, ...] = ()
        step = 0
        stack: list[tuple[list[Item], int, list[Part], tuple[int, ...], int]] = []
        known, referred = self._known, self._referred
        while pos < size:
            tag = data[pos]
            if tag == TC_REFERENCE:
                start, pos = pos, pos + 5
                node = referred.get(data[start:pos])
                if node is None:
                    node = referred[data[start:pos]] = self._read_reference(start)
                out.append(node)
                left -= 1
            elif tag == TC_NULL:
                out.append(None)
                pos += 1
                left -= 1
            elif tag in _WITH_CLASS:
                start, pos = pos + 1, pos + 6
                desc = known.get(data[start:pos])
                if desc is None:
                    desc = self._read_class(start)
                    if data[start] == TC_REFERENCE:
                        known[data[start:pos]] = desc
                    pos = self._pos
                if tag == TC_ARRAY and desc.item_size > 0:
                    start, pos = pos + 4, pos + 4 + _u4(data, pos)[0] * desc.item_size
                    if pos > size:
                        raise self._refuse_array(desc, start)
                    numbers = PrimitiveArray(desc, data[start:pos])
                    handles.append(numbers)
                    out.append(numbers)
                    left -= 1
                elif tag == TC_ARRAY:
                    array, count = self._open_array(desc, pos)
                    pos += 4
                    handles.append(array)
                    out.append(array)
                    left -= 1
                    if count:
                        stack.append((out, left, parts, steps, step))
                        out, left, parts, steps, step = array.items, count, [], (), 0
                else:
                    found: list[Part] = []
                    item = JavaObject(desc, found)
                    handles.append(item)
                    out.append(item)
                    flat = desc.flat_size
                    if flat >= 0:
                        found.append(data[pos : pos + flat])
                        pos += flat
                        left -= 1
                    else:
                        stack.append((out, left - 1, parts, steps, step))
                        parts, steps, step, left = found, desc.steps or (), 0, 0
                if len(stack) > MAX_DEPTH:
                    raise self._refuse(f"more than {MAX_DEPTH} objects inside one another", pos)
            elif tag == TC_STRING:
                end = pos + 3 + _u2(data, pos + 1)[0]
                text = JavaString(data[pos + 3 : end])
                handles.append(text)
                out.append(text)
                pos = end
                left -= 1
            elif tag == TC_ENDBLOCKDATA:
                if left >= 0 or not stack:
                    raise self._refuse("an end mark where nothing ends", pos)
                pos += 1
                left = 0
            elif tag == TC_BLOCKDATA:
                end = pos + 2 + data[pos + 1]
                out.append(data[pos + 2 : end])
                pos = end
                left -= 1
            else:
                self._pos = pos
                out.append(self._read_rare(tag, is_top=not stack))
                pos = self._pos
                left -= 1
            while left == 0:  # the run of items is complete: the object's next step, or up
                if step == len(steps):
                    out, left, parts, steps, step = stack.pop()
                    continue
                width = steps[step]
                step += 1
                if width > 0:
                    parts.append(data[pos : pos + width])
                    pos += width
                elif width < 0:
                    out, left = parts, -width  # type: ignore[assignment] # items are parts
                else:
                    out, left = [], -1
                    parts.append(out)
        if stack or pos != size:
            raise self._refuse("the stream is cut short", size)
        return top

    def _read_reference(self, pos: int) -> Instance:
        index: int = _u4(self._data, pos + 1)[0] - BASE_HANDLE
        if not 0 <= index < len(self._handles):
            raise self._refuse("a reference leads nowhere", pos)
        node = self._handles[index]
        if isinstance(node, ClassDesc):
            raise self._refuse("a reference leads to the description of a class", pos)
        return node

    def _open_array(self, desc: ClassDesc, pos: int) -> tuple[ObjectArray, int]:
        """Read an array of objects up to its items: (array, number of items still to be read)."""
        count: int = _u4(self._data, pos)[0]
        if desc.item_size or count > len(self._data) - pos - 4:
            raise self._refuse_array(desc, pos + 4)
        return ObjectArray(desc, []), count

    def _refuse_array(self, desc: ClassDesc, pos: int) -> QuPathFormatError:
        """Return the error for an array whose items would begin at ``pos``."""
        count = _u4(self._data, pos - 4)[0]
        return self._refuse(f"{count} elements announced for an array {desc.name[:80]!r}, more than can be", pos - 4)

    def _read_rare(self, tag: int, *, is_top: bool) -> Item:
        start = self._pos
        self._pos += 1
        if tag == TC_ENUM:
            return self._read_enum()
        if tag == TC_LONGSTRING:
            return self._remember(JavaString(self._take_long(_u8(self._take(8))[0], 0xFFFF)))
        if tag == TC_BLOCKDATALONG:
            return self._take_long(_u4(self._take(4))[0], 0xFF)
        if tag == TC_CLASS:
            return self._remember(JavaClass(self._read_class(self._pos)))
        if tag == TC_RESET and is_top:
            self._earlier += self._handles
            self._handles.clear()
            self._known.clear()
            self._referred.clear()
            return Reset()
        raise self._refuse(f"unknown tag {tag:#04x}", start)

    def _read_enum(self) -> JavaEnum:
        constant = self._remember(JavaEnum(self._read_class(self._pos), JavaString(b"")))
        constant.name = self._read_string()
        return constant
