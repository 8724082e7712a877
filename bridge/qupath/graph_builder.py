"""New nodes for a graph: QuPath's and Java's objects, using the classes that the graph already has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import pack

from bridge.annotations import Rgb
from bridge.qupath import class_table as table
from bridge.qupath.java_class import ClassDesc, Field
from bridge.qupath.java_stream import Item, JavaEnum, JavaObject, Node, ObjectArray, Part, PrimitiveArray
from bridge.qupath.java_text import JavaString
from bridge.qupath.java_values import Allowance
from bridge.qupath.path_classes import SEPARATOR, PathClassReader, argb_of

EVERY_PLANE = pack(">iii", -1, 0, 0)  # c, t, z of QuPath's default plane


class GraphBuilder:
    """Makes nodes.

    Equal texts, class names, numbers and path classes are one node each, so that they are written once.

    Parameters
    ----------
    nodes
        Of the graph that the new nodes will join; its class descriptions and coloured path classes are used again.
    classes
        The classes that objects may be made of, by name.
    """

    def __init__(self, nodes: Sequence[Node] = (), classes: Mapping[str, table.ClassEntry] = table.CLASSES) -> None:
        self._classes = classes
        self._names = PathClassReader(Allowance(len(nodes)))
        self._given: dict[str, ClassDesc] = {}
        self._descs: dict[str, ClassDesc] = {}
        self._texts: dict[str, JavaString] = {}
        self._integers: dict[int, JavaObject] = {}
        self._booleans: dict[bool, JavaObject] = {}
        self._path_classes: dict[str, JavaObject] = {}
        for node in nodes:
            if isinstance(node, ClassDesc):
                self._given.setdefault(node.name, node)
            elif isinstance(node, JavaObject) and node.desc.name == table.PATH_CLASS:
                self._remember(node)

    def _remember(self, path_class: JavaObject) -> None:
        name, color = self._names.read(path_class)
        if name is not None and color is not None:
            self._path_classes.setdefault(name, path_class)

    def desc(self, name: str) -> ClassDesc:
        """Return the description of a class that is known by name."""
        desc = self._descs.get(name)
        if desc is None:
            entry = self._classes[name]
            above = None if entry.superclass is None else self.desc(entry.superclass)
            given = self._given.get(name)
            desc = given if given is not None and _is_as(given, entry, above) else self._new_desc(name, entry, above)
            self._descs[name] = desc
        return desc

    def _new_desc(self, name: str, entry: table.ClassEntry, above: ClassDesc | None) -> ClassDesc:
        desc = ClassDesc(name, entry.uid)
        fields = (Field(code, field, None if kind is None else self.text(kind)) for code, field, kind in entry.fields)
        desc.complete(entry.flags, tuple(fields), above)
        return desc

    def text(self, text: str) -> JavaString:
        """Return the node of a text."""
        node = self._texts.get(text)
        if node is None:
            node = self._texts[text] = JavaString.of(text)
        return node

    def integer(self, value: int) -> JavaObject:
        """Return a ``java.lang.Integer``."""
        node = self._integers.get(value)
        if node is None:
            node = self._integers[value] = self.object(table.INTEGER, pack(">i", value))
        return node

    def boolean(self, value: bool) -> JavaObject:
        """Return a ``java.lang.Boolean``."""
        node = self._booleans.get(value)
        if node is None:
            node = self._booleans[value] = self.object(table.BOOLEAN, pack(">?", value))
        return node

    def object(self, name: str, *parts: Part) -> JavaObject:
        """Return an object; for an Externalizable class the one part is the list of what it writes."""
        return JavaObject(self.desc(name), list(parts))

    def primitives(self, name: str, data: bytes) -> PrimitiveArray:
        """Return an array of primitives (``"[F"``), given as big-endian bytes."""
        return PrimitiveArray(self.desc(name), data)

    def texts(self, texts: Sequence[str]) -> ObjectArray:
        """Return an ``Object[]`` of texts."""
        return ObjectArray(self.desc(table.OBJECTS_ARRAY), [self.text(text) for text in texts])

    def enum(self, name: str, constant: str) -> JavaEnum:
        """Return a constant of an enum."""
        return JavaEnum(self.desc(name), self.text(constant))

    def metadata(self, keys: ObjectArray, values: ObjectArray) -> JavaObject:
        """Return a ``MetadataMap``."""
        return self.object(table.METADATA_MAP, [self.integer(1), keys, values])

    def hash_map(self, entries: Mapping[str, str]) -> JavaObject:
        """Return a ``HashMap`` of texts with as many buckets as Java would have given it."""
        buckets = 16
        while buckets * 0.75 < len(entries):
            buckets *= 2
        items: list[Item] = [pack(">ii", buckets, len(entries))]
        for key, value in entries.items():
            items += (self.text(key), self.text(value))
        return self.object(table.HASH_MAP, pack(">fi", 0.75, int(buckets * 0.75)), items)

    def path_class(self, full_name: str, color: Rgb) -> JavaObject:
        """Return the class of a full name: the graph's own if it has a colour, else a new one.

        A new class above it takes the same colour: QuPath can't read a derived class that has no colour at any level.
        """
        node = self._path_classes.get(full_name)
        if node is None:
            above, _, name = full_name.rpartition(SEPARATOR)
            parent = self.path_class(above, color) if above else None
            parts = (self.integer(argb_of(color)), self.text(name), parent)
            node = self._path_classes[full_name] = self.object(table.PATH_CLASS, *parts)
        return node

    def polygon(self, x: bytes, y: bytes) -> JavaObject:
        """Return a polygon ROI of big-endian float32 vertices, not closed."""
        return self.object(table.POLYGON, EVERY_PLANE, None, None, self.primitives("[F", x), self.primitives("[F", y))

    def rectangle(self, x: float, y: float, x2: float, y2: float) -> JavaObject:
        """Return a rectangle ROI."""
        return self.object(table.RECTANGLE, pack(">iiddddi", -1, 0, x, x2, y, y2, 0), None)

    def geometry(self, wkb: bytes) -> JavaObject:
        """Return a ROI of well-known binary: 2-D, big-endian as QuPath writes it."""
        return self.object(table.GEOMETRY, EVERY_PLANE, None, self.primitives("[B", wkb))


def _is_as(desc: ClassDesc, entry: table.ClassEntry, above: ClassDesc | None) -> bool:
    fields = tuple((f.code, f.name, None if f.type_name is None else f.type_name.text) for f in desc.fields)
    return (desc.uid, desc.flags, fields, desc.superclass) == (entry.uid, entry.flags, entry.fields, above)
