"""How the pixels look that a model was trained on, in numbers small enough for its card."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]
"""float64, shape (tiles, features)."""

_MOST_SPREADS = 3.0  # robust standard deviations: a fold, ink or a tear among the tiles counts as that far and no more
_FEW = 0.1  # share of tiles that may be folds and ink
_PER_MAD = 1.4826  # standard deviations per median absolute deviation, of a normal distribution
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class PixelStatistics:
    """Centre and spread of what training tiles look like.

    Parameters
    ----------
    mean
        Of each feature over the tiles; what the features are, `models.data.appearance` says.
    covariance
        Of the features over the tiles, all slides together: what differs between the slides is part of it.
    mpp, tile_px
        What tiles were measured: another size or resolution gives other numbers.
    tiles, slides
        How many were measured, and of how many slides.
    """

    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    mpp: float
    tile_px: int
    tiles: int
    slides: int

    def __post_init__(self) -> None:
        size = len(self.mean)
        values = [*self.mean, *(value for row in self.covariance for value in row)]
        if len(self.covariance) != size or any(len(row) != size for row in self.covariance):
            raise ValueError(f"a covariance of {size} features has {size} rows and columns")
        if not all(map(math.isfinite, values)):
            raise ValueError("statistics that are not finite")

    @classmethod
    def of(cls, features: Features, *, mpp: float, tile_px: int, slides: int) -> PixelStatistics:
        """Return the statistics of some tiles, at least one.

        Single tiles that look like nothing else pull neither centre nor spread far: each feature is first kept within
        three robust standard deviations (1.4826 times the median absolute deviation) of its median, or as far off as a
        tenth of the tiles are: so many are another tissue, or another of the slides, and no fold.
        """
        middle = np.median(features, axis=0)
        reach = _MOST_SPREADS * _PER_MAD * np.median(np.abs(features - middle), axis=0)
        low, high = np.quantile(features, (_FEW, 1 - _FEW), axis=0)
        kept = np.clip(features, np.minimum(middle - reach, low), np.maximum(middle + reach, high))
        mean = kept.mean(axis=0)
        covariance = (kept - mean).T @ (kept - mean) / len(kept)
        rows = tuple(tuple(row) for row in covariance.round(_DIGITS).tolist())
        return cls(tuple(mean.round(_DIGITS).tolist()), rows, mpp, tile_px, len(features), slides)

    def distances(self, features: Features, *, floor: float) -> NDArray[np.float64]:
        """Return how far each tile is from the centre, in standard deviations: Mahalanobis' distance.

        Centre and spread are known from some tiles only. Other tiles of the very same look seem further off the fewer
        there were: for a normal distribution their squared distances grow by ``(n + 1) / (n − k − 2)`` on average, with
        n tiles, k features and a covariance that is divided by n. Distances are divided by its root: 1.08 for 64 tiles,
        1.5 for 16. Of fewer than ``k + 3`` tiles nothing can be said, and all distances are zero.

        Parameters
        ----------
        features
            Of other tiles of the same size and resolution.
        floor
            Standard deviation that every feature has at least, whatever few or much alike training tiles say: its
            square is added to each variance.
        """
        spread = np.array(self.covariance) + floor**2 * np.eye(len(self.mean))
        away = features - np.array(self.mean)
        squared = np.einsum("ij,ij->i", away @ np.linalg.inv(spread), away)
        certain = max(0.0, (self.tiles - len(self.mean) - 2) / (self.tiles + 1))
        return np.asarray(np.sqrt(squared * certain), np.float64)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return what a card holds."""
        return {
            "mean": list(self.mean),
            "covariance": [list(row) for row in self.covariance],
            "mpp": self.mpp,
            "tile_px": self.tile_px,
            "tiles": self.tiles,
            "slides": self.slides,
        }

    @classmethod
    def from_json(cls, data: Any) -> PixelStatistics:  # Any: whatever a card held
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError where it didn't."""
        return cls(
            mean=tuple(float(value) for value in data["mean"]),
            covariance=tuple(tuple(float(value) for value in row) for row in data["covariance"]),
            mpp=float(data["mpp"]),
            tile_px=int(data["tile_px"]),
            tiles=int(data["tiles"]),
            slides=int(data["slides"]),
        )
