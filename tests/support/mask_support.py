"""A whole label mask in memory, as the tests look at one; the program reads masks band by band.

Imported by tests as ``mask_support`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bridge.formats import MaskInfo, open_label_mask

_ROWS = 1024  # of a band


@dataclass(frozen=True)
class WholeMask:
    """A mask as read: uint8 labels [y, x], and what the file says of them."""

    labels: NDArray[np.uint8]
    info: MaskInfo

    @property
    def mask_mpp(self) -> tuple[float, float] | None:
        return self.info.mask_mpp

    @property
    def downsample(self) -> float | None:
        return self.info.downsample

    @property
    def names(self) -> tuple[str, ...] | None:
        return self.info.names or None


def read_label_mask(path: Path, **limits: Any) -> WholeMask:
    """Read a whole label mask; ``limits`` and errors as of ``open_label_mask``."""
    with open_label_mask(path, **limits) as mask:
        labels = np.empty(mask.shape, dtype=np.uint8)
        for row, band in mask.bands(_ROWS):
            labels[row : row + len(band)] = band
        return WholeMask(labels, mask.info)
