"""Augmentation of a batch: flips, quarter turns, slight warps, colour; labels go with the pixels, step for step.

Warps are MONAI's; flips and turns are exact and free in NumPy. Colour, which MONAI lacks, is one 3 × 3 matrix a tile
(hue is a turn about the grey axis, saturation a stretch away from it, brightness a factor) and a power of lightness;
a heat map in the fourth channel goes with the pixels but has no colour.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.share import Portion

Batch = tuple[Tensor, Tensor]

_GREY = np.full(3, 1 / np.sqrt(3))
_TURN = np.cross(np.eye(3), _GREY)  # generator of rotations about the grey axis
_ALONG = np.outer(_GREY, _GREY)


@dataclass(frozen=True, slots=True)
class AugmentationOptions:
    """How much tiles are changed (``[augmentation]``).

    Parameters
    ----------
    flips
        Flips and quarter turns, all eight alike.
    warp_share
        Share of tiles that are warped: turned, zoomed and bent.
    turn_radians
        Largest turn, either way.
    zoom
        Largest change of scale: 0.15 is 0.85 to 1.15.
    bend
        Largest distortion of a 4 × 4 grid, as a share of a cell.
    hue_radians, saturation, brightness, lightness
        Standard deviations: of the hue's angle, and of the logarithms of the other three (lightness: of its power).
    """

    flips: bool = True
    warp_share: float = 0.5
    turn_radians: float = 0.3
    zoom: float = 0.15
    bend: float = 0.1
    hue_radians: float = 0.1
    saturation: float = 0.15
    brightness: float = 0.08
    lightness: float = 0.1

    @classmethod
    def none(cls) -> AugmentationOptions:
        """Return options that leave tiles as they are."""
        return cls(False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class _Warp(threading.local):
    """MONAI's warp, one for each thread that asks: it holds the random state of the tile at hand."""

    def __init__(self, options: AugmentationOptions) -> None:
        self.transform = _make_warp(options)


class Augmentation:
    """Changes tiles at random, the same way for the same generator; in several threads at once, too.

    Parameters
    ----------
    options
        How much.
    """

    def __init__(self, options: AugmentationOptions | None = None) -> None:
        self._options = options or AugmentationOptions()
        self._warp = _Warp(self._options) if self._options.warp_share > 0 else None

    def __call__(
        self,
        pixels: NDArray[np.uint8],
        labels: NDArray[np.uint8],
        generator: np.random.Generator,
        portion: Portion | None = None,
    ) -> Batch:
        """Return a changed batch.

        Parameters
        ----------
        pixels
            uint8, (n, side, side, 3 or 4): RGB, and a heat map.
        labels
            uint8, (n, side, side).
        generator
            Decides all.
        portion
            Which tiles of a batch these are: they are changed as they would be within it. None: all of them.

        Returns
        -------
        tuple of Tensor
            Pixels float32 (n, 3 or 4, side, side), 0–255; labels int64 (n, side, side), 255 where a warp shows what
            lies beyond the tile.
        """
        portion = portion or Portion.whole(len(pixels))
        if self._options.flips:
            pixels, labels = _flip(pixels, labels, generator, portion)
        images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float()
        masks = torch.from_numpy(np.ascontiguousarray(labels))
        if self._warp is not None:
            images, masks = self._bend(self._warp.transform, images, masks, generator, portion)
        images[:, :3] = self._recolor(images[:, :3], generator, portion)
        return images, masks.long()

    def _bend(
        self, warp: Any, images: Tensor, masks: Tensor, generator: np.random.Generator, portion: Portion
    ) -> Batch:
        chosen = (generator.random(portion.size) < self._options.warp_share)[portion.rows]
        seeds = generator.integers(2**31, size=portion.size)[portion.rows]
        for index in np.flatnonzero(chosen):
            images[index], masks[index] = _warp_one(warp, images[index], masks[index], int(seeds[index]))
        return images, masks

    def _recolor(self, images: Tensor, generator: np.random.Generator, portion: Portion) -> Tensor:
        matrices, powers = (each[portion.rows] for each in _color_changes(self._options, portion.size, generator))
        colored = torch.einsum("nij,njyx->niyx", torch.from_numpy(matrices), images).clamp_(0, 255)
        lightness = torch.from_numpy(powers).view(-1, 1, 1, 1)
        return (colored / 255).clamp_(min=1e-4).pow_(lightness).mul_(255)


def to_tensors(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Batch:
    """Return a batch as it is, in the types of an augmented one."""
    return (
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float(),
        torch.from_numpy(labels.astype(np.int64)),
    )


def _flip(
    pixels: NDArray[np.uint8], labels: NDArray[np.uint8], generator: np.random.Generator, portion: Portion
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    turns = generator.integers(4, size=portion.size)[portion.rows]
    mirrored = generator.integers(2, size=portion.size)[portion.rows]
    changed_pixels, changed_labels = np.empty_like(pixels), np.empty_like(labels)
    for index, (turn, is_mirrored) in enumerate(zip(turns, mirrored, strict=True)):
        step = -1 if is_mirrored else 1
        changed_pixels[index] = np.rot90(pixels[index], turn)[:, ::step]
        changed_labels[index] = np.rot90(labels[index], turn)[:, ::step]
    return changed_pixels, changed_labels


def _make_warp(options: AugmentationOptions) -> Any:  # Any: MONAI has no types
    # Here, for it takes two seconds, and only training needs it.
    from monai.transforms.compose import Compose
    from monai.transforms.spatial.dictionary import RandAffined, RandGridDistortiond

    keys, mode, padding = ("pixels", "labels"), ("bilinear", "nearest"), ("reflection", "zeros")
    turn, zoom = options.turn_radians, (options.zoom, options.zoom)
    affine = RandAffined(keys, prob=1.0, rotate_range=turn, scale_range=zoom, mode=mode, padding_mode=padding)
    distortion = RandGridDistortiond(
        keys,
        prob=1.0,
        num_cells=4,
        distort_limit=options.bend,
        mode=mode,  # type: ignore[arg-type]  # takes one per key, its annotation says one
        padding_mode=padding,  # type: ignore[arg-type]
    )
    return Compose([affine, distortion])


def _warp_one(warp: Any, pixels: Tensor, labels: Tensor, seed: int) -> Batch:
    # Labels travel one higher (255 wraps to 0), so that the zeros beyond the border come out as *ignore*.
    warp.set_random_state(seed=seed)
    raised = (labels + 1).float()
    warped = warp({"pixels": pixels, "labels": raised.unsqueeze(0)})
    lowered = warped["labels"].as_tensor()[0].round().to(torch.uint8) - 1
    return warped["pixels"].as_tensor(), lowered


def _color_changes(
    options: AugmentationOptions, count: int, generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (count, 3, 3) matrices for RGB columns and (count,) powers of the lightness."""
    hue = generator.normal(0, 1, (count, 1, 1)) * options.hue_radians
    saturation = np.exp(generator.normal(0, 1, (count, 1, 1)) * options.saturation)
    brightness = np.exp(generator.normal(0, 1, (count, 1, 1)) * options.brightness)
    across = np.cos(hue) * (np.eye(3) - _ALONG) + np.sin(hue) * _TURN
    powers = np.exp(generator.normal(0, 1, count) * options.lightness)
    return ((_ALONG + saturation * across) * brightness).astype(np.float32), powers.astype(np.float32)
