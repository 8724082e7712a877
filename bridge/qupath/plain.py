"""People's annotations appended to a ``data.qpdata`` as ordinary objects of QuPath's; nothing else is changed."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shapely.geometry import GeometryCollection

from bridge.annotations import Annotation, ObjectKind, Shape, TmaGrid
from bridge.errors import QuPathFormatError
from bridge.qupath.collector import collector_paused
from bridge.qupath.edit import faithful_rewriter
from bridge.qupath.java_stream import JavaObject
from bridge.qupath.java_writer import write_stream
from bridge.qupath.path_objects import ids_below, open_root
from bridge.qupath.plain_objects import PlainObjectBuilder, adopt
from bridge.qupath.qpdata import open_qpdata

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ID_SPACE = uuid.UUID("0b5b8f0e-3f0c-4c39-9d0c-7d7a2f3b6a55")

_LOST: Mapping[str, Callable[[Annotation], bool]] = {
    "nucleus": lambda a: a.nucleus is not None and a.kind is not ObjectKind.CELL,
    "arrow head": lambda a: a.shape is Shape.ARROW,
    "ruler (became a line)": lambda a: a.shape is Shape.RULER,
    "parts without area": lambda a: isinstance(a.geometry, GeometryCollection),
}
_LOST_WITHOUT_GRID: Mapping[str, Callable[[Annotation], bool]] = {
    "object type": lambda a: a.kind is ObjectKind.TMA_CORE,
    "missing core": lambda a: a.is_missing,
}


@dataclass(frozen=True, slots=True)
class Appended:
    """A ``data.qpdata`` with objects appended, and what it doesn't hold.

    Parameters
    ----------
    data
        The file.
    written
        Annotations that were appended.
    renamed
        Those among them whose UUID was taken: they got a new one.
    left_out
        Annotations that QuPath has no ROI for: why → how many.
    lost
        What appended ones lose → how many of them.
    has_grid
        The TMA grid was made.
    """

    data: bytes
    written: tuple[Annotation, ...]
    renamed: int
    has_grid: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)


def append_annotations(data: bytes, annotations: Sequence[Annotation], *, tma_grid: TmaGrid | None = None) -> Appended:
    """Append people's annotations to a ``data.qpdata``.

    Class (a colour at every level), name, own colour, lock, plane, nucleus, metadata, measurements and class
    probability are kept, and the UUID unless it is taken or none; our own metadata keys are not. Children of an object
    that is appended too go below it, all others below the root. Without a grid of its own a TMA core becomes an
    annotation. Coordinates are rounded to 0.01 px. Taking the objects out again gives the
    original bytes.

    Parameters
    ----------
    annotations
        Level-0 pixels as QuPath shows the image; parents before their children.
    tma_grid
        Made over the cores among the annotations if it holds all of them, and the file has none.

    Raises
    ------
    QuPathFormatError
        The file is cut short, of a version that we don't write, or not reproduced byte for byte.
    """
    with collector_paused():
        appended, before = _append(data, annotations, tma_grid)  # the first graph is gone before the second one comes
        _check_reading(appended.data, before, len(appended.written))
        return appended


def _append(data: bytes, annotations: Sequence[Annotation], tma_grid: TmaGrid | None) -> tuple[Appended, list[str]]:
    """Return the file with the objects appended, not checked yet, and the ids of those before them."""
    qpdata = open_qpdata(data)
    rewriter = faithful_rewriter(qpdata, data, len(open_root(qpdata.root).children))
    before = ids_below(open_root(qpdata.root))
    namer = _Namer(before, hashlib.sha256(data).hexdigest())
    has_grid = tma_grid is not None and qpdata.hierarchy.field("tmaGrid") is None and _is_over(tma_grid, annotations)
    builder = PlainObjectBuilder(qpdata.stream.nodes, annotations, makes_cores=has_grid)
    nodes: dict[str, JavaObject] = {}  # by the id that the annotation came with
    below: dict[str | None, list[JavaObject]] = {}
    kept: list[Annotation] = []
    left_out: Counter[str] = Counter()
    ids = [namer.name(annotation.object_id, number) for number, annotation in enumerate(annotations)]
    for annotation, node in zip(annotations, builder.build(annotations, ids), strict=True):
        if node is None:
            left_out[_why(annotation)] += 1
            continue
        parent = annotation.parent_id if annotation.parent_id in nodes else None
        below.setdefault(parent, []).append(node)
        nodes.setdefault(annotation.object_id, node)
        kept.append(annotation)
    for parent, children in below.items():
        adopt(qpdata.root if parent is None else nodes[parent], children)
    if has_grid and tma_grid is not None:
        grid = builder.grid(tma_grid.width, [nodes[core] for core in tma_grid.core_ids])
        qpdata.hierarchy.parts[qpdata.hierarchy.desc.slots["tmaGrid"].part] = grid
        written = write_stream(qpdata.stream.items)
    else:
        written = rewriter.write_again(())
    orphans = sum(a.parent_id is not None and a.parent_id not in nodes for a in kept)
    lost = _count_lost(kept, orphans, _LOST if has_grid else {**_LOST, **_LOST_WITHOUT_GRID})
    return Appended(written, tuple(kept), namer.renamed, has_grid, dict(left_out), lost), before


def _is_over(grid: TmaGrid, annotations: Sequence[Annotation]) -> bool:
    """Say whether a grid is full, and over just the cores among the annotations, each of which can be made."""
    cores = [a for a in annotations if a.kind is ObjectKind.TMA_CORE]
    is_full = grid.width > 0 and len(grid.core_ids) % grid.width == 0
    is_made = all(a.shape.is_area and a.geometry.area > 1 for a in cores)
    return is_full and is_made and sorted(grid.core_ids) == sorted(a.object_id for a in cores)


class _Namer:
    """Gives each object an id that no other in the file has; the same input gives the same ids."""

    def __init__(self, taken: Sequence[str], seed: str) -> None:
        self._taken = set(taken)
        self._seed = seed
        self.renamed = 0

    def name(self, given: str, number: int) -> str:
        is_uuid = _UUID.fullmatch(given) is not None
        if is_uuid and given not in self._taken:
            self._taken.add(given)
            return given
        self.renamed += is_uuid
        return str(uuid.uuid5(_ID_SPACE, f"{self._seed} {number}"))


def _check_reading(written: bytes, before: Sequence[str], count: int) -> None:
    after = ids_below(open_root(open_qpdata(written).root))
    if after[: len(before)] != list(before) or len(after) != len(before) + count:
        raise QuPathFormatError("reading back what was to be written gave other objects; nothing was written")


def _why(annotation: Annotation) -> str:
    if annotation.shape is Shape.NONE or annotation.geometry.is_empty:
        return "no shape"
    return "area below 0.01 px" if annotation.shape.is_area else annotation.shape.value


def _count_lost(
    annotations: Sequence[Annotation], orphans: int, rules: Mapping[str, Callable[[Annotation], bool]]
) -> Mapping[str, int]:
    counts = {what: sum(map(has, annotations)) for what, has in rules.items()}
    return {what: count for what, count in {**counts, "parent object": orphans}.items() if count}
