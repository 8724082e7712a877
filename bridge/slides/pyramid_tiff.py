"""Writing a tiled pyramidal TIFF that OpenSlide opens as ``generic-tiff``."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from bridge.slides.base import RgbPixels

_UM_PER_CM = 10_000.0


class TiffCompression(Enum):
    """How tiles are packed."""

    JPEG = "jpeg"
    """What scanners use; lossy."""
    DEFLATE = "adobe_deflate"
    """Lossless, some four times the size."""


def write_pyramid(
    path: Path,
    pixels: RgbPixels,
    mpp: tuple[float, float],
    *,
    compression: TiffCompression = TiffCompression.JPEG,
    quality: int = 90,
    tile_px: int = 256,
    smallest_px: int = 512,
) -> None:
    """Write pixels and their halved levels as one TIFF; the same input gives the same bytes.

    Parameters
    ----------
    path
        Replaced if it exists.
    pixels
        uint8, shape (height, width, 3), RGB.
    mpp
        (x, y) µm per pixel, kept in the resolution tags.
    quality
        Of JPEG, 1 to 100.
    tile_px
        Side of a tile, a multiple of 16.
    smallest_px
        Halving ends at the first level whose longer side is at most this.

    Raises
    ------
    ValueError
        The pixels are not RGB, or the mpp is not positive.
    """
    from tifffile import TiffWriter

    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"a slide needs uint8 pixels of shape (height, width, 3), got {pixels.dtype} {pixels.shape}")
    if not min(mpp) > 0:
        raise ValueError(f"mpp must be positive, got {mpp}")
    with TiffWriter(path, bigtiff=pixels.nbytes > 2**31) as tiff:
        for index, level in enumerate(_levels(pixels, smallest_px)):
            scale = (pixels.shape[1] / level.shape[1], pixels.shape[0] / level.shape[0])
            tiff.write(
                _tiles(level, tile_px),
                shape=level.shape,
                dtype=level.dtype,
                subfiletype=1 if index else 0,  # a reduced copy; OpenSlide takes those as further levels
                tile=(tile_px, tile_px),
                resolution=(_UM_PER_CM / (mpp[0] * scale[0]), _UM_PER_CM / (mpp[1] * scale[1])),
                resolutionunit="CENTIMETER",
                photometric="rgb",
                metadata=None,
                software=False,
                **_packing(compression, quality),
            )


def _packing(compression: TiffCompression, quality: int) -> dict[str, Any]:  # tifffile's own keyword arguments
    if compression is TiffCompression.JPEG:  # tifffile turns RGB into YCbCr itself; told "ycbcr" it would not
        return {"compression": "jpeg", "compressionargs": {"level": quality}}
    return {"compression": compression.value, "predictor": True}


def _tiles(pixels: RgbPixels, tile_px: int) -> Iterator[RgbPixels]:
    """Yield full tiles row by row; the border is repeated outwards, for JPEG would smear any other filling inwards."""
    for y in range(0, pixels.shape[0], tile_px):
        for x in range(0, pixels.shape[1], tile_px):
            tile = pixels[y : y + tile_px, x : x + tile_px]
            missing = ((0, tile_px - tile.shape[0]), (0, tile_px - tile.shape[1]), (0, 0))
            yield np.pad(tile, missing, mode="edge")


def _levels(pixels: RgbPixels, smallest_px: int) -> list[RgbPixels]:
    levels = [pixels]
    while max(levels[-1].shape[:2]) > smallest_px:
        levels.append(_halve(levels[-1]))
    return levels


def _halve(pixels: RgbPixels) -> RgbPixels:
    """Return the mean of each 2 × 2 block, rounded; an odd last row or column counts twice."""
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)
