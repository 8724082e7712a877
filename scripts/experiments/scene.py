"""What a scene is to the painter: truth as geometry, and what lies under any frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from bridge.raster import ShapeIndex
from scripts.experiments.chance import CellField, Floats, Sites
from scripts.experiments.frame import Frame
from scripts.experiments.options import SlideOptions
from scripts.experiments.shapes import Blob
from scripts.experiments.tissues import NOTHING, Material

Materials = NDArray[np.uint8]
Drawn = tuple[Polygon, int]
"""A polygon in level-0 pixels and the material, or code, that it paints."""


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """What lies under a frame.

    Parameters
    ----------
    materials
        ``Material`` numbers, (height, width).
    gain
        Factor of the stain densities: fibres, folds; float32, (height, width).
    """

    materials: Materials
    gain: NDArray[np.float32]


class Scene(Protocol):
    """One slide's tissue. Everything it says of a pixel depends on its options, the seed and the pixel's place only."""

    @property
    def tissue(self) -> Polygon:
        """Outline of the section, level-0 pixels; outside lies glass."""
        ...

    @property
    def truth(self) -> Sequence[tuple[str, Polygon]]:
        """(class, outline in level-0 pixels), in the order in which they cover one another."""
        ...

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """What else is true of the slide: counts of distractors, grade."""
        ...

    def ground(self, frame: Frame) -> Ground:
        """Return what lies under a frame."""
        ...

    def ink(self, frame: Frame) -> NDArray[np.float32] | None:
        """Return the optical density of marker ink, (height, width, 3); None without any."""
        ...


def tissue_blob(options: SlideOptions, wobble: float) -> Blob:
    """Return the section's outline: in the middle of the slide, covering about the share asked for."""
    width, height = options.width_px * options.mpp, options.height_px * options.mpp
    radius = np.sqrt(options.tissue_share / np.pi)  # of a circle in the unit square with that share of its area
    return Blob(width / 2, height / 2, radius * width, radius * height, wobble, options.seed, "tissue", 14)


def sites_on_slide(options: SlideOptions, stream: str, cell_um: float, largest_um: float) -> Sites:
    """Return one place per lattice cell, so far from the cell's sides that objects up to a diameter never overlap."""
    jitter = max(0.0, (1 - largest_um / cell_um) / 2)
    right, bottom = options.width_px * options.mpp, options.height_px * options.mpp
    sites = CellField(options.seed, stream, cell_um, jitter).sites(-cell_um, 0.0, right, bottom)
    staggered = sites.x_um + (sites.row % 2) * cell_um / 2  # every other row, so that a full lattice shows no columns
    return Sites(sites.column, sites.row, staggered, sites.y_um)


def fits(sites: Sites, radius_um: Floats, tissue: Blob, options: SlideOptions) -> NDArray[np.bool_]:
    """Say which discs lie inside the section and on the slide."""
    right, bottom = options.width_px * options.mpp, options.height_px * options.mpp
    inside = tissue.depth_um(sites.x_um, sites.y_um) > 1.3 * radius_um
    inside &= (sites.x_um > 1.2 * radius_um) & (sites.x_um < right - 1.2 * radius_um)
    return np.asarray(inside & (sites.y_um > 1.2 * radius_um) & (sites.y_um < bottom - 1.2 * radius_um))


def paint(materials: Materials, shapes: ShapeIndex, frame: Frame) -> None:
    """Burn shapes over what is there."""
    burnt = shapes.burn(frame.window, fill=NOTHING)
    np.copyto(materials, burnt, where=burnt != NOTHING)


def outside(tissue: ShapeIndex, frame: Frame) -> NDArray[np.bool_]:
    """Say which pixels are glass."""
    return np.asarray(tissue.burn(frame.window) == Material.GLASS)
