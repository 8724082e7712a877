"""Small maps and the plain questions about boxes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from models.active import MapBox


@dataclass(frozen=True)
class BoxMath:
    """Boxes pixel by pixel."""

    def covered(self, boxes: Iterable[tuple[int, int, int, int]], shape: tuple[int, int]) -> npt.NDArray[np.int64]:
        """How often each pixel is covered; boxes may reach over the border."""
        count = np.zeros(shape, dtype=np.int64)
        for x, y, width, height in boxes:
            count[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] += 1
        return count

    def inside(self, box: MapBox, shape: tuple[int, int]) -> bool:
        return box.x >= 0 and box.y >= 0 and box.x + box.width <= shape[1] and box.y + box.height <= shape[0]

    def crop(self, values: npt.NDArray[np.generic], box: MapBox) -> npt.NDArray[np.generic]:
        return values[box.y : box.y + box.height, box.x : box.x + box.width]


@pytest.fixture(scope="session")
def box_math() -> BoxMath:
    return BoxMath()
