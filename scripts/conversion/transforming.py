"""What ``--transform``, ``--offset`` and ``--simplify`` do to annotations as read; each leaves a line in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry import Polygon

from bridge.annotations import Annotation, Shape
from bridge.annotations.transforms import Turn, move_annotations, turn_annotations, turned_frame
from bridge.coords import Region, Window, um_to_px
from bridge.errors import ConfigError
from bridge.raster import changed_pixels, simplify_outlines
from scripts.conversion.reading import Material, SlideFacts
from scripts.plain_words import counted

_MOST_LABELS = 255


@dataclass(frozen=True, slots=True)
class Transform:
    """How objects come to lie right on the slide: first the turn, then the way.

    Parameters
    ----------
    turn
        In the slide's frame; None for none.
    offset
        (x, y) level-0 pixels.
    """

    turn: Turn | None = None
    offset: tuple[float, float] = (0.0, 0.0)

    @property
    def is_nothing(self) -> bool:
        """Whether objects stay where they are."""
        return self.turn is None and self.offset == (0, 0)

    def view_of(self, slide: SlideFacts | None) -> SlideFacts | None:
        """Return the slide as the source saw it."""
        if slide is None or self.turn is None or not self.turn.swaps_sides:
            return slide
        return replace(slide, size=turned_frame(slide.size, self.turn))

    def apply(self, material: Material, slide: SlideFacts | None) -> Material:
        """Return the material on the slide as OpenSlide opens it.

        Parameters
        ----------
        slide
            Its size is the frame after the turn; without one the source's own size is the frame before it.

        Raises
        ------
        ConfigError
            A turn, and nobody knows the slide's size.
        """
        if self.is_nothing:
            return material
        annotations = move_annotations(material.found.annotations, material.origin)
        size, mpp, notes = material.size, material.mpp, material.notes
        if self.turn is not None:
            before = self._frame(size, slide)
            annotations = turn_annotations(annotations, self.turn, before)
            size = turned_frame(before, self.turn)
            is_own_mpp = mpp is not None and self.turn.swaps_sides and (slide is None or slide.mpp is None)
            mpp = (mpp[1], mpp[0]) if mpp is not None and is_own_mpp else mpp
            notes = (*notes, f"turned as asked ({self.turn.value}), from a view of {before[0]} x {before[1]}")
        if self.offset != (0, 0):
            annotations = move_annotations(annotations, self.offset)
            notes = (*notes, f"moved as asked by ({self.offset[0]:g}, {self.offset[1]:g})")
        found = replace(material.found, annotations=annotations)
        return replace(material, found=found, origin=(0, 0), size=size, mpp=mpp, notes=notes)

    def _frame(self, size: tuple[int, int] | None, slide: SlideFacts | None) -> tuple[int, int]:
        view = self.view_of(slide)
        frame = size if view is None else view.size
        if frame is None:
            raise ConfigError("--transform needs the size of the slide; give --slide PATH")
        return frame


def simplified(material: Material, tolerance_um: float) -> Material:
    """Return a mask's outlines simplified together: neighbours keep one border; the report says what it changed.

    Parameters
    ----------
    tolerance_um
        A corner goes where the triangle that it makes with its neighbours is smaller than the square of this; µm.

    Raises
    ------
    ConfigError
        The source is no mask, or its µm per pixel are not known.
    """
    if material.downsample is None:
        raise ConfigError("--simplify is for the outlines of label masks; what people drew stays as it was drawn")
    if material.mpp is None:
        raise ConfigError("--simplify is in µm, and the mask says no µm per pixel; give --slide PATH")
    annotations = material.found.annotations
    if not annotations:
        return material
    tolerance = um_to_px(tolerance_um, material.mpp)
    before = _labelled(annotations)
    after = _simplified_by_groups(before, tolerance)
    window = Window.covering(_extent([polygon for _, polygon in before]), material.downsample)
    changed = changed_pixels(before, after, window)
    corners = [sum(shapely.get_num_coordinates(polygon) for _, polygon in shapes) for shapes in (before, after)]
    note = (
        f"simplified by {tolerance_um:g} µm ({tolerance:.2f} px): {corners[0]} corners became {corners[1]},"
        f" {counted(changed, 'mask pixel')} changed"
    )
    found = replace(material.found, annotations=tuple(map(_with_outline, annotations, (p for _, p in after))))
    return replace(material, found=found, notes=(*material.notes, note))


def _simplified_by_groups(outlines: Sequence[tuple[int, Polygon]], tolerance_px: float) -> list[tuple[int, Polygon]]:
    """Simplify outlines whose boxes touch together, and others apart.

    GEOS takes more than linear time in all outlines of a slide; what a corner's going changes lies within its
    outline's box, so that apart from it nothing can come into the way.
    """
    polygons = np.array([polygon for _, polygon in outlines], dtype=object)
    boxes = np.asarray(shapely.box(*shapely.bounds(polygons).T), dtype=object)
    first, second = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    pairs = coo_array((np.ones(len(first), dtype=bool), (first, second)), shape=(len(boxes), len(boxes)))
    _, groups = connected_components(pairs, directed=False)
    found: list[tuple[int, Polygon]] = list(outlines)
    order = np.argsort(groups, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        simple = simplify_outlines([outlines[place] for place in places], tolerance_px=tolerance_px)
        for place, outline in zip(places.tolist(), simple, strict=True):
            found[place] = outline
    return found


def _labelled(annotations: Sequence[Annotation]) -> list[tuple[int, Polygon]]:
    labels: Mapping[str | None, int] = {
        name: 1 + number % _MOST_LABELS for number, name in enumerate(dict.fromkeys(a.path_class for a in annotations))
    }
    return [(labels[a.path_class], a.geometry) for a in annotations if isinstance(a.geometry, Polygon)]


def _extent(polygons: Sequence[Polygon]) -> Region:
    return Region.from_bounds(*shapely.total_bounds(polygons).tolist())


def _with_outline(annotation: Annotation, outline: Polygon) -> Annotation:
    return replace(annotation, geometry=outline, shape=Shape.GEOMETRY if outline.interiors else Shape.POLYGON)
