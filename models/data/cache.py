"""A cache of arrays that knows how many bytes it holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Arrays = tuple[NDArray[np.uint8], ...]


class ArrayCache:
    """Keeps the arrays used last, within a number of bytes; safe from several threads.

    Parameters
    ----------
    max_bytes
        What it holds at most. An entry larger than that is made and not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, Arrays] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Arrays]) -> Arrays:
        """Return the arrays of a key, made at the first request or after they were dropped."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        made = make()  # outside the lock: reading a slide takes long
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: Hashable, arrays: Arrays) -> None:
        size = _size(arrays)
        if key in self._entries or size > self._max_bytes:
            return
        self._entries[key] = arrays
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(arrays: Arrays) -> int:
    return sum(array.nbytes for array in arrays)
