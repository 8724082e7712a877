"""Hot-spots: where a low-resolution pass says that looking closer is worth it (H-AI-L's DeepZoom)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bridge.coords import Region, Window, um2_to_px2, um_to_px
from bridge.raster import ProbabilityMap
from bridge.slides import TissueMask


@dataclass(frozen=True, slots=True)
class HotSpotOptions:
    """From low-resolution probabilities to areas (``[deepzoom]``).

    Parameters
    ----------
    threshold
        Least probability of *any class but background*. Below one half: what the first pass misses is lost.
    min_area_um2
        Smaller spots are noise. The paper's 650 px at 0.25 µm.
    padding_um
        Grown on every side, so that outlines are seen with their surroundings. The paper's 50 px at 0.25 µm.
    """

    threshold: float = 0.3
    min_area_um2: float = 40.0
    padding_um: float = 12.5


@dataclass(frozen=True, eq=False)
class HotSpots:
    """Areas worth a closer look, on the low-resolution grid.

    Parameters
    ----------
    mask
        True is hot; over ``mask.window``, nothing outside.
    """

    mask: TissueMask

    def fraction(self, region: Region) -> float:
        """Return the share of a level-0 region that is hot, 0 to 1."""
        return self.mask.fraction(region)

    def over(self, window: Window) -> NDArray[np.bool_]:
        """Return which pixels of a window of any downsample are hot, by their centres; shape ``window.shape``."""
        grid = self.mask.window
        scale = window.downsample / grid.downsample
        rows = _cells(window.y, window.height, scale) - grid.y
        columns = _cells(window.x, window.width, scale) - grid.x
        row_in, column_in = (rows >= 0) & (rows < grid.height), (columns >= 0) & (columns < grid.width)
        hot = self.mask.mask[np.ix_(rows.clip(0, grid.height - 1), columns.clip(0, grid.width - 1))]
        return np.asarray(hot & row_in[:, None] & column_in)

    def keep(self, band: ProbabilityMap) -> ProbabilityMap:
        """Return the map with certain background wherever it is not hot."""
        hot = self.over(band.window)
        if hot.all():
            return band
        if not hot.any():  # one pixel, shown everywhere
            background = np.eye(1, len(band.names), dtype=np.float32)[0][:, None, None]
            return replace(band, probabilities=np.broadcast_to(background, band.probabilities.shape))
        values = np.where(hot, band.probabilities, np.float32(0))
        values[0][~hot] = 1
        return replace(band, probabilities=values)


def find_hot_spots(
    bands: Iterable[ProbabilityMap], extent: Window, mpp: tuple[float, float], options: HotSpotOptions | None = None
) -> HotSpots:
    """Find the hot-spots of a low-resolution prediction.

    Parameters
    ----------
    bands
        Maps within ``extent``, of its downsample; what none covers is cold.
    extent
        Window of the whole result.
    mpp
        (x, y) µm per level-0 pixel, for the options' areas and lengths.
    options
        Threshold, least size, padding.
    """
    options = options or HotSpotOptions()
    hot = np.zeros(extent.shape, np.bool_)
    for band in bands:
        hot[extent.slices(band.window)] = 1 - band.probabilities[0] >= options.threshold
    pixel_mpp = (mpp[0] * extent.downsample, mpp[1] * extent.downsample)
    hot = _without_specks(hot, um2_to_px2(options.min_area_um2, pixel_mpp))
    return HotSpots(TissueMask(_padded(hot, um_to_px(options.padding_um, pixel_mpp)), extent))


def _cells(start: int, count: int, scale: float) -> NDArray[np.int64]:
    """Return the coarse pixel under the centre of each of some fine ones."""
    return np.asarray(np.floor((np.arange(start, start + count) + 0.5) * scale), np.int64)


def _without_specks(hot: NDArray[np.bool_], min_px: float) -> NDArray[np.bool_]:
    labels, count = ndimage.label(hot)
    if min_px <= 1 or count == 0:
        return hot
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= min_px)[labels])


def _padded(hot: NDArray[np.bool_], padding_px: float) -> NDArray[np.bool_]:
    radius = int(np.ceil(padding_px))
    if radius < 1 or not hot.any():
        return hot
    # A square, as the paper's padded boxes; a maximum filter's cost doesn't grow with it.
    return np.asarray(ndimage.maximum_filter(hot, size=2 * radius + 1, mode="constant"))
