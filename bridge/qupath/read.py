"""``data.qpdata`` → annotations."""

from __future__ import annotations

import logging
import math
import uuid
from dataclasses import replace

import numpy as np
import shapely

from bridge.annotations import Annotation, AnnotationSet, ObjectKind, ReadCounts
from bridge.annotations.objects import TmaGrid
from bridge.qupath.collector import collector_paused
from bridge.qupath.java_class import ClassDesc
from bridge.qupath.java_stream import Item, JavaObject
from bridge.qupath.java_values import PAIR, Allowance, boxed_int, list_items, text_or_none
from bridge.qupath.path_classes import PathClassReader, is_translucent, rgb_of
from bridge.qupath.path_objects import OBJECT_ID, PathObject, kind_of, open_root, read_measurements, read_metadata, walk
from bridge.qupath.qpdata import QpData, open_qpdata
from bridge.qupath.roi_geometry import Geometries
from bridge.qupath.rois import RoiReader

logger = logging.getLogger(__name__)

OWN_KEY = "slidebridge"  # metadata key of every object that we wrote: the id of the write

_NAMELESS = uuid.UUID("6f2f6a4e-9a0e-4b0d-8f3c-5e1d1d5a7c11")  # names objects without UUID, by position
_UUID_LENGTH = 36


def read_qpdata(data: bytes) -> AnnotationSet:
    """Read the annotations of a ``data.qpdata``, in the file's order, parents first; the root is left out.

    Geometry is in level-0 pixels as QuPath shows the image; polygons have the file's float32 vertices. An object
    without UUID is named after its position.

    Raises
    ------
    QuPathFormatError
        The bytes are cut short, of an unknown version, or no such file.
    """
    with collector_paused():
        return to_annotations(open_qpdata(data), len(data))


def to_annotations(qpdata: QpData, stream_bytes: int) -> AnnotationSet:
    """Return the annotations of a file that was opened; ``stream_bytes`` is its size."""
    reader = _ObjectReader(Allowance(stream_bytes))
    for opened, parent in walk(open_root(qpdata.root)):
        reader.add(opened, parent)
    annotations, counts = reader.finish()
    grid = reader.tma_grid(qpdata.hierarchy.field("tmaGrid"))
    return AnnotationSet(annotations, counts, qpdata.write_marker, qpdata.mpp, grid)


class _Pending:
    """An object whose geometry isn't made yet."""

    __slots__ = ("metadata", "nucleus", "object_id", "opened", "parent", "roi")

    def __init__(self, opened: PathObject, object_id: str, parent: str | None, metadata: dict[str, str]) -> None:
        self.opened = opened
        self.object_id = object_id
        self.parent = parent
        self.metadata = metadata
        self.roi = -1
        self.nucleus = -1


class _ObjectReader:
    """Reads objects one by one and their geometry all at once."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._rois = RoiReader(allowance)
        self._classes = PathClassReader(allowance)
        self._kinds: dict[ClassDesc, ObjectKind] = {}
        self._ids: dict[JavaObject, str] = {}
        self._pending: list[_Pending] = []
        self._translucent = 0

    def add(self, opened: PathObject, parent: PathObject) -> None:
        """Note an object; its parent was added before, unless it is the root."""
        metadata = read_metadata(opened.metadata, self._allowance)
        given = metadata.pop(OBJECT_ID, None)
        object_id = given if given and len(given) == _UUID_LENGTH else self._name_by_position()
        self._ids[opened.node] = object_id
        pending = _Pending(opened, object_id, self._ids.get(parent.node), metadata)
        pending.roi = self._rois.add(opened.roi)
        if opened.nucleus is not None:
            pending.nucleus = self._rois.add(opened.nucleus)
        self._pending.append(pending)

    def _name_by_position(self) -> str:
        return str(uuid.uuid5(_NAMELESS, str(len(self._pending))))

    def finish(self) -> tuple[tuple[Annotation, ...], ReadCounts]:
        """Return all annotations, and what was met."""
        geometries = self._rois.geometries()
        annotations = tuple(self._annotation(pending, geometries) for pending in self._pending)
        return annotations, replace(_count(annotations), translucent=self._translucent)

    def tma_grid(self, node: Item) -> TmaGrid | None:
        """Return the grid over the cores that were added; None without one, or with cores that aren't objects."""
        if not isinstance(node, JavaObject):
            return None
        width, height, cores = node.number("gridWidth"), node.number("gridHeight"), list_items(node.field("cores"))
        self._allowance.spend(PAIR * len(cores))
        core_ids = tuple(self._ids[core] for core in cores if isinstance(core, JavaObject) and core in self._ids)
        if not width or not height or len(core_ids) != len(cores) or len(cores) != width * height:
            logger.warning("TMA grid kept but not read, its cores make no grid: cores=%d", len(cores))
            return None
        return TmaGrid(int(width), core_ids)

    def _annotation(self, pending: _Pending, geometries: Geometries) -> Annotation:
        opened, rois = pending.opened, self._rois
        path_class, color = self._classes.read(opened.path_class)
        own_color = None if opened.color is None else boxed_int(opened.color)
        is_own = own_color is not None and is_translucent(own_color)
        self._translucent += is_own or self._classes.is_translucent(opened.path_class)
        return Annotation(
            object_id=pending.object_id,
            geometry=geometries[pending.roi],
            path_class=path_class,
            shape=rois.shapes[pending.roi],
            kind=self._kind(opened.node.desc),
            name=text_or_none(opened.name),
            is_ours=OWN_KEY in pending.metadata,
            is_locked=opened.is_locked,
            color=color,
            own_color=None if own_color is None else rgb_of(own_color),
            is_missing=opened.is_missing,
            plane=rois.planes[pending.roi],
            probability=None if math.isnan(opened.probability) else opened.probability,
            parent_id=pending.parent,
            nucleus=geometries[pending.nucleus] if pending.nucleus >= 0 else None,
            metadata=pending.metadata,
            measurements=read_measurements(opened.measurements, self._allowance),
        )

    def _kind(self, desc: ClassDesc) -> ObjectKind:
        kind = self._kinds.get(desc)
        if kind is None:
            kind = self._kinds[desc] = kind_of(desc)
        return kind


def _count(annotations: tuple[Annotation, ...]) -> ReadCounts:
    areas = np.array([x.geometry for x in annotations if x.shape.is_area], dtype=object)
    verbatim: dict[str, int] = {}
    for annotation in annotations:
        if not annotation.shape.is_area:
            verbatim[annotation.shape.value] = verbatim.get(annotation.shape.value, 0) + 1
    repaired = int(np.count_nonzero(~shapely.is_valid(areas))) if len(areas) else 0
    return ReadCounts(read=len(annotations), repaired=repaired, verbatim=verbatim)
