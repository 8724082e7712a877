"""People's annotations → QuPath objects in the graph, without anything of ours in them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from struct import pack

from bridge.annotations import Annotation, ObjectKind, Rgb, Shape
from bridge.qupath import class_table as table
from bridge.qupath.class_table import ClassEntry
from bridge.qupath.geojson_properties import default_color
from bridge.qupath.graph_builder import GraphBuilder
from bridge.qupath.java_stream import Item, JavaObject, Node, ObjectArray
from bridge.qupath.path_classes import SEPARATOR, argb_of
from bridge.qupath.path_objects import OBJECT_ID, PACKAGE, PathObject
from bridge.qupath.plain_rois import ROI_CLASSES, Outline, build_rois
from bridge.qupath.read import OWN_KEY

_MEASUREMENTS = "qupath.lib.measurements."
_LIST, _NUMBER = _MEASUREMENTS + "DefaultMeasurementList", _MEASUREMENTS + "DoubleMeasurement"
_ARRAY_LIST = "java.util.ArrayList"
_TILE, _CELL = PACKAGE + "PathTileObject", PACKAGE + "PathCellObject"
_DETECTION = table.CLASSES[table.DETECTION]
_PLAIN = table.CLASSES[table.PATH_CLASS].flags
_NO_CHILDREN = pack(">i", 0)

_CORE, _GRID = PACKAGE + "TMACoreObject", PACKAGE + "hierarchy.DefaultTMAGrid"
_KINDS = {ObjectKind.DETECTION: table.DETECTION, ObjectKind.TILE: _TILE, ObjectKind.CELL: _CELL}
_CLASSES: Mapping[str, ClassEntry] = {
    **table.CLASSES,
    **ROI_CLASSES,
    _TILE: ClassEntry(_DETECTION.uid, _DETECTION.flags, (), table.DETECTION),
    _CELL: ClassEntry(_DETECTION.uid, _DETECTION.flags, (), table.DETECTION),
    _CORE: ClassEntry(_DETECTION.uid, _DETECTION.flags, (), _DETECTION.superclass),
    _GRID: ClassEntry(
        1, _PLAIN, (("I", "gridHeight", None), ("I", "gridWidth", None), ("L", "cores", "Ljava/util/List;"))
    ),
    _LIST: ClassEntry(1, _PLAIN, (("L", "list", "Ljava/util/ArrayList;"),)),
    _NUMBER: ClassEntry(1, _PLAIN, (("D", "value", None), ("L", "name", "Ljava/lang/String;"))),
    _ARRAY_LIST: ClassEntry(8683452581122892189, table.CLASSES[table.HASH_MAP].flags, (("I", "size", None),)),
}


def is_own_key(key: str) -> bool:
    """Say whether a metadata key is one of ours, which people's objects don't bear.

    Examples
    --------
    >>> is_own_key("slidebridge"), is_own_key("slidebridge.probability"), is_own_key("reviewer")
    (True, True, False)
    """
    return key == OWN_KEY or key.startswith(f"{OWN_KEY}.")


class PlainObjectBuilder:
    """Makes nodes of people's objects.

    Parameters
    ----------
    nodes
        Of the graph that they join.
    annotations
        All that will be made: a class above another takes the colour of its own objects, where there are any.
    makes_cores
        TMA cores stay cores, for their grid is made as well (``grid``); else they become annotations.
    """

    def __init__(self, nodes: Sequence[Node], annotations: Iterable[Annotation], *, makes_cores: bool = False) -> None:
        self._makes_cores = makes_cores
        self._builder = GraphBuilder(nodes, _CLASSES)
        self._keys: dict[tuple[str, ...], ObjectArray] = {}  # most objects have the same metadata keys
        colors: dict[str, Rgb] = {}
        for annotation in annotations:
            if annotation.path_class is not None and annotation.color is not None:
                colors.setdefault(annotation.path_class, annotation.color)
        for name in sorted(colors, key=lambda name: name.count(SEPARATOR)):
            self._builder.path_class(name, colors[name])

    def build(self, annotations: Sequence[Annotation], object_ids: Sequence[str]) -> list[JavaObject | None]:
        """Return the objects, without children; None where QuPath can't hold an outline."""
        outlines = build_rois(self._builder, [Outline(a.geometry, a.shape, a.plane) for a in annotations])
        nuclei = self._nuclei(annotations)
        rows = zip(annotations, object_ids, outlines, strict=True)
        return [
            None if roi is None else self._object(annotation, object_id, roi, nuclei.get(place))
            for place, (annotation, object_id, roi) in enumerate(rows)
        ]

    def _nuclei(self, annotations: Sequence[Annotation]) -> dict[int, JavaObject | None]:
        """Return the nuclei of cells by their place; QuPath keeps a nucleus as polygon or geometry."""
        outlines = {
            place: Outline(a.nucleus, Shape.POLYGON, a.plane)
            for place, a in enumerate(annotations)
            if a.nucleus is not None and a.kind is ObjectKind.CELL
        }
        return dict(zip(outlines, build_rois(self._builder, list(outlines.values())), strict=True))

    def _object(
        self, annotation: Annotation, object_id: str, roi: JavaObject, nucleus: JavaObject | None
    ) -> JavaObject:
        builder = self._builder
        color = annotation.own_color or (annotation.color if not annotation.path_class else None)
        probability = math.nan if annotation.probability is None else annotation.probability
        items: list[Item] = [
            None if annotation.name is None else builder.text(annotation.name),
            None if color is None else builder.integer(argb_of(color)),
            self._metadata(annotation, object_id),
            self._measurements(annotation.measurements),
            _NO_CHILDREN,
            builder.boolean(annotation.is_locked),
            self._path_class(annotation),
            roi,
            pack(">d", probability),
        ]
        if annotation.kind is ObjectKind.TMA_CORE and self._makes_cores:
            items[-1] = pack(">d?", probability, annotation.is_missing)
            return builder.object(_CORE, items)
        if annotation.kind is ObjectKind.CELL:
            items.append(nucleus)
        return builder.object(_KINDS.get(annotation.kind, table.ANNOTATION), items)

    def grid(self, width: int, cores: Sequence[JavaObject]) -> JavaObject:
        """Return the grid over TMA cores, row by row."""
        size = pack(">i", len(cores))
        cores_list = self._builder.object(_ARRAY_LIST, size, [size, *cores])
        return self._builder.object(_GRID, pack(">ii", len(cores) // width, width), cores_list)

    def _metadata(self, annotation: Annotation, object_id: str) -> JavaObject:
        names: tuple[str, ...] = (OBJECT_ID,)
        values = [object_id]
        if annotation.metadata:
            pairs = {OBJECT_ID: object_id, **{k: v for k, v in annotation.metadata.items() if not is_own_key(k)}}
            names, values = tuple(pairs), list(pairs.values())
        keys = self._keys.get(names)
        if keys is None:
            keys = self._keys[names] = self._builder.texts(names)
        return self._builder.metadata(keys, self._builder.texts(values))

    def _measurements(self, measurements: Mapping[str, float]) -> JavaObject | None:
        if not measurements:
            return None
        builder, size = self._builder, pack(">i", len(measurements))
        numbers: list[Item] = [
            builder.object(_NUMBER, pack(">d", value), builder.text(name)) for name, value in measurements.items()
        ]
        return builder.object(_LIST, builder.object(_ARRAY_LIST, size, [size, *numbers]))

    def _path_class(self, annotation: Annotation) -> JavaObject | None:
        name = annotation.path_class
        return None if not name else self._builder.path_class(name, annotation.color or default_color(name))


def adopt(parent: JavaObject, children: Sequence[JavaObject]) -> None:
    """Put objects below another one, after the children that it has."""
    opened = PathObject(parent)
    opened.replace_children([*opened.children, *children])
