"""Kidney-like sections: tubules everywhere, glomeruli in the cortex, and what is taken for glomeruli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon

from bridge.raster import ShapeIndex
from scripts.experiments.chance import CellField, Floats, SmoothField, key_of
from scripts.experiments.frame import CoarseGrid, Frame
from scripts.experiments.glomeruli import Balls, place_balls
from scripts.experiments.options import KidneyOptions, SlideOptions
from scripts.experiments.scene import Drawn, Ground, Materials, outside, paint, tissue_blob
from scripts.experiments.shapes import Ellipses, polygons
from scripts.experiments.tissues import Material

_WOBBLE = 0.12
_NUCLEI_UM = 8.0
_INTERSTITIUM_UM = 1.4  # half of what lies between two tubules
_MEDULLA_SCALE = 0.62  # its tubules are thinner and long


@dataclass(frozen=True, slots=True, eq=False)
class _Tubules:
    """Fields over a frame's coarse lattice: µm to the tubule's border, and how far inside its lumen."""

    border: NDArray[np.float32]
    lumen: NDArray[np.float32]
    pale: NDArray[np.float32]


class Kidney:
    """A kidney section (``Scene``)."""

    def __init__(self, slide: SlideOptions, kidney: KidneyOptions) -> None:
        self._slide, self._kidney = slide, kidney
        self._blob = tissue_blob(slide, _WOBBLE)
        self.tissue = self._blob.polygon(slide.mpp, 720)
        self._tissue = ShapeIndex([(self.tissue, 1)])
        self._balls: Balls = place_balls(slide, kidney, self._blob)
        self._shapes = ShapeIndex(self._balls.drawn)

    @property
    def truth(self) -> Sequence[tuple[str, Polygon]]:
        """Glomeruli, then the nuclei inside them."""
        return self._balls.truth

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Counts of what isn't truth."""
        return {"sclerosed": self._balls.sclerosed, "vessels": self._balls.vessels}

    def ground(self, frame: Frame) -> Ground:
        """Return tubules and nuclei, glomeruli and vessels over them, glass around."""
        grid = CoarseGrid.of(frame)
        tubules = self._tubules(grid)
        border, lumen, pale = (grid.spread(f) for f in (tubules.border, tubules.lumen, tubules.pale))
        materials = np.full(frame.shape, Material.EPITHELIUM, dtype=np.uint8)
        materials[pale > 0.5] = Material.PALE_EPITHELIUM
        materials[lumen > 0] = Material.LUMEN
        materials[border < _INTERSTITIUM_UM] = Material.MEMBRANE
        paint(materials, ShapeIndex(self._nuclei(frame, materials, border)), frame)
        paint(materials, self._shapes, frame)
        materials[outside(self._tissue, frame)] = Material.GLASS
        brush = SmoothField(key_of(self._slide.seed, "brush border"), 1.5).grid(frame.xs_um, frame.ys_um)
        edge = np.exp(-np.square(lumen / 2.5)) * np.isin(materials, (Material.EPITHELIUM, Material.PALE_EPITHELIUM))
        return Ground(materials, np.asarray(1 + edge * (0.12 + 0.1 * brush), dtype=np.float32))

    def ink(self, frame: Frame) -> None:
        """Nobody marks kidneys here."""

    def _tubules(self, grid: CoarseGrid) -> _Tubules:
        """Warp the plane, look up the nearest tubule's middle, and take its kind from its hash."""
        seed, pitch = self._slide.seed, self._kidney.tubule_um
        x = grid.x_um + 6 * SmoothField(key_of(seed, "warp x"), 35.0).grid(grid.xs_um, grid.ys_um)
        y = grid.y_um + 6 * SmoothField(key_of(seed, "warp y"), 35.0).grid(grid.xs_um, grid.ys_um)
        frayed = 0.02 * SmoothField(key_of(seed, "rays"), 90.0).grid(grid.xs_um, grid.ys_um)
        in_cortex = frayed + self._blob.relative(x, y) > 1 - self._kidney.cortex_share
        stagger = pitch * SmoothField(key_of(seed, "stagger"), 16.0).grid(grid.xs_um, grid.ys_um / 20)
        x, y = np.where(in_cortex, x, x / _MEDULLA_SCALE), np.where(in_cortex, y, y * 0.16 + stagger)
        distance, border, owner = CellField(seed, "tubules", pitch, 0.42).nearest(x, y)
        kind, size = (owner & 1023) / 1024.0, (owner >> 10 & 1023) / 1024.0
        border = np.where(in_cortex, border, border * _MEDULLA_SCALE)
        is_distal = kind < 0.35
        thickness = np.where(is_distal, 7.0, 11.0) + 2.5 * size
        thickness = np.where(in_cortex, thickness, 6.0 + 2.5 * size)
        opening = np.where(is_distal, 0.62, 0.45) * pitch * (0.55 + 0.45 * size)
        ragged = SmoothField(key_of(seed, "ragged"), 4.0).grid(grid.xs_um, grid.ys_um)
        lumen = np.minimum(border - thickness, np.where(in_cortex, opening - distance, np.inf)) + 0.9 * ragged
        return _Tubules(*(np.asarray(f, dtype=np.float32) for f in (border, lumen, is_distal)))

    def _nuclei(self, frame: Frame, materials: Materials, border: NDArray[np.float32]) -> list[Drawn]:
        """Return round nuclei in the tubules' walls, near the basement, and flat ones between tubules."""
        seed = self._slide.seed
        sites = CellField(seed, "nuclei", _NUCLEI_UM, 0.36).sites(*frame.bounds_um)
        row, column, inside = frame.pixels_of(sites)
        under, basal = materials[row, column], border[row, column]
        chance = sites.uniform(seed, "nuclei/kept")
        is_wall = np.isin(under, (Material.EPITHELIUM, Material.PALE_EPITHELIUM)) & (basal > 3.2) & (basal < 8.5)
        is_between = (under == Material.MEMBRANE) & (chance < 0.5)
        walls = sites.where(inside & is_wall & (chance < 0.62))
        between = sites.where(inside & is_between)
        round_look = _look(2.7 + 0.5 * walls.uniform(seed, "size"), 1.12, walls.uniform(seed, "angle"))
        flat_look = _look(1.9 + 0.4 * between.uniform(seed, "size"), 2.2, between.uniform(seed, "angle"))
        mpp = frame.mpp
        return [
            *((p, int(Material.NUCLEUS_EPITHELIAL)) for p in polygons(walls, round_look, mpp, seed)),
            *((p, int(Material.NUCLEUS_CONNECTIVE)) for p in polygons(between, flat_look, mpp, seed)),
        ]


def _look(radius_um: Floats, elongation: float, turn: Floats) -> Ellipses:
    return Ellipses(radius_um, np.full(len(radius_um), elongation), np.pi * turn)
