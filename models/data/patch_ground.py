"""Patches as a set, and what they are cut from: a slide on its working grid, its tissue, the rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from bridge.coords import Window
from bridge.slides import TissueMask


@dataclass(frozen=True, slots=True)
class PatchOptions:
    """Which patches there are, and of what class (``[model]``).

    Parameters
    ----------
    patch_px
        Side of a patch, in working pixels.
    stride_px
        Distance of neighbouring patches, a whole part of ``patch_px``. The paper's patches don't overlap; on a finer
        lattice small ROIs hold more of them, and at a quarter of a patch one that is as large as a patch holds one,
        wherever it lies.
    min_tissue
        A patch must hold more tissue than this share.
    min_class
        A patch is of a class whose share is larger than this.
    min_labelled
        Least labelled share of a background patch: at one less ``min_class``, what is not labelled is too little to
        make it a patch of a class. Also least share of an expert's patch outside ignored areas.
    """

    patch_px: int = 256
    stride_px: int = 64
    min_tissue: float = 0.25
    min_class: float = 0.25
    min_labelled: float = 0.75

    def __post_init__(self) -> None:
        if not 1 <= self.stride_px <= self.patch_px or self.patch_px % self.stride_px:
            raise ValueError(f"a stride is a whole part of the patch, not {self.stride_px} of {self.patch_px} px")
        if not all(0 <= share <= 1 for share in (self.min_tissue, self.min_class, self.min_labelled)):
            raise ValueError("min_tissue, min_class and min_labelled are shares of 1")


@dataclass(frozen=True, slots=True, eq=False)
class PatchSet:
    """Patches of one slide.

    Parameters
    ----------
    starts
        int64, (n, 2): first column and row of each, in working pixels.
    labels
        int64, (n,).
    """

    starts: NDArray[np.int64]
    labels: NDArray[np.int64]

    @classmethod
    def joined(cls, sets: Sequence[PatchSet]) -> PatchSet:
        """Return the patches of all sets, one set after the other."""
        starts = np.concatenate([np.zeros((0, 2), np.int64), *(patches.starts for patches in sets)])
        return cls(starts, np.concatenate([np.zeros(0, np.int64), *(patches.labels for patches in sets)]))

    def where(self, kept: NDArray[np.bool_]) -> PatchSet:
        """Return those that are kept; bool, (n,)."""
        return PatchSet(self.starts[kept], self.labels[kept])


@dataclass(frozen=True, slots=True, eq=False)
class PatchGround:
    """A slide, as patches see it.

    Parameters
    ----------
    extent
        The slide on its working grid.
    tissue
        Of the slide.
    options
        Size, stride, rules.
    """

    extent: Window
    tissue: TissueMask
    options: PatchOptions

    @property
    def cells(self) -> Window:
        """The lattice's cells, of a stride each, under all its patches: ``patch_px / stride_px`` per patch and side.

        Patches lie wholly on the slide, unless it is smaller than one; then there is one from its origin.
        """
        stride, patch = self.options.stride_px, self.options.patch_px
        columns, rows = ((max(0, s - patch) + patch) // stride for s in (self.extent.width, self.extent.height))
        return Window(0, 0, columns, rows, self.extent.downsample * stride)

    def sum_cells(self, cells: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return the sum over the cells of each patch; the last two axes are rows and columns."""
        per_patch = self.options.patch_px // self.options.stride_px
        total = np.asarray(cells, np.float64)
        for axis in (-2, -1):
            total = np.lib.stride_tricks.sliding_window_view(total, per_patch, axis=axis).sum(axis=-1)
        return total

    @property
    def pixels_on_slide(self) -> int:
        """Working pixels of a patch of the lattice that the slide fills: all, but on slides that are smaller."""
        patch = self.options.patch_px
        return min(patch, self.extent.width) * min(patch, self.extent.height)

    def tissue_share(self, start: Sequence[int]) -> float:
        """Return the share of tissue in what of a patch lies on the slide."""
        side = self.options.patch_px
        inside = Window(start[0], start[1], side, side, self.extent.downsample).intersection(self.extent)
        return 0.0 if inside is None else self.tissue.fraction(inside.to_region())

    def overlapping(self, patches: PatchSet, areas: Sequence[BaseGeometry]) -> NDArray[np.bool_]:
        """Say which patches share more than edges with some level-0 areas."""
        if not areas:
            return np.zeros(len(patches.starts), np.bool_)
        union, boxes = shapely.union_all(areas), self._boxes(patches)
        shapely.prepare(union)
        return np.asarray(shapely.intersects(union, boxes) & ~shapely.touches(union, boxes), np.bool_)

    def share_outside(self, patches: PatchSet, areas: Sequence[BaseGeometry]) -> NDArray[np.float64]:
        """Return the share of each patch that lies outside some level-0 areas."""
        if not areas:
            return np.ones(len(patches.starts))
        boxes = self._boxes(patches)
        return np.asarray(shapely.area(shapely.difference(boxes, shapely.union_all(areas))) / shapely.area(boxes))

    def _boxes(self, patches: PatchSet) -> NDArray[np.object_]:
        ends = patches.starts + self.options.patch_px
        return np.asarray(shapely.box(*(np.hstack((patches.starts, ends)) * self.extent.downsample).T), dtype=object)
