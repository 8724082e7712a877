"""One annotation, and all annotations of one slide, free of any tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from shapely.geometry.base import BaseGeometry

Rgb = tuple[int, int, int]


class Shape(Enum):
    """How the object was drawn; decides whether it covers an area."""

    POLYGON = "polygon"
    RECTANGLE = "rectangle"
    ELLIPSE = "ellipse"
    GEOMETRY = "geometry"  # polygon with holes, or several: QuPath's GeometryROI
    POINTS = "points"
    LINE = "line"
    POLYLINE = "polyline"
    ARROW = "arrow"  # ImageScope type 3
    RULER = "ruler"  # ImageScope type 4
    NONE = "none"  # no geometry, or a kind that we don't know: kept verbatim

    @property
    def is_area(self) -> bool:
        """Whether the shape covers pixels."""
        return self in _AREA_SHAPES


_AREA_SHAPES = frozenset({Shape.POLYGON, Shape.RECTANGLE, Shape.ELLIPSE, Shape.GEOMETRY})


class ObjectKind(Enum):
    """QuPath's object types; ImageScope knows annotations only."""

    ANNOTATION = "annotation"
    DETECTION = "detection"
    TILE = "tile"
    CELL = "cell"
    TMA_CORE = "tmaCore"


class Plane(NamedTuple):
    """Channel, z-slice, time point; c = −1 means every channel (QuPath's default plane)."""

    c: int = -1
    z: int = 0
    t: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """ImageScope's group of shapes: what a class mapping may ask for."""

    name: str
    id: str
    color: Rgb | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object of a slide, as its file holds it.

    Parameters
    ----------
    object_id
        Names the object within one revision of its file. QuPath: the UUID, stable over saves. ImageScope: position in
        the file, good for this revision only.
    geometry
        Level-0 pixels, as drawn: rings may cross themselves; holes are cut out. Empty where the file holds none.
    path_class
        Full class name as QuPath writes it (``"Tumor: Predicted"``); in ImageScope the layer's name in the same words
        (layer ``Tumor (predicted)`` reads as ``Tumor: Predicted``); None without class or layer name.
    name
        QuPath's name, ImageScope's Text; None when absent.
    is_ours
        The object bears our identity (QuPath: metadata key ``slidebridge``; ImageScope: it lies in one of our layers).
        Whether it is still *as we wrote it* is for ``ownership`` to say.
    color
        Of the class or layer, as the file has it.
    own_color
        The object's own colour, which QuPath shows instead of the class's; None where it has none.
    is_missing
        A TMA core of which the slide holds no tissue.
    parent_id
        ``object_id`` of the parent object in QuPath's hierarchy; None below the root.
    """

    object_id: str
    geometry: BaseGeometry
    path_class: str | None = None
    shape: Shape = Shape.POLYGON
    kind: ObjectKind = ObjectKind.ANNOTATION
    name: str | None = None
    is_ours: bool = False
    is_locked: bool = False
    color: Rgb | None = None
    own_color: Rgb | None = None
    is_missing: bool = False
    plane: Plane = field(default_factory=Plane)
    layer: Layer | None = None
    probability: float | None = None
    parent_id: str | None = None
    nucleus: BaseGeometry | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    measurements: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadCounts:
    """What a reader met, so that "nothing found" is loud.

    Parameters
    ----------
    read
        Objects read.
    repaired
        Objects whose drawn outline is not valid (self-crossing, spikes); kept as drawn, repaired for rasters.
    verbatim
        Kept but never rasterized, by kind (``"arrow"``, ``"points"``, ``"negative"`` …).
    off_slide
        Objects that lie wholly off the slide; counted by ``ingest``, which knows the slide's size.
    translucent
        Objects whose own or class colour is half transparent; ``Annotation`` has it opaque.
    """

    read: int = 0
    repaired: int = 0
    verbatim: Mapping[str, int] = field(default_factory=dict)
    off_slide: int = 0
    translucent: int = 0


@dataclass(frozen=True, slots=True)
class TmaGrid:
    """Where the cores of a tissue microarray stand: ``core_ids`` row by row, ``width`` of them in each."""

    width: int
    core_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnnotationSet:
    """All objects of one slide, in the file's order.

    Parameters
    ----------
    annotations
        In file order.
    counts
        What the reader met.
    write_marker
        Id of our last write that this revision of the file carries; None if it carries none.
    mpp
        (x, y) µm per level-0 pixel as the annotation file says; None if it doesn't, or says 0.
    tma_grid
        QuPath's grid over the cores; None where the slide has none.
    """

    annotations: tuple[Annotation, ...] = ()
    counts: ReadCounts = field(default_factory=ReadCounts)
    write_marker: str | None = None
    mpp: tuple[float, float] | None = None
    tma_grid: TmaGrid | None = None

    def __len__(self) -> int:
        return len(self.annotations)
