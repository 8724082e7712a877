"""The dyes of the one picture that all slides are dyed like before a net sees them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

_UNIT = 1e-3  # a vector's length may be off by that


@dataclass(frozen=True, slots=True)
class StainReference:
    """What Macenko's normalization makes of every slide; as ``models.data.Stains``.

    Parameters
    ----------
    haematoxylin, eosin
        Unit vectors of decimal optical density, (red, green, blue).
    strengths
        Percentile 99 of the amounts of each, in that order.

    Raises
    ------
    ValueError
        No such numbers.
    """

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    strengths: tuple[float, float]

    def __post_init__(self) -> None:
        lengths = [math.hypot(*vector) for vector in (self.haematoxylin, self.eosin)]
        if any(abs(length - 1) > _UNIT for length in lengths) or not all(0 < s < math.inf for s in self.strengths):
            raise ValueError(f"dyes are unit vectors with positive strengths, not {self}")

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return what a card holds."""
        return {
            "haematoxylin": list(self.haematoxylin),
            "eosin": list(self.eosin),
            "strengths": list(self.strengths),
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:  # Any: whatever a file held
        """Read what `to_json` wrote; ValueError, TypeError or KeyError where it is no such thing."""
        red, green, blue = (float(value) for value in data["haematoxylin"])
        other = tuple(float(value) for value in data["eosin"])
        first, second = (float(value) for value in data["strengths"])
        if len(other) != 3:
            raise ValueError(f"a dye has three channels, not {len(other)}")
        return cls((red, green, blue), (other[0], other[1], other[2]), (first, second))
