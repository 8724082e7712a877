"""Stain jitter: tiles as if more or less of each dye had been taken; one 3 × 3 matrix and one shift of optical density.

Each amount becomes ``a·amount + b`` (Tellez et al., "Whole-slide mitosis detection in H&E breast histology using PHH3
as a reference to train distilled stain-invariant convolutional networks", IEEE TMI 2018; H2G-Net with Macenko's
vectors). With the dyes' vectors V as rows, P their pseudo-inverse and D = diag(a),
``OD' = OD (1 + P (D − 1) V) + b V``. What lies outside the dyes' plane stays, so a jitter of 0 changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.data.share import Portion
from models.data.stains import MacenkoOptions, find_stains

_WHITE = 255.0


class StainVectors(Enum):
    """Whose dyes are changed."""

    HED = "hed"
    """Haematoxylin, eosin and DAB as measured once (Ruifrok and Johnston 2001; scikit-image's), for every tile."""
    MACENKO = "macenko"
    """The two dyes that each tile itself shows; a tile that shows none, glass above all, is left as it is."""


@dataclass(frozen=True, slots=True)
class StainJitterOptions:
    """How much tiles are re-dyed.

    Parameters
    ----------
    vectors
        Whose dyes.
    share
        Share of the tiles that are changed.
    strength
        Largest change of an amount as a factor: 0.1 is 0.9 to 1.1.
    offset
        Largest shift of an amount, either way, in natural optical density along a unit vector; it tints glass, too.
    """

    vectors: StainVectors = StainVectors.MACENKO
    share: float = 0.5
    strength: float = 0.1
    offset: float = 0.1


class StainJitter:
    """Re-dyes tiles at random, the same way for the same generator.

    Parameters
    ----------
    options
        How much. The defaults are H2G-Net's.
    macenko
        How a tile's own dyes are found.
    """

    def __init__(self, options: StainJitterOptions | None = None, macenko: MacenkoOptions | None = None) -> None:
        self._options = options or StainJitterOptions()
        self._macenko = macenko or MacenkoOptions()

    def __call__(self, images: Tensor, generator: np.random.Generator, portion: Portion | None = None) -> Tensor:
        """Return changed tiles; the input stays as it is.

        Parameters
        ----------
        images
            float32, shape (n, 3, height, width), 0–255.
        generator
            Decides all; the draws are as many whatever the tiles show.
        portion
            Which tiles of a batch these are: they are changed as they would be within it. None: all of them.
        """
        matrices, shifts = self._changes(images, generator, portion or Portion.whole(len(images)))
        density = -torch.log(images.clamp(1, _WHITE) / _WHITE)
        changed = torch.einsum("nij,niyx->njyx", matrices.to(images), density) + shifts.to(images)[:, :, None, None]
        untouched = (matrices == torch.eye(3)).all(dim=(1, 2)) & (shifts == 0).all(dim=1)
        redyed = (_WHITE * torch.exp(-changed)).clamp_(0, _WHITE)
        return torch.where(untouched.to(images.device)[:, None, None, None], images, redyed)

    def _changes(self, images: Tensor, generator: np.random.Generator, portion: Portion) -> tuple[Tensor, Tensor]:
        options, count, size, rows = self._options, len(images), portion.size, portion.rows
        chosen = (generator.random(size) < options.share)[rows]
        factors = 1 + generator.uniform(-1, 1, (size, 3))[rows] * options.strength
        offsets = generator.uniform(-1, 1, (size, 3))[rows] * options.offset
        matrices, shifts = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3))
        for index in np.flatnonzero(chosen):
            vectors = self._vectors(images[index])
            if vectors is not None:
                matrices[index], shifts[index] = _redyeing(vectors, factors[index], offsets[index])
        return torch.from_numpy(matrices), torch.from_numpy(shifts)

    def _vectors(self, image: Tensor) -> NDArray[np.float64] | None:
        if self._options.vectors is StainVectors.HED:
            return _hed_vectors()
        pixels = image.detach().permute(1, 2, 0).round().clamp(0, _WHITE).to("cpu", torch.uint8).numpy()
        stains = find_stains(pixels, self._macenko)
        return None if stains is None else stains.vectors


def _hed_vectors() -> NDArray[np.float64]:
    from skimage.color import rgb_from_hed  # here, for only training needs it

    vectors = np.asarray(rgb_from_hed, dtype=np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _redyeing(
    vectors: NDArray[np.float64], factors: NDArray[np.float64], offsets: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return matrix (3, 3) and shift (3,) for rows of optical density; surplus factors and offsets are not used."""
    count = len(vectors)
    matrix = np.eye(3) + np.linalg.pinv(vectors) @ np.diag(factors[:count] - 1) @ vectors
    return matrix, offsets[:count] @ vectors
