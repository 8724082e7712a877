"""Our changes to a ``data.qpdata``: delete and promote our own objects, append new ones; the rest stays as it came in.

The whole file is a graph that is read, changed and written again, which moves references but nothing else. Appending
objects and deleting them again gives the original bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from struct import pack

from bridge.annotations import Edits, Rgb
from bridge.errors import QuPathFormatError
from bridge.qupath.collector import collector_paused
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_rewriter import Rewriter
from bridge.qupath.java_stream import Item, JavaObject, ObjectArray
from bridge.qupath.java_values import text_or_none
from bridge.qupath.own_objects import build_objects
from bridge.qupath.path_objects import PathObject, id_of, metadata_items, open_root, walk
from bridge.qupath.qpdata import WRITABLE_VERSION, WRITE_MARKER, QpData, open_qpdata
from bridge.qupath.read import OWN_KEY

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def apply_edits(data: bytes, edits: Edits) -> bytes:
    """Return the file with the edits made and nothing else changed.

    Children of a deleted object move up into its place. New objects come after everything else, below the root. An
    empty ``edits.write_marker`` takes the marker out of the file.

    Raises
    ------
    QuPathFormatError
        The file is cut short, of a version that we don't write, not reproduced byte for byte, or lacks one of our
        objects that the edits name.
    InvalidGeometryError
        A new object has a geometry that QuPath can't hold.
    """
    with collector_paused():
        written, expected = _edited(data, edits)  # the first graph is gone before the second one comes: half the memory
        if _Tree(open_qpdata(written)).ids() != expected:
            raise QuPathFormatError("reading back what was to be written gave other objects; nothing was written")
        return written


def _edited(data: bytes, edits: Edits) -> tuple[bytes, Counter[str]]:
    """Return the edited file and the ids that must be in it."""
    qpdata = open_qpdata(data)
    tree = _Tree(qpdata)
    rewriter = faithful_rewriter(qpdata, data, tree.untouched_children(edits))
    expected = tree.ids_after(edits)
    builder = GraphBuilder(qpdata.stream.nodes)
    changed = tree.changed_nodes(edits)
    for object_id, (path_class, color) in edits.promote.items():
        _promote(builder, tree.own(object_id), path_class, color)
    tree.delete(edits.delete)
    if edits.add:
        tree.append(build_objects(builder, edits.add, edits.write_marker))
    _set_marker(builder, qpdata, edits.write_marker)
    return rewriter.write_again(changed if qpdata.properties is None else [*changed, qpdata.properties]), expected


def faithful_rewriter(qpdata: QpData, data: bytes, untouched: int) -> Rewriter:
    """Return what writes a file again, having seen that it gives the bytes that were read.

    Parameters
    ----------
    untouched
        So many of the root's first children, and all below them, will stay as they are.

    Raises
    ------
    QuPathFormatError
        Another data version, or not reproduced byte for byte.
    """
    if qpdata.version != WRITABLE_VERSION:
        raise QuPathFormatError(
            f"data version {qpdata.version} (QuPath 0.2) is read only;"
            " open the image in QuPath 0.4 or later and save it there"
        )
    head = open_root(qpdata.root).count_at + 1
    rewriter = Rewriter(qpdata.stream.items, qpdata.root, head, head + untouched)
    if not rewriter.is_as(data):
        raise QuPathFormatError("the file is not reproduced byte for byte; save the image again in QuPath")
    return rewriter


class _Tree:
    """The objects of a file by id, and their order."""

    def __init__(self, qpdata: QpData) -> None:
        self._root = open_root(qpdata.root)
        self._pairs = list(walk(self._root))
        self._named: dict[str, list[PathObject]] = {}
        for opened, _ in self._pairs:
            self._named.setdefault(id_of(opened.metadata) or "", []).append(opened)

    def ids(self) -> Counter[str]:
        """Return how many objects have each id; objects without one count under the empty text."""
        return Counter({object_id: len(found) for object_id, found in self._named.items()})

    def ids_after(self, edits: Edits) -> Counter[str]:
        """Return the ids that the edited file will have.

        Raises
        ------
        QuPathFormatError
            An object to be changed is not there, or not ours; a new one is there already, or its id is no UUID.
        """
        both = edits.delete & edits.promote.keys()
        if both:
            raise QuPathFormatError(f"object {min(both)} is to be deleted and promoted at once")
        for object_id in (*edits.delete, *edits.promote):
            self.own(object_id)
        after = self.ids()
        after.subtract(edits.delete)
        for item in edits.add:
            if after[item.object_id] > 0 or not _UUID.fullmatch(item.object_id):
                raise QuPathFormatError(f"object {item.object_id} is in the file already, or its id is no UUID")
            after[item.object_id] += 1
        return +after

    def untouched_children(self, edits: Edits) -> int:
        """Return how many of the root's children come before the first one in which something changes."""
        names = edits.delete | edits.promote.keys()
        touched = {opened.node for name in names for opened in self._named.get(name, ())}
        children = 0
        for opened, parent in self._pairs if touched else ():
            children += parent is self._root
            if opened.node in touched:
                return children - 1
        return len(self._root.children)

    def changed_nodes(self, edits: Edits) -> list[JavaObject]:
        """Return the objects that ``delete`` and ``_promote`` will change, but for the root."""
        gone = {self.own(object_id).node for object_id in edits.delete}
        parents = {parent.node for opened, parent in self._pairs if opened.node in gone}
        return [*(self.own(name).node for name in edits.promote), *(parents - gone - {self._root.node})]

    def own(self, object_id: str) -> PathObject:
        """Return the one object of an id.

        Raises
        ------
        QuPathFormatError
            There is none, more than one, or it doesn't bear our metadata key.
        """
        found = self._named.get(object_id, [])
        if len(found) != 1 or not _is_ours(found[0]):
            what = "is not ours" if len(found) == 1 else f"is in the file {len(found)} times"
            raise QuPathFormatError(f"object {object_id} {what}; read the file again before changing it")
        return found[0]

    def delete(self, object_ids: frozenset[str]) -> None:
        """Take objects out; their children move up into their place."""
        gone = {self.own(object_id).node: self.own(object_id) for object_id in object_ids}
        parents = {parent.node: parent for opened, parent in self._pairs if opened.node in gone}
        for parent in parents.values():
            if parent.node not in gone:
                parent.replace_children(list(_without(parent.children, gone)))

    def append(self, nodes: list[JavaObject]) -> None:
        """Put new objects after the root's other children."""
        self._root.replace_children([*self._root.children, *nodes])


def _without(children: list[Item], gone: Mapping[JavaObject, PathObject]) -> Iterator[JavaObject]:
    work = list(reversed(children))
    while work:
        child = work.pop()
        assert isinstance(child, JavaObject)  # the tree was walked
        if child in gone:
            work += reversed(gone[child].children)
        else:
            yield child


def _is_ours(opened: PathObject) -> bool:
    keys, values = metadata_items(opened.metadata)
    return OWN_KEY in map(text_or_none, keys[: len(values)])


def _promote(builder: GraphBuilder, opened: PathObject, path_class: str, color: Rgb) -> None:
    """Give an object a plain class and take our metadata key from it; the lists themselves may be shared."""
    opened.items[opened.class_at] = builder.path_class(path_class, color)
    metadata = opened.metadata
    assert metadata is not None  # it bears our key
    version, keys, values, *rest = metadata.written()
    assert isinstance(keys, ObjectArray) and isinstance(values, ObjectArray)
    kept = [pair for pair in zip(keys.items, values.items, strict=False) if text_or_none(pair[0]) != OWN_KEY]
    written: list[Item] = [
        version,
        ObjectArray(keys.desc, [key for key, _ in kept]),
        ObjectArray(values.desc, [value for _, value in kept]),
        *rest,
    ]
    opened.items[2] = JavaObject(metadata.desc, [written])


def _set_marker(builder: GraphBuilder, qpdata: QpData, marker: str) -> None:
    """Set, replace or remove the image property that names our last write.

    Buckets and threshold of the map stay as they are, for Java ignores both on reading; so taking the property out
    again leaves no trace.
    """
    if qpdata.properties is None:
        if marker:
            raise QuPathFormatError("the file has no image properties; save the image again in QuPath")
        return
    written = qpdata.properties.written()
    block = written[0] if written else None
    if not isinstance(block, bytes) or block[4:8] != pack(">i", len(written) // 2):
        raise QuPathFormatError("the image properties are not laid out as Java does; save the image again in QuPath")
    keys = [text_or_none(key) for key in written[1::2]]
    at = 1 + 2 * keys.index(WRITE_MARKER) if WRITE_MARKER in keys else len(written)
    written[at : at + 2] = [builder.text(WRITE_MARKER), builder.text(marker)] if marker else []
    written[0] = block[:4] + pack(">i", len(written) // 2) + block[8:]
