"""Stains: what light two dyes take from each pixel, found in the picture itself, and one picture dyed like another.

Macenko et al., "A method for normalizing histology slides for quantitative analysis", ISBI 2009. By Beer and Lambert
the optical density ``OD = −log10(I / 255)`` of a pixel is the sum of its dyes' unit vectors, each times its amount.
So all pixels of H&E lie in one plane through the origin, between the two vectors::

    red OD
      |      . · haematoxylin     pixels: OD longer than β
      |   . · ·                   plane: the two first right singular vectors of all pixels
      | . · · ·                   vectors: the pixels' angles in it, at the percentiles α and 100 − α
      |· · · · ·  eosin           strengths: percentile 99 of each amount
      +-------------- other

The paper calls glass what has an "OD intensity less than β"; we read the vector's length, for a bound on each channel
(as widespread code has it) takes out pure eosin, which hardly darkens red. Two more choices are ours: what is black
(beyond the scan, ink) is no dye and left out, and strengths are those of the tissue's pixels alone, so that a tile's
share of glass doesn't change its colours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
"""uint8, shape (height, width, 3)."""

_WHITE = 255.0
_STRENGTH_PERCENTILE = 99.0
_BLACK = 1.2  # decimal optical density in all three channels: RGB below 16; no dye darkens all that far
_MIN_STRENGTH = 1e-3


@dataclass(frozen=True, slots=True)
class MacenkoOptions:
    """How stains are looked for.

    Parameters
    ----------
    alpha
        Percentile of the angles taken as one stain's, 100 − alpha as the other's: robust extremes.
    beta
        Optical density (decimal) above which a pixel is more than glass.
    min_share
        Share of the pixels that must be tissue, neither glass nor black, for anything to be found. Ours.
    min_degrees
        Least angle between the two vectors; below it the picture shows one dye, and telling two apart would only raise
        its noise. Ours.
    """

    alpha: float = 1.0
    beta: float = 0.15
    min_share: float = 0.01
    min_degrees: float = 3.0


@dataclass(frozen=True, slots=True)
class Stains:
    """The two dyes of a picture; plain numbers, so that a card can hold them.

    Parameters
    ----------
    haematoxylin, eosin
        Unit vectors of decimal optical density, (red, green, blue).
    strengths
        Percentile 99 of the tissue's amounts of each, in that order.
    """

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    strengths: tuple[float, float]

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Both vectors, shape (2, 3)."""
        return np.array((self.haematoxylin, self.eosin))


def find_stains(pixels: Rgb, options: MacenkoOptions | None = None) -> Stains | None:
    """Return the two dyes of a picture, haematoxylin the one that takes more of red; None where there aren't two.

    The same pixels give the same stains; their order doesn't matter.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3). Glass, black, one dye alone or one colour alone give None.
    options
        How to look.

    Raises
    ------
    ValueError
        The pixels are of another type or shape.
    """
    options = options or MacenkoOptions()
    density = optical_density(pixels).reshape(-1, 3)
    tissue = density[(np.linalg.norm(density, axis=1) > options.beta) & (density.min(axis=1) < _BLACK)]
    if len(tissue) < max(2.0, options.min_share * len(density)):
        return None
    vectors = _extreme_vectors(tissue, options.alpha)
    if np.degrees(np.arccos(np.clip(vectors[0] @ vectors[1], -1, 1))) < options.min_degrees:
        return None
    strengths = np.percentile(tissue @ np.linalg.pinv(vectors), _STRENGTH_PERCENTILE, axis=0)
    return _stains(vectors, strengths) if strengths.min() > _MIN_STRENGTH else None


def separate_stains(pixels: Rgb, stains: Stains) -> NDArray[np.float64]:
    """Return how much of each dye is in each pixel, by least squares: float64, shape (height, width, 2).

    Haematoxylin first. Below 0 where a pixel's colour lies outside the two.
    """
    amounts: NDArray[np.float64] = optical_density(pixels) @ np.linalg.pinv(stains.vectors)
    return amounts


def combine_stains(amounts: NDArray[np.float64], stains: Stains) -> Rgb:
    """Return the picture that amounts of two dyes give: uint8, shape (height, width, 3).

    Parameters
    ----------
    amounts
        Shape (height, width, 2), as of `separate_stains`.
    stains
        The dyes' vectors; their strengths play no part.
    """
    light = _WHITE * 10.0 ** -(amounts @ stains.vectors)
    return light.clip(0, _WHITE).round().astype(np.uint8)


def normalize_stains(pixels: Rgb, reference: Stains, own: Stains | None = None) -> Rgb:
    """Return the picture as if it had been dyed like the reference: same vectors, same percentile 99 of each amount.

    What of a colour lies outside the plane of the two dyes is lost, as in the paper.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3).
    reference
        Stains of the one reference picture.
    own
        Stains of this picture, or of the slide it comes from; None finds them in the picture. Where there aren't two
        dyes to find, a copy of the pixels comes back unchanged.
    """
    own = own or find_stains(pixels)
    if own is None:
        return pixels.copy()
    scale = np.array(reference.strengths) / np.array(own.strengths)
    return combine_stains(separate_stains(pixels, own) * scale, reference)


def optical_density(pixels: Rgb) -> NDArray[np.float64]:
    """Return ``−log10(max(I, 1) / 255)``: 0 for white, 2.41 for black; float64, the pixels' shape.

    Raises
    ------
    ValueError
        The pixels are not uint8, or not of shape (height, width, 3).
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"stains need uint8 pixels (height, width, 3), got {pixels.dtype} {pixels.shape}")
    table: NDArray[np.float64] = -np.log10(np.maximum(np.arange(256.0), 1.0) / _WHITE)
    density: NDArray[np.float64] = table[pixels]
    return density


def _extreme_vectors(tissue: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return the unit vectors at the robust ends of the pixels' angles in their plane, shape (2, 3)."""
    plane = _plane(tissue)
    across = tissue @ plane.T
    angles = np.arctan2(across[:, 1], across[:, 0])
    ends = np.radians(np.percentile(np.degrees(angles), (alpha, 100 - alpha)))
    vectors: NDArray[np.float64] = np.stack([np.cos(ends), np.sin(ends)], axis=1) @ plane
    return vectors


def _plane(tissue: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first two right singular vectors, shape (2, 3), by way of the 3 × 3 products: as good, and small.

    The first points the way of the pixels, so that their angles lie about 0 and never wrap.
    """
    _, vectors = np.linalg.eigh(tissue.T @ tissue)
    first, second = vectors[:, 2], vectors[:, 1]
    return np.stack([first * np.sign(first.sum()), second * np.sign(second[0] or 1.0)])


def _stains(vectors: NDArray[np.float64], strengths: NDArray[np.float64]) -> Stains:
    order = (0, 1) if vectors[0, 0] >= vectors[1, 0] else (1, 0)
    (h, e), (hs, es) = vectors[list(order)].tolist(), strengths[list(order)].tolist()
    return Stains((h[0], h[1], h[2]), (e[0], e[1], e[2]), (hs, es))
