"""QuPath's objects in the graph: where each of their fields lies, and the tree that they make.

An object is Externalizable: one list of items for its whole class chain. In order: name, colour, metadata (absent in
some files of QuPath 0.2 and 0.3), measurements, a block with the number of children, the children; then, for all but
the root, locked (absent in very old files), class, ROI, a block with the class probability; then a cell's nucleus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct, pack

from bridge.annotations import ObjectKind
from bridge.errors import QuPathFormatError
from bridge.qupath.java_class import ClassDesc
from bridge.qupath.java_stream import Item, JavaObject, ObjectArray, PrimitiveArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_values import PAIR, Allowance, list_items, numbers, text_or_none

OBJECT_ID = "Object ID"  # metadata key that holds the UUID
PACKAGE = "qupath.lib.objects."
METADATA_MAP = PACKAGE + "MetadataMap"

_ROOT = PACKAGE + "PathRootObject"
_OBJECT_ID = OBJECT_ID.encode()
_KINDS = {
    PACKAGE + "PathAnnotationObject": ObjectKind.ANNOTATION,
    PACKAGE + "PathTileObject": ObjectKind.TILE,
    PACKAGE + "PathCellObject": ObjectKind.CELL,
    PACKAGE + "PathDetectionObject": ObjectKind.DETECTION,
    PACKAGE + "TMACoreObject": ObjectKind.TMA_CORE,
}
_i4 = Struct(">i").unpack_from
_f8 = Struct(">d").unpack_from


class PathObject:
    """One object, opened: its items by name.

    Attributes
    ----------
    node
        The object in the graph.
    items
        What it wrote, the list in the graph itself.
    count_at
        Index in ``items`` of the block with the number of children; the children follow it.
    class_at
        Index in ``items`` of the class; it holds until the number of children is changed.
    probability
        Of the class; NaN for none.
    """

    __slots__ = (
        "children",
        "class_at",
        "color",
        "count_at",
        "is_locked",
        "is_missing",
        "items",
        "measurements",
        "metadata",
        "name",
        "node",
        "nucleus",
        "path_class",
        "probability",
        "roi",
    )

    def __init__(self, node: JavaObject) -> None:
        items = node.written()
        self.node = node
        self.items = items
        at, count = _find_count(node, items)
        self.count_at = at
        end = at + 1 + count
        self.name = items[0]
        self.color = items[1]
        third = items[2]
        self.metadata: JavaObject | None = None
        if isinstance(third, JavaObject) and third.desc.name == METADATA_MAP:
            self.metadata = third
        self.measurements = items[3] if at == 4 else third if self.metadata is None else None
        self.children = items[at + 1 : end] if count else []
        self._open_roi_part(end)

    def _open_roi_part(self, at: int) -> None:
        """Open what an object with a ROI writes after its children."""
        items = self.items
        lock = items[at] if at < len(items) else None
        self.is_locked = False
        if isinstance(lock, JavaObject) and lock.desc.name == "java.lang.Boolean":
            self.is_locked = lock.parts[-1:] == [b"\x01"]
            at += 1
        self.class_at = at
        rest = items[at : at + 4]
        self.path_class = rest[0] if rest else None
        self.roi = rest[1] if len(rest) > 1 else None
        block = rest[2] if len(rest) > 2 else None
        self.nucleus = rest[3] if len(rest) > 3 else None
        is_whole = isinstance(block, bytes) and len(block) >= 8
        self.probability: float = _f8(block)[0] if is_whole else float("nan")  # type: ignore[arg-type]
        self.is_missing = isinstance(block, bytes) and block[8:9] == b"\x01"  # TMA cores only

    def replace_children(self, children: Sequence[Item]) -> None:
        """Write other children into the graph; indices of what follows them are void from then on."""
        at, block = self.count_at, self.items[self.count_at]
        assert isinstance(block, bytes)
        self.items[at : at + 1 + len(self.children)] = [pack(">i", len(children)) + block[4:], *children]
        self.children = list(children)


def _find_count(node: JavaObject, items: list[Item]) -> tuple[int, int]:
    """Return where the number of children is, and the number itself."""
    for at in (4, 3):  # with and without metadata
        block = items[at] if at < len(items) else None
        if isinstance(block, bytes) and len(block) >= 4:
            count: int = _i4(block)[0]
            if 0 <= count < len(items) - at:
                return at, count
    raise _malformed(node)


def _malformed(node: JavaObject) -> QuPathFormatError:
    name = node.desc.name.rpartition(".")[2]
    return QuPathFormatError(
        f"an object of class {name[:80]!r} is not laid out as QuPath does; save the image again in QuPath"
    )


def kind_of(desc: ClassDesc) -> ObjectKind:
    """Return the kind of object that a class makes; a class that we don't know is what its superclass is.

    Raises
    ------
    QuPathFormatError
        Neither the class nor a superclass of it is one of QuPath's objects.
    """
    for level in desc.lineage():
        if level.name in _KINDS:
            return _KINDS[level.name]
    raise QuPathFormatError(f"class {desc.name[:80]!r} among the objects is not one of QuPath's")


def open_root(node: JavaObject) -> PathObject:
    """Open the root object.

    Raises
    ------
    QuPathFormatError
        The node is something else.
    """
    if node.desc.name != _ROOT:
        raise _malformed(node)
    return PathObject(node)


def walk(root: PathObject) -> Iterator[tuple[PathObject, PathObject]]:
    """Yield (object, parent) for each object below the root, parents first, in the file's order.

    Raises
    ------
    QuPathFormatError
        Something in the tree is no object, or an object is met twice.
    """
    seen: set[JavaObject] = {root.node}
    work: list[tuple[Item, PathObject]] = [(child, root) for child in reversed(root.children)]
    while work:
        node, parent = work.pop()
        if not isinstance(node, JavaObject) or node in seen:
            raise _no_tree()
        seen.add(node)
        opened = PathObject(node)
        yield opened, parent
        if opened.children:
            work += [(child, opened) for child in reversed(opened.children)]


def ids_below(root: PathObject) -> list[str]:
    """Return the UUIDs of all objects below the root in the order of ``walk``, empty for one without.

    Far quicker than to walk, for no object is opened.

    Raises
    ------
    QuPathFormatError
        As ``walk``.
    """
    found: list[str] = []
    seen: set[JavaObject] = {root.node}
    work: list[Item] = root.children[::-1]
    while work:
        node = work.pop()
        if not isinstance(node, JavaObject) or node in seen:
            raise _no_tree()
        seen.add(node)
        items = node.written()
        at, count = _find_count(node, items)
        third = items[2]
        has_metadata = isinstance(third, JavaObject) and third.desc.name == METADATA_MAP
        found.append((id_of(third) or "") if has_metadata else "")  # type: ignore[arg-type] # an object, as it says
        if count:
            work += items[at + count : at : -1]
    return found


def _no_tree() -> QuPathFormatError:
    return QuPathFormatError("the object hierarchy is no tree; save the image again in QuPath")


def metadata_items(metadata: JavaObject | None) -> tuple[list[Item], list[Item]]:
    """Return the keys and the values of a ``MetadataMap``: the lists in the graph itself."""
    written = metadata.written() if metadata is not None else []
    if len(written) < 3 or not isinstance(written[1], ObjectArray) or not isinstance(written[2], ObjectArray):
        return [], []
    return written[1].items, written[2].items


def id_of(metadata: JavaObject | None) -> str | None:
    """Return the UUID that a ``MetadataMap`` holds, None where it holds none; the last one counts, as in a map."""
    keys, values = metadata_items(metadata)
    for place in range(min(len(keys), len(values)) - 1, -1, -1):
        key, value = keys[place], values[place]
        if isinstance(key, JavaString) and key.raw == _OBJECT_ID and isinstance(value, JavaString):
            return value.text
    return None


def read_metadata(metadata: JavaObject | None, allowance: Allowance) -> dict[str, str]:
    """Return a ``MetadataMap`` as texts, the UUID under ``OBJECT_ID`` included."""
    keys, values = metadata_items(metadata)
    allowance.spend(PAIR * len(keys))
    found = {}
    for key, value in zip(keys, values, strict=False):
        if isinstance(key, JavaString) and isinstance(value, JavaString):
            found[key.text] = value.text
    return found


def read_measurements(item: Item, allowance: Allowance) -> dict[str, float]:
    """Return any of QuPath's measurement lists by name; float32 values are exact."""
    if not isinstance(item, JavaObject):
        return {}
    values = item.field("values")
    entries = list_items(item.field("list") if values is None else item.field("names"))
    allowance.spend(PAIR * len(entries))
    if isinstance(values, PrimitiveArray):
        allowance.spend(len(values.data))
        pairs = zip(map(text_or_none, entries), numbers(values), strict=False)
        return {name: value for name, value in pairs if name is not None}
    found = {}
    for entry in entries:
        name = text_or_none(entry.field("name")) if isinstance(entry, JavaObject) else None
        number = entry.number("value") if isinstance(entry, JavaObject) else None
        if name is not None and number is not None:
            found[name] = float(number)
    return found
