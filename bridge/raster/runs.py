"""Counting in NumPy without loops: what scanlines and seams both need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def expand(starts: IntArray, counts: IntArray) -> IntArray:
    """Return start, start + 1, … of each run, one run after another.

    Examples
    --------
    >>> expand(np.array([5, 0]), np.array([3, 2])).tolist()
    [5, 6, 7, 0, 1]
    """
    before = np.cumsum(counts) - counts
    expanded: IntArray = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(starts - before, counts)
    return expanded
