"""Probabilities of a slide with as many objects as are asked for, drawn as they are asked for: no network."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask
from models.inference import Stopwatch
from scripts.bench.small_models import NAMES

CELL = 40  # map pixels from one object to the next
_KINDS = 64
_ROWS_OF_CELLS = 11  # of a band
_LOBES = 3


@dataclass(frozen=True)
class DrawnMap:
    """Cells of two classes in rows, every fourth of them with a hole; called as what predicts a slide.

    Parameters
    ----------
    objects
        How many; rounded up to a square.
    downsample
        Level-0 pixels per map pixel.
    """

    objects: int
    downsample: float = 2.0

    @property
    def across(self) -> int:
        """Objects per row."""
        return math.ceil(math.sqrt(self.objects))

    @property
    def side(self) -> int:
        """Level-0 pixels of a slide that holds them."""
        return math.ceil(self.across * CELL * self.downsample)

    def __call__(
        self, slide: Slide, tissue: TissueMask, watch: Stopwatch | None = None
    ) -> Generator[ProbabilityMap, None, None]:
        """Yield the slide's probabilities in bands, top to bottom."""
        generator = np.random.default_rng(0)
        stamps = _stamps(generator)
        extent = slide.pyramid.window_at(self.downsample)
        for top in range(0, extent.height, CELL * _ROWS_OF_CELLS):
            height = min(CELL * _ROWS_OF_CELLS, extent.height - top)
            labels = np.zeros((CELL * _ROWS_OF_CELLS, max(extent.width, self.across * CELL)), np.uint8)
            for row in range(min(_ROWS_OF_CELLS, self.across - top // CELL)):
                strip = stamps[generator.integers(0, _KINDS, self.across)]
                labels[row * CELL : (row + 1) * CELL, : self.across * CELL] = np.hstack(list(strip))
            planes = np.arange(len(NAMES))[:, None, None] == labels[None, :height, : extent.width]
            window = Window(0, top, extent.width, height, self.downsample)
            yield ProbabilityMap(planes.astype(np.float32), window, NAMES)


def _stamps(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return labels of single cells, shape (kind, y, x)."""
    y, x = np.mgrid[:CELL, :CELL] - CELL / 2
    angle, distance = np.arctan2(y, x), np.hypot(y, x)
    found = []
    for kind in range(_KINDS):
        radius, turn = generator.uniform(9, 14), generator.uniform(0, math.tau)
        inside = distance < radius * (1 + 0.2 * np.sin(_LOBES * angle + turn))
        hole = distance < (5 if kind % 4 == 0 else 0)
        found.append((inside & ~hole).astype(np.uint8) * np.uint8(1 + kind % 2))
    return np.stack(found)
