"""Rules that tell tissue from glass on a thumbnail: RGB in, mask out.

scipy.ndimage takes a quarter of a second to load, so the functions that need it import it themselves.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from bridge.slides.base import RgbPixels

Mask = npt.NDArray[np.bool_]
"""bool, shape (height, width)."""

_DARK = 48
_COLOURLESS = 0.02
_NEAR_WHITE = 0.8
_HAIL_DOWNSAMPLE, _HAIL_SIGMA, _HAIL_DIAMOND, _HAIL_SATURATION = 16.0, 20.0, 20, 0.05
_H2G_SATURATION = 20 / 255
_L2S_SHARE = 0.1
_ARS_SIGMA = 1.1


class TissueRule(Enum):
    """How tissue is told from glass."""

    SATURATION = "saturation"
    """Ours: Otsu on HSV saturation, kept between a floor and a ceiling, then specks and small gaps removed."""
    HAIL = "hail"
    """H-AI-L: saturation blurred (σ 20 at downsample 16) above 0.05, grown by a diamond of 20, holes filled."""
    H2G = "h2g"
    """H2G-Net: saturation at least 20 of 255, as its code means it."""
    L2S = "l2s"
    """Learning to segment: saturation above 10 % of its maximum, holes filled, opened."""
    ARS = "ars"
    """Adaptive region selection: Otsu on blurred grey. Halves a picture that is all tissue."""
    WHOLE = "whole"
    """Everything is tissue: radiology, or pictures that no rule fits."""


def saturation(pixels: RgbPixels) -> npt.NDArray[np.uint8]:
    """Return HSV saturation, 0 to 255, shape (height, width); damped where it is too dark for colour to mean much."""
    brightest: npt.NDArray[np.uint8] = pixels.max(axis=2)
    chroma = (brightest - pixels.min(axis=2)).astype(np.uint16)
    return np.asarray(chroma * 255 // np.maximum(brightest, _DARK), dtype=np.uint8)


def otsu(values: npt.NDArray[np.uint8]) -> int:
    """Return the threshold t that best splits values into ≤ t and > t (Otsu 1979); of constant values, the constant."""
    counts = np.bincount(values.ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    moment = (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    between = np.where((below > 0) & (above > 0), (moment[-1] * below - moment * below[-1]) ** 2, 0.0)
    between /= np.maximum(below * above, 1.0)
    return int(between.argmax()) if between.any() else int(values.flat[0])


def by_saturation(pixels: RgbPixels, floor: float, ceiling: float) -> Mask:
    """Threshold saturation by Otsu, but never below the floor or above the ceiling (both 0 to 1).

    Otsu always finds two halves. Glass alone lies below the floor, so nothing of it becomes tissue; tissue alone lies
    above the ceiling, so all of it stays. A picture without colour (radiology, grey scans) is told by brightness.
    """
    from scipy import ndimage

    values = saturation(pixels)
    if np.percentile(values, 99) < _COLOURLESS * 255:
        return np.asarray(pixels.max(axis=2) < _NEAR_WHITE * 255)
    smooth = ndimage.gaussian_filter(values, 1.0)
    return np.asarray(smooth > np.clip(otsu(smooth), floor * 255, ceiling * 255))


def by_hail(pixels: RgbPixels, downsample: float) -> Mask:
    """Apply H-AI-L's rule, its lengths converted from downsample 16 to that of the thumbnail."""
    from scipy import ndimage

    scale = _HAIL_DOWNSAMPLE / downsample
    smooth = ndimage.gaussian_filter(saturation(pixels).astype(np.float32), _HAIL_SIGMA * scale)
    seed = smooth > _HAIL_SATURATION * 255
    if not seed.any():
        return seed
    distance = ndimage.distance_transform_cdt(~seed, metric="taxicab")
    return np.asarray(ndimage.binary_fill_holes(distance <= _HAIL_DIAMOND * scale), dtype=np.bool_)


def by_h2g(pixels: RgbPixels) -> Mask:
    """Apply H2G-Net's rule."""
    return saturation(pixels) >= round(_H2G_SATURATION * 255)


def by_l2s(pixels: RgbPixels) -> Mask:
    """Apply the rule of Learning to segment with classification labels."""
    from scipy import ndimage

    values = saturation(pixels)
    filled = ndimage.binary_fill_holes(values > _L2S_SHARE * float(values.max()))
    opened = ndimage.binary_opening(np.pad(filled, 2, mode="edge"))  # the picture's corners are no corners of tissue
    return np.asarray(opened[2:-2, 2:-2], dtype=np.bool_)


def by_ars(pixels: RgbPixels) -> Mask:
    """Apply the rule of Adaptive region selection: darker than Otsu's threshold of blurred grey."""
    from scipy import ndimage

    grey = (pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.uint8)
    smooth = ndimage.gaussian_filter(grey, _ARS_SIGMA)
    threshold = otsu(smooth)
    return smooth <= threshold if smooth.min() < smooth.max() else np.zeros(smooth.shape, dtype=np.bool_)


def close_gaps(mask: Mask, radius: int) -> Mask:
    """Close gaps narrower than 2·radius + 1 pixels (square element); the border neither grows nor erodes."""
    from scipy import ndimage

    size = 2 * radius + 1
    grown = ndimage.maximum_filter(mask.astype(np.uint8), size, mode="nearest")
    return ndimage.minimum_filter(grown, size, mode="nearest") > 0


def drop_small(mask: Mask, min_px: float) -> Mask:
    """Clear connected areas (8 neighbours) of fewer pixels."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3, 3), dtype=np.bool_))
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    keep = sizes >= min_px
    keep[0] = False
    return np.asarray(keep[labels])
