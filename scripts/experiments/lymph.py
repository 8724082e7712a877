"""Lymph-node-like sections: metastases among lymphocytes, and what is taken for metastases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from bridge.raster import ShapeIndex
from scripts.experiments.chance import Floats, SmoothField, key_of
from scripts.experiments.frame import CoarseGrid, Frame
from scripts.experiments.lymph_cells import Node, Zone, paint_cells
from scripts.experiments.metastases import Metastases
from scripts.experiments.options import LymphOptions, SlideOptions
from scripts.experiments.scene import Drawn, Ground, fits, outside, paint, sites_on_slide, tissue_blob
from scripts.experiments.shapes import Blob
from scripts.experiments.tissues import Material

_WOBBLE = 0.12
_FOLLICLE_UM = (90.0, 220.0)  # radii
_GERMINAL = 0.62  # of the follicle's radius
_SINUS_UM = 70.0  # pitch of the medulla's sinuses
_SINUS_WIDTH = 0.3  # they lie where the noise is this close to 0: a quarter of the medulla


class LymphNode:
    """A lymph node's section (``Scene``)."""

    def __init__(self, slide: SlideOptions, lymph: LymphOptions) -> None:
        self._slide, self._lymph = slide, lymph
        self._blob = tissue_blob(slide, _WOBBLE)
        self.tissue = self._blob.polygon(slide.mpp, 720)
        self._tissue = ShapeIndex([(self.tissue, 1)])
        self._metastases = Metastases(slide, lymph, self._blob)
        follicles = self._follicles()
        self._germinal = sum(code == Zone.GERMINAL for _, code in follicles)
        self._follicle_count = len(follicles) - self._germinal
        self._shapes = ShapeIndex(follicles)

    @property
    def truth(self) -> Sequence[tuple[str, Polygon]]:
        """The metastases."""
        return [("Tumor", outline) for outline in self._metastases.outlines(self.tissue)]

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """The share of the section that is metastasis, and counts of what isn't truth."""
        metastatic = sum(outline.area for _, outline in self.truth) / self.tissue.area
        return {
            "metastatic_share": round(float(metastatic), 6),
            "follicles": self._follicle_count,
            "germinal_centres": self._germinal,
        }

    def ground(self, frame: Frame) -> Ground:
        """Return the node's zones with their cells, metastases between and over them, glass around."""
        grid = CoarseGrid.of(frame)
        zones = self._zones(grid, frame)
        materials = np.zeros(len(Zone) + 1, dtype=np.uint8)
        for zone in Zone:
            materials[zone] = zone.material
        materials = materials[zones]
        share = grid.spread(self._metastases.share(grid.x_um, grid.y_um))
        node = Node(frame, zones, share, (self._blob.x_um, self._blob.y_um))
        paint_cells(materials, node, self._slide, self._lymph)
        materials[outside(self._tissue, frame)] = Material.GLASS
        return Ground(materials, np.ones(frame.shape, dtype=np.float32))

    def ink(self, frame: Frame) -> None:
        """Nobody marks lymph nodes here."""

    def _zones(self, grid: CoarseGrid, frame: Frame) -> NDArray[np.uint8]:
        """Return where each pixel lies: capsule, the sinus under it, pulp with follicles, sinuses of the medulla."""
        depth = grid.spread(self._blob.depth_um(grid.x_um, grid.y_um))
        ragged = self._noise("ragged", 30.0, frame)
        zones = np.full(frame.shape, Zone.PULP, dtype=np.uint8)
        cortex_um = self._lymph.cortex_share * min(self._blob.width_um, self._blob.height_um)
        in_medulla = depth + 60 * ragged > cortex_um
        zones[in_medulla & (np.abs(self._noise("sinuses", _SINUS_UM, frame)) < _SINUS_WIDTH)] = Zone.SINUS
        paint(zones, self._shapes, frame)
        zones[depth < self._lymph.capsule_um + self._lymph.sinus_um * (1 + 0.5 * ragged)] = Zone.SINUS
        zones[depth < self._lymph.capsule_um] = Zone.CAPSULE
        return zones

    def _follicles(self) -> list[Drawn]:
        """Place follicles in the cortex, some with a germinal centre."""
        lymph, slide = self._lymph, self._slide
        largest = 2 * _FOLLICLE_UM[1]
        cell = max(1.12 * largest, min(1.6 * largest, 1e3 / np.sqrt(max(lymph.follicles_per_mm2, 1e-6))))
        sites = sites_on_slide(slide, "follicles", cell, largest)
        depth = self._blob.depth_um(sites.x_um, sites.y_um)
        cortex_um = lymph.cortex_share * min(self._blob.width_um, self._blob.height_um)
        kept = sites.uniform(slide.seed, "follicles/kept") < lymph.follicles_per_mm2 * cell**2 / 1e6
        sites = sites.where(kept & (depth < cortex_um))
        radius = _FOLLICLE_UM[0] + (_FOLLICLE_UM[1] - _FOLLICLE_UM[0]) * sites.uniform(slide.seed, "follicles/size")
        inside = fits(sites, radius, self._blob, slide)
        sites, radius = sites.where(inside), radius[inside]
        active = sites.uniform(slide.seed, "follicles/active") < lymph.germinal_share
        mantles = [(self._round(*place, 0.9), int(Zone.MANTLE)) for place in _places(sites.x_um, sites.y_um, radius)]
        middles = [
            (self._round(*place, 0.9 * _GERMINAL), int(Zone.GERMINAL))
            for place in _places(sites.x_um[active], sites.y_um[active], radius[active])
        ]
        return mantles + middles

    def _round(self, x_um: float, y_um: float, radius_um: float, scale: float) -> Polygon:
        radius, name = radius_um * scale, f"follicle/{round(x_um)}/{round(y_um)}/{scale}"
        return Blob(x_um, y_um, radius, radius, 0.1, self._slide.seed, name, 6).polygon(self._slide.mpp, 72)

    def _noise(self, stream: str, pitch_um: float, frame: Frame) -> NDArray[np.float32]:
        return SmoothField(key_of(self._slide.seed, stream), pitch_um).grid(frame.xs_um, frame.ys_um)


def _places(x_um: Floats, y_um: Floats, radius_um: Floats) -> list[tuple[float, float, float]]:
    return list(zip(x_um.tolist(), y_um.tolist(), radius_um.tolist(), strict=True))
