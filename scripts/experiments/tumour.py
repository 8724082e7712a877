"""Breast-like sections: invasive tumour in stroma and fat, and what is taken for tumour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from shapely.geometry import Polygon

from bridge.raster import ShapeIndex
from scripts.experiments.artefacts import Artefacts
from scripts.experiments.breast_cells import Around, place_nuclei
from scripts.experiments.breast_objects import Code, place_objects
from scripts.experiments.chance import CellField, Floats, SmoothField, key_of
from scripts.experiments.frame import CoarseGrid, Frame
from scripts.experiments.invasion import Invasion
from scripts.experiments.options import SlideOptions, TumourOptions
from scripts.experiments.scene import Ground, outside, paint, tissue_blob
from scripts.experiments.tissues import NOTHING, Material

_WOBBLE = 0.15
_NEST_UM, _FAT_UM, _FAT_CELL_UM, _GLAND_UM = 38.0, 300.0, 62.0, 42.0
_GLANDS = {1: 0.75, 2: 0.22, 3: 0.03}  # share of places in nests with a lumen, by grade: Nottingham's tubule score
_CRACK = 2.1  # sd of the fibres' noise beyond which stroma has torn


class Tumour:
    """A breast section (``Scene``)."""

    def __init__(self, slide: SlideOptions, tumour: TumourOptions) -> None:
        self._slide, self._tumour = slide, tumour
        self._blob = tissue_blob(slide, _WOBBLE)
        self.tissue = self._blob.polygon(slide.mpp, 720)
        self._tissue = ShapeIndex([(self.tissue, 1)])
        self._invasion = Invasion(slide, tumour, self._blob)
        self._objects = place_objects(slide, tumour, self._blob, self._invasion)
        self._shapes = ShapeIndex(self._objects.drawn)
        self._artefacts = Artefacts(slide, tumour)
        self._angle = np.pi * float(self._chance("fibres"))

    @property
    def truth(self) -> Sequence[tuple[str, Polygon]]:
        """What ``truth_classes`` asks for, in its order."""
        found: dict[str, list[Polygon]] = {
            "Tumor": self._invasion.outlines(self.tissue),
            "In situ": self._objects.filled_ducts,
            "Lymphocytes": self._objects.aggregates,
        }
        return [(name, outline) for name in self._tumour.truth_classes for outline in found[name]]

    @property
    def facts(self) -> Mapping[str, str | int | float]:
        """Grade, and counts of what may be no truth."""
        return {
            "grade": self._tumour.grade,
            "ducts_in_situ": len(self._objects.filled_ducts),
            "ducts_normal": self._objects.normal_ducts,
            "lymphocyte_aggregates": len(self._objects.aggregates),
        }

    def ground(self, frame: Frame) -> Ground:
        """Return stroma, fat, nests, ducts and lymphocytes with their nuclei, folds over them, glass around."""
        grid = CoarseGrid.of(frame)
        share = grid.spread(self._invasion.share(grid.x_um, grid.y_um))
        materials = np.full(frame.shape, Material.STROMA, dtype=np.uint8)
        self._paint_fat(materials, frame, grid, share)
        self._paint_nests(materials, frame, grid, share)
        codes = self._shapes.burn(frame.window, fill=NOTHING)
        for code in Code:
            materials[codes == code] = code.material
        fibres, angle = self._fibres(grid)
        gain = np.where(materials == Material.STROMA, 1 + 0.22 * grid.spread(fibres), 1).astype(np.float32)
        gain[(gain > 1 + 0.22 * _CRACK) & (materials == Material.STROMA)] = 0.12
        around = Around(frame, materials, codes, share, angle)
        paint(materials, ShapeIndex(place_nuclei(around, self._slide, self._tumour)), frame)
        gain[materials >= Material.NUCLEUS_EPITHELIAL] = 1
        gain *= self._artefacts.folds(frame)
        materials[outside(self._tissue, frame)] = Material.GLASS
        return Ground(materials, gain)

    def ink(self, frame: Frame) -> NDArray[np.float32] | None:
        """Return the marker's strokes."""
        return self._artefacts.ink(frame)

    def _paint_fat(
        self, materials: NDArray[np.uint8], frame: Frame, grid: CoarseGrid, share: NDArray[np.float32]
    ) -> None:
        field = self._noise("fat", _FAT_UM, frame) * 0.93 + self._noise("fat edge", 60.0, frame) * 0.37
        is_fat = ndtr(field) < self._tumour.fat_share * (1 - share)
        if not is_fat.any():
            return
        _, border, _ = CellField(self._slide.seed, "fat cells", _FAT_CELL_UM, 0.36).nearest(grid.x_um, grid.y_um)
        wall = grid.spread(border) < 1.1
        materials[is_fat] = np.where(wall, Material.MEMBRANE, Material.LUMEN)[is_fat]

    def _paint_nests(
        self, materials: NDArray[np.uint8], frame: Frame, grid: CoarseGrid, share: NDArray[np.float32]
    ) -> None:
        if not (share > 0).any():
            return
        field = self._noise("nests", _NEST_UM, frame) * 0.86 + self._noise("nest edge", 11.0, frame) * 0.51
        is_nest = ndtr(field) < self._tumour.nest_share * share
        materials[is_nest] = Material.NEST
        distance, _, owner = CellField(self._slide.seed, "glands", _GLAND_UM, 0.42).nearest(grid.x_um, grid.y_um)
        has_lumen = (owner & 1023) < 1024 * _GLANDS[self._tumour.grade]
        radius = 5 + 5 * (owner >> 10 & 1023) / 1024.0
        ragged = self._noise("ragged", 5.0, frame)
        opening = grid.spread(np.where(has_lumen, radius - distance, -9.0)) + 1.2 * ragged
        deep = ndtr(field + 0.35) < self._tumour.nest_share * share
        materials[is_nest & deep & (opening > 0)] = Material.LUMEN

    def _fibres(self, grid: CoarseGrid) -> tuple[Floats, float]:
        """Return noise drawn out along one direction and bent, and the direction."""
        seed, angle = self._slide.seed, self._angle
        bend = 25 * SmoothField(key_of(seed, "bend"), 110.0).grid(grid.xs_um, grid.ys_um)
        along = grid.x_um * np.cos(angle) + grid.y_um * np.sin(angle)
        across = -grid.x_um * np.sin(angle) + grid.y_um * np.cos(angle) + bend
        return SmoothField(key_of(seed, "fibres"), 2.6).at(along / 11, across), angle

    def _noise(self, stream: str, pitch_um: float, frame: Frame) -> NDArray[np.float32]:
        return SmoothField(key_of(self._slide.seed, stream), pitch_um).grid(frame.xs_um, frame.ys_um)

    def _chance(self, stream: str) -> float:
        return int(key_of(self._slide.seed, stream)) / 2**32
