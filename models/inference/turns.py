"""Flips and quarter turns of tiles: the same tissue, seen another way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)


@dataclass(frozen=True, slots=True)
class Turn:
    """One of the eight ways to lay a square tile down.

    Parameters
    ----------
    quarters
        Quarter turns, anticlockwise.
    is_flipped
        Flipped left to right, after the turns.
    """

    quarters: int = 0
    is_flipped: bool = False

    def turned(self, pixels: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return tiles (n, height, width, …) laid down this way."""
        found = np.rot90(pixels, self.quarters, axes=(1, 2))
        return np.ascontiguousarray(found[:, :, ::-1] if self.is_flipped else found)

    def back(self, planes: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return what was predicted for turned tiles, (n, classes, height, width), as it lies on the slide.

        One answer for a whole tile, (n, classes), lies everywhere alike.
        """
        if planes.ndim == 2:
            return planes
        found = planes[..., ::-1] if self.is_flipped else planes
        return np.ascontiguousarray(np.rot90(found, -self.quarters, axes=(2, 3)))


PLAIN = Turn()
TURNS = (
    PLAIN,
    Turn(1),
    Turn(2, is_flipped=True),
    Turn(3),
    Turn(0, is_flipped=True),
    Turn(2),
    Turn(1, is_flipped=True),
    Turn(3, is_flipped=True),
)
"""All eight, the plain one first; the first few have turns and a flip among them."""
