"""Where the tumour is: outlines with holes, and how dense its nests are around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from scripts.experiments.chance import Floats, key_of, uniform
from scripts.experiments.options import SlideOptions, TumourOptions
from scripts.experiments.shapes import Blob

_ISLAND = (0.1, 0.2)  # radius of a hole, of its region's
_VERTICES = 720


@dataclass(frozen=True, slots=True)
class _Region:
    area: Blob
    islands: tuple[Blob, ...]


def cell_share(depth_um: Floats, border_um: float, mpp: float) -> Floats:
    """Return the density of cells across an outline: half of the inner one on it, all or none half a border away."""
    return np.asarray(np.clip(depth_um / (border_um or mpp) + 0.5, 0, 1))  # at most as sharp as pixels are


def joined(areas: Sequence[BaseGeometry], tissue: Polygon, slide: SlideOptions) -> list[Polygon]:
    """Return areas in level-0 pixels as polygons that don't overlap, cut off where tissue or slide end."""
    on_slide = tissue.intersection(shapely.box(0, 0, slide.width_px, slide.height_px))
    cut = shapely.set_precision(shapely.union_all(areas).intersection(on_slide), 0.25)
    return [part for part in shapely.get_parts(cut).tolist() if isinstance(part, Polygon)]


class Invasion:
    """The invasive regions of one slide.

    Depth, texture and truth come of one formula (``Blob``): the truth's outline is where the nests' density is half of
    what it is inside.
    """

    def __init__(self, slide: SlideOptions, tumour: TumourOptions, tissue: Blob) -> None:
        self._slide, self._tumour = slide, tumour
        self._regions = [self._region(i, tissue) for i in range(tumour.tumours)]

    def share(self, x_um: Floats, y_um: Floats) -> Floats:
        """Return how far a place has the inside's density of nests: 0 outside, 0.5 on the outline, 1 inside."""
        return cell_share(self.depth_um(x_um, y_um), self._tumour.border_um, self._slide.mpp)

    def depth_um(self, x_um: Floats, y_um: Floats) -> Floats:
        """Return about how deep a place lies inside the tumour; negative outside and in holes."""
        deepest = np.full(np.shape(x_um), -np.inf)
        for region in self._regions:
            depth = region.area.depth_um(x_um, y_um)
            for island in region.islands:
                depth = np.minimum(depth, -island.depth_um(x_um, y_um))
            deepest = np.maximum(deepest, depth)
        return deepest

    def outlines(self, tissue: Polygon) -> list[Polygon]:
        """Return the truth: regions less their holes, joined where they overlap, cut off where the tissue ends."""
        mpp = self._slide.mpp
        areas = []
        for region in self._regions:
            holes = shapely.union_all([island.polygon(mpp, 120) for island in region.islands])
            areas.append(region.area.polygon(mpp, _VERTICES).difference(holes))
        return joined(areas, tissue, self._slide)

    def _region(self, number: int, tissue: Blob) -> _Region:
        seed, options = self._slide.seed, self._tumour
        places = np.arange(6 + 4 * options.islands)
        chance = uniform(key_of(seed, "tumour"), places, np.full(len(places), number))
        radius = self._radius(tissue)
        angle, reach = 2 * np.pi * (chance[0] + number / max(options.tumours, 1)), 0.25 + 0.3 * chance[1]
        x = tissue.x_um + np.cos(angle) * reach * tissue.width_um
        y = tissue.y_um + np.sin(angle) * reach * tissue.height_um
        stretch = 0.8 + 0.45 * chance[2]
        area = Blob(x, y, radius * stretch, radius / stretch, options.wobble, seed, f"tumour/{number}", 24)
        islands = tuple(self._island(area, i, chance[6 + 4 * i :], number) for i in range(options.islands))
        return _Region(area, islands)

    def _radius(self, tissue: Blob) -> float:
        if self._tumour.tumour_um is not None:
            return self._tumour.tumour_um / 2
        share = self._tumour.tumour_share / max(self._tumour.tumours, 1)
        return float(np.sqrt(share * tissue.width_um * tissue.height_um))

    def _island(self, area: Blob, position: int, chance: Floats, number: int) -> Blob:
        angle, reach = 2 * np.pi * chance[0], 0.15 + 0.35 * chance[1]
        radius = (_ISLAND[0] + (_ISLAND[1] - _ISLAND[0]) * chance[2]) * min(area.width_um, area.height_um)
        x = area.x_um + np.cos(angle) * reach * area.width_um
        y = area.y_um + np.sin(angle) * reach * area.height_um
        return Blob(x, y, radius, radius, 0.3, self._slide.seed, f"island/{number}/{position}", 10)
