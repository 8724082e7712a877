"""Where the tissue is on a slide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bridge.coords import Region, Window, downsample_for, um2_to_px2, um_to_px
from bridge.slides.base import RgbPixels, Slide
from bridge.slides.tissue_rules import (
    Mask,
    TissueRule,
    by_ars,
    by_h2g,
    by_hail,
    by_l2s,
    by_saturation,
    close_gaps,
    drop_small,
)

_UNKNOWN_MPP = 0.5
_LEAST_PX = 64


@dataclass(frozen=True, slots=True)
class TissueOptions:
    """How the tissue mask is made. Areas and lengths take 0.5 µm per pixel where a slide has no mpp.

    Parameters
    ----------
    rule
        How tissue is told from glass; the fields below it belong to ``TissueRule.SATURATION``.
    mask_mpp
        µm per mask pixel; coarse enough that nuclei and the gaps between cells are one thing.
    max_px
        Longer side of the mask at most, in pixels: bounds memory; wins over ``mask_mpp``.
    min_saturation, max_saturation
        Otsu's threshold is kept in this range (0 to 1). Glass measures below 0.03, stained tissue above 0.08; raise
        the second for slides with tinted glass.
    min_area_um2
        Smaller specks are glass (dust); never more than 1 % of the mask.
    close_um
        Narrower gaps belong to the tissue; never more than 1/16 of the mask's shorter side.
    max_hole_um2
        Smaller holes belong to the tissue; never more than 1 % of the mask.
    """

    rule: TissueRule = TissueRule.SATURATION
    mask_mpp: float = 8.0
    max_px: int = 2048
    min_saturation: float = 0.04
    max_saturation: float = 0.08
    min_area_um2: float = 10_000.0
    close_um: float = 24.0
    max_hole_um2: float = 50_000.0


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Tissue on the coarse grid of one window, the whole slide.

    Parameters
    ----------
    mask
        bool, shape ``window.shape``; True is tissue. Outside the window nothing is.
    window
        What the mask covers.
    """

    mask: Mask
    window: Window

    def __post_init__(self) -> None:
        if self.mask.shape != self.window.shape:
            raise ValueError(f"a mask of shape {self.mask.shape} does not fit a window of shape {self.window.shape}")

    @property
    def area(self) -> float:
        """Tissue in level-0 px²."""
        return float(np.count_nonzero(self.mask)) * self.window.downsample**2

    def coverage(self, window: Window) -> npt.NDArray[np.float32]:
        """Return the share of tissue in each pixel of a window of any downsample.

        Returns
        -------
        float32 array, shape ``window.shape``
            0 to 1, exact: mask pixels that a pixel covers in part count by their part.
        """
        d = window.downsample
        columns = np.arange(window.x, window.right + 1, dtype=np.float64) * d
        rows = np.arange(window.y, window.bottom + 1, dtype=np.float64) * d
        shares = np.diff(np.diff(self._integral_at(rows, columns), axis=0), axis=1)
        shares *= (self.window.downsample / d) ** 2
        return np.clip(shares, 0.0, 1.0).astype(np.float32)

    def fraction(self, region: Region) -> float:
        """Return the share of a region that is tissue, 0 to 1, exact."""
        left, top, right, bottom = region.bounds
        corners = self._integral_at(np.array([top, bottom], np.float64), np.array([left, right], np.float64))
        covered = (corners[1, 1] - corners[1, 0]) - (corners[0, 1] - corners[0, 0])
        return float(np.clip(covered * self.window.downsample**2 / region.area, 0.0, 1.0))

    def tiles(self, tile_px: int, downsample: float, *, min_fraction: float = 0.0) -> Iterator[Window]:
        """Cut the window into tiles of a downsample and yield those with tissue, row by row.

        Parameters
        ----------
        tile_px
            Side in pixels of that downsample; tiles at the right and bottom border keep their full size.
        min_fraction
            Least share of tissue in a tile; with 0 any tissue at all is enough.
        """
        side = tile_px * downsample
        grid = Window.covering(self.window.to_region(), side)
        shares = self.coverage(grid)
        for row, column in np.argwhere((shares > 0) & (shares >= min_fraction)).tolist():
            yield Window((grid.x + column) * tile_px, (grid.y + row) * tile_px, tile_px, tile_px, downsample)

    @cached_property
    def _integral(self) -> npt.NDArray[np.int32]:
        """Tissue pixels above and left of each pixel corner, shape (height + 1, width + 1)."""
        integral = np.zeros((self.mask.shape[0] + 1, self.mask.shape[1] + 1), dtype=np.int32)
        np.cumsum(self.mask, axis=1, dtype=np.int32, out=integral[1:, 1:])
        np.cumsum(integral[1:, 1:], axis=0, out=integral[1:, 1:])
        return integral

    def _integral_at(self, rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Interpolate the integral at level-0 coordinates: exact, since the mask is constant within a pixel."""
        d = self.window.downsample
        column_from, column_part = _split(columns / d - self.window.x, self.window.width)
        row_from, row_part = _split(rows / d - self.window.y, self.window.height)
        left = self._integral[:, column_from].astype(np.float64)
        along = left + (self._integral[:, column_from + 1] - left) * column_part
        above = along[row_from]
        return np.asarray(above + (along[row_from + 1] - above) * row_part[:, None])


def tissue_mask(slide: Slide, options: TissueOptions | None = None) -> TissueMask:
    """Find the tissue on a thumbnail of the slide.

    Robust where Otsu alone is not: a picture that is all tissue stays whole, an empty one stays empty, and one
    without colour is told by brightness.

    Raises
    ------
    SlideError
        The slide can't be read.
    """
    options = options or TissueOptions()
    mpp = slide.pyramid.mpp or (_UNKNOWN_MPP, _UNKNOWN_MPP)
    window = _mask_window(slide, options, mpp)
    if options.rule is TissueRule.WHOLE:
        return TissueMask(np.ones(window.shape, dtype=np.bool_), window)
    return TissueMask(_apply(slide.read_window(window), window, options, mpp), window)


def _mask_window(slide: Slide, options: TissueOptions, mpp: tuple[float, float]) -> Window:
    longest = max(slide.pyramid.dimensions[0])
    # A small picture keeps enough pixels for the morphology to mean anything.
    wanted = min(downsample_for(mpp, options.mask_mpp), max(1.0, longest / _LEAST_PX))
    return slide.thumbnail_window(min(options.max_px, max(1, int(longest / wanted))))


def _apply(pixels: RgbPixels, window: Window, options: TissueOptions, mpp: tuple[float, float]) -> Mask:
    match options.rule:
        case TissueRule.HAIL:
            return by_hail(pixels, window.downsample)
        case TissueRule.H2G:
            return by_h2g(pixels)
        case TissueRule.L2S:
            return by_l2s(pixels)
        case TissueRule.ARS:
            return by_ars(pixels)
        case _:
            mask = by_saturation(pixels, options.min_saturation, options.max_saturation)
            return _clean(mask, window, options, mpp)


def _clean(mask: Mask, window: Window, options: TissueOptions, mpp: tuple[float, float]) -> Mask:
    pixel_mpp = (mpp[0] * window.downsample, mpp[1] * window.downsample)
    most = mask.size / 100
    mask = drop_small(mask, min(most, um2_to_px2(options.min_area_um2, pixel_mpp)))
    radius = min(int(um_to_px(options.close_um, pixel_mpp) / 2), min(mask.shape) // 32)
    mask = close_gaps(mask, radius)
    return ~drop_small(~mask, min(most, um2_to_px2(options.max_hole_um2, pixel_mpp)))


def _split(positions: npt.NDArray[np.float64], size: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return (index of the corner before, part of the way to the next); positions outside are moved to the border."""
    inside = np.clip(positions, 0, size)
    before = np.minimum(np.floor(inside).astype(np.int64), size - 1)
    return before, inside - before
