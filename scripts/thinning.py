"""Some of many points: a curve needs no more of them than can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def thinned(points: Sequence[T], most: int) -> Sequence[T]:
    """Return at most so many points, evenly, the last one among them.

    Examples
    --------
    >>> thinned([1, 2, 3, 4, 5, 6, 7], 3), thinned([1, 2], 3), thinned([], 3)
    ([1, 4, 7], [1, 2], [])
    """
    each = -(-len(points) // most)
    return points if each <= 1 else points[::-1][::each][::-1]
