"""A window of level 0 with its places in micrometres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bridge.coords import Window
from scripts.experiments.chance import Floats, Ints, Sites

_FIELD_UM = 2.0  # slow fields are computed at least this far apart and joined linearly


@dataclass(frozen=True, slots=True)
class Frame:
    """Where pixels lie; the window is at downsample 1."""

    window: Window
    mpp: float

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.window.shape

    @property
    def columns(self) -> Ints:
        """Level-0 columns."""
        return np.arange(self.window.x, self.window.right)

    @property
    def rows(self) -> Ints:
        """Level-0 rows."""
        return np.arange(self.window.y, self.window.bottom)

    @property
    def xs_um(self) -> Floats:
        """Middles of the columns."""
        return np.asarray((self.columns + 0.5) * self.mpp)

    @property
    def ys_um(self) -> Floats:
        """Middles of the rows."""
        return np.asarray((self.rows + 0.5) * self.mpp)

    @property
    def bounds_um(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom)."""
        x, y, right, bottom = self.window.bounds
        return x * self.mpp, y * self.mpp, right * self.mpp, bottom * self.mpp

    def pixels_of(self, sites: Sites) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Return row and column in the window of each site (clipped), and which of them lie inside."""
        column = np.floor(sites.x_um / self.mpp).astype(np.int64) - self.window.x
        row = np.floor(sites.y_um / self.mpp).astype(np.int64) - self.window.y
        height, width = self.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        return np.clip(row, 0, height - 1), np.clip(column, 0, width - 1), inside


@dataclass(frozen=True, slots=True, eq=False)
class CoarseGrid:
    """Places of a frame on a lattice of about two micrometres, for fields that cost much per point."""

    x_um: Floats
    y_um: Floats
    across: NDArray[np.float32]
    down: NDArray[np.float32]

    @classmethod
    def of(cls, frame: Frame) -> CoarseGrid:
        """Return the lattice that covers a frame; its points lie on global multiples of the step."""
        step = max(1, round(_FIELD_UM / frame.mpp))
        columns, across = _linear(frame.columns, step)
        rows, down = _linear(frame.rows, step)
        x, y = np.meshgrid((columns + 0.5) * frame.mpp, (rows + 0.5) * frame.mpp)
        return cls(x, y, across, down)

    @property
    def xs_um(self) -> Floats:
        """The lattice's columns."""
        return np.asarray(self.x_um[0])

    @property
    def ys_um(self) -> Floats:
        """The lattice's rows."""
        return np.asarray(self.y_um[:, 0])

    def spread(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return values of the lattice at every pixel, joined linearly."""
        return np.asarray((self.down @ values.astype(np.float32)) @ self.across.T, dtype=np.float32)


def _linear(places: Ints, step: int) -> tuple[Ints, NDArray[np.float32]]:
    first = places[0] // step
    lattice = np.arange(first, places[-1] // step + 2)
    left = places // step - first
    share = (places % step / step).astype(np.float32)
    weights = np.zeros((len(places), len(lattice)), dtype=np.float32)
    at = np.arange(len(places))
    weights[at, left] = 1 - share
    weights[at, left + 1] += share
    return lattice * step, weights
