"""One annotation of a person's as ``<Region>`` elements: which of ImageScope's shapes it is, and its text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area
from bridge.annotations.objects import Annotation, Shape
from bridge.imagescope.emit import escaped, tag, vertex_lines
from bridge.imagescope.layers import HINT
from bridge.imagescope.measures import ARROW, ELLIPSE, POLYGON, RECTANGLE, RULER, length_and_area, ring_area

_DECIMALS = 2
_MAX_COORDINATE = 1e8  # level-0 pixels; beyond it the reader believes nothing
_LINE_TYPES = {Shape.ARROW: ARROW, Shape.RULER: RULER, Shape.LINE: RULER}
NO_SHAPE = "no shape"
TOO_SMALL = "area below 0.01 px"
TOO_FAR = "coordinates beyond 1e8"

Vertices = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One region as ImageScope lists it, and the negative regions that cut it.

    Parameters
    ----------
    kind
        ``Region/@Type``.
    vertices, holes
        float64, shape (n, 2), with two decimals.
    length, area
        In level-0 pixels, by ImageScope's own formulae.
    """

    kind: int
    vertices: Vertices
    length: float
    area: float
    holes: tuple[Vertices, ...] = ()

    @property
    def regions(self) -> int:
        """How many ``<Region>`` elements it takes."""
        return 1 + len(self.holes)


def is_own_key(key: str) -> bool:
    """Say whether a metadata key is one of ours, which people's objects don't bear.

    Examples
    --------
    >>> is_own_key("slidebridge"), is_own_key("slidebridge.probability"), is_own_key("reviewer")
    (True, True, False)
    """
    return key == HINT or key.startswith(f"{HINT}.")


def outlines_of(annotation: Annotation) -> tuple[Outline, ...] | str:
    """Return the regions that an annotation becomes, or why ImageScope can't hold it."""
    geometry, shape = annotation.geometry, annotation.shape
    if shape is Shape.NONE or geometry.is_empty:
        return NO_SHAPE
    if not is_in_reach(np.array([geometry.bounds])).all():
        return TOO_FAR
    if shape.is_area:
        return _area_outlines(geometry, shape) or TOO_SMALL
    kind = _LINE_TYPES.get(shape)
    is_path = geometry.geom_type in ("Point", "LineString") and (shape is not Shape.LINE or len(geometry.coords) == 2)
    if kind is None or not is_path:
        return Shape.POLYLINE.value if shape is Shape.LINE else shape.value
    vertices = rounded(shapely.get_coordinates(geometry))
    return (_outline(kind, vertices),)


def _area_outlines(geometry: BaseGeometry, shape: Shape) -> tuple[Outline, ...]:
    parts = [part for part in shapely.get_parts(shapely.get_parts(geometry)) if part.geom_type == "Polygon"]
    if len(parts) == 1 and not parts[0].interiors:
        box = _box(parts[0], shape)
        if box is not None:
            return (box,)
    return tuple(found for part in parts if (found := _polygon(part)) is not None)


def _box(polygon: Polygon, shape: Shape) -> Outline | None:
    """Return a rectangle or an ellipse along the axes, by the corners of its box; None for anything else."""
    left, top, right, bottom = rounded(np.array(polygon.bounds)).tolist()
    width, height = right - left, bottom - top
    if not (width > 0 and height > 0):
        return None
    if shape is Shape.ELLIPSE:
        corners = np.array([(left, top), (right, bottom)])
        return _outline(ELLIPSE, corners)
    x, y, x2, y2 = polygon.bounds
    if shape is not Shape.RECTANGLE or not math.isclose(polygon.area, (x2 - x) * (y2 - y), rel_tol=1e-6):
        return None
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return _outline(RECTANGLE, corners)


def _outline(kind: int, vertices: Vertices) -> Outline:
    return Outline(kind, vertices, *length_and_area(kind, vertices))


def _polygon(polygon: Polygon) -> Outline | None:
    rings = [rounded(shapely.get_coordinates(ring)) for ring in shapely.get_rings(polygon)]
    if not _has_area(rings[0]):
        return None
    holes = tuple(ring for ring in rings[1:] if _has_area(ring))
    return replace(_outline(POLYGON, rings[0]), holes=holes)


def _has_area(ring: Vertices) -> bool:
    # A ring that crosses itself may enclose equal areas both ways round.
    return ring_area(ring) > 0 or not repair_area(Polygon(ring)).is_empty


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coordinates as the file holds them."""
    return np.round(values, _DECIMALS) + 0.0  # no negative zero


def is_in_reach(bounds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say of each (left, top, right, bottom), shape (n, 4), whether a slide may reach there; NaN is nowhere."""
    return np.asarray((np.abs(bounds) <= _MAX_COORDINATE).all(axis=1), bool)


@dataclass(frozen=True, slots=True)
class PlainRegionWriter:
    """Writes outlines as ``<Region>`` elements.

    Parameters
    ----------
    newline
        Line end of the file.
    mpp
        µm per level-0 pixel for the columns in µm; 0 where nobody knows, as other tools write it.
    ids
        Region ids that are not in use; one is taken per region.
    """

    newline: str
    mpp: float
    ids: Iterator[int]

    def write(self, annotation: Annotation, outlines: Sequence[Outline], first_display_id: int) -> list[str]:
        """Return an annotation's regions: each part followed by its holes, which name it by ``InputRegionId``.

        Parameters
        ----------
        first_display_id
            Number of the first region in ImageScope's table; the others follow.
        """
        texts: list[str] = []
        for outline in outlines:
            parent = next(self.ids)
            texts.append(self._region(annotation, outline, parent, first_display_id + len(texts)))
            for hole in outline.holes:
                display = first_display_id + len(texts)
                texts.append(self._region(None, _outline(POLYGON, hole), next(self.ids), display, parent=parent))
        return texts

    def _region(
        self, annotation: Annotation | None, outline: Outline, region_id: int, display_id: int, *, parent: int = 0
    ) -> str:
        """Return one region; a hole has no annotation, and so neither text nor attributes."""
        text = "" if annotation is None else annotation.name or ""
        # Not by ``tag``: nothing but the text needs escaping, and there are many regions.
        head = (
            f'<Region Id="{region_id}" Type="{outline.kind}" Zoom="1" Selected="0" ImageLocation="" ImageFocus="-1"'
            f' Length="{outline.length:.1f}" Area="{outline.area:.1f}"'
            f' LengthMicrons="{outline.length * self.mpp:.1f}" AreaMicrons="{outline.area * self.mpp**2:.1f}"'
            f' Text="{escaped(text)}" NegativeROA="{int(parent > 0)}" InputRegionId="{parent}"'
            f' Analyze="{int(outline.kind < ARROW)}" DisplayId="{display_id}">'
        )
        lines = [f"\t\t\t{head}", "\t\t\t\t<Attributes>"]
        lines += [f"\t\t\t\t\t{tag('Attribute', found)}" for found in _metadata(annotation)]
        lines += ["\t\t\t\t</Attributes>", "\t\t\t\t<Vertices>"]
        lines += [vertex_lines(outline.vertices, self.newline), "\t\t\t\t</Vertices>", "\t\t\t</Region>", ""]
        return self.newline.join(lines)


def _metadata(annotation: Annotation | None) -> Iterator[dict[str, object]]:
    pairs = {} if annotation is None else annotation.metadata
    for number, (key, value) in enumerate((k, v) for k, v in pairs.items() if not is_own_key(k)):
        yield {"Name": key, "Id": number, "Value": value}
