"""Which tiles of a step's batch one process makes, where several train one net together.

A batch is drawn as a whole in every process, places and random numbers alike; each reads and changes only its own tiles
of it. Together they have, tile by tile, the batch that a single process would have made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Portion:
    """The tiles that are at hand of a batch: those from ``first`` up to ``last``, of ``size`` in all.

    Examples
    --------
    >>> ["a", "b", "c", "d", "e"][Portion(5, 2, 5).rows]
    ['c', 'd', 'e']
    """

    size: int
    first: int
    last: int

    @classmethod
    def whole(cls, size: int) -> Self:
        """Return all of a batch."""
        return cls(size, 0, size)

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def rows(self) -> slice:
        """Which rows they are of something that has one for each tile of the batch."""
        return slice(self.first, self.last)

    @property
    def to_read(self) -> slice:
        """The rows to read tiles of: at least one, which tells the shape where none is at hand."""
        return self.rows if len(self) else slice(0, 1)


@dataclass(frozen=True, slots=True)
class Share:
    """The share that one of several processes has in every batch; of a single process: all.

    Parameters
    ----------
    rank
        The process's number, from 0.
    count
        Processes.
    """

    rank: int = 0
    count: int = 1

    def portion(self, size: int) -> Portion:
        """Return which tiles of a batch are this process's own: neighbours, one more or less than another has.

        Examples
        --------
        >>> [len(Share(rank, 3).portion(8)) for rank in range(3)]
        [2, 3, 3]
        """
        return Portion(size, self.rank * size // self.count, (self.rank + 1) * size // self.count)
