"""Where the objects and arrays of a JSON text lie, so that one can be replaced and the rest left byte for byte.

Only brackets outside strings are looked at, all at once (NumPy): the text must have been parsed before, for nothing is
checked here.

    text      {"a": [ {"b": {}}, {} ]}
    bracket   0     1 2     34 5 67 89        level = depth of the container that a bracket opens or closes
    level     1     2 3     44 3 33 21
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bridge.qupath.geojson_text import parse

_BRACKETS = np.zeros(256, dtype=bool)
_BRACKETS[list(b"[]{}")] = True
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
BLANKS = b" \t\r\n"


class JsonLayout:
    """Containers of one JSON text; each is named by the number of its opening bracket.

    Parameters
    ----------
    text
        Valid JSON whose value is an object or an array.
    """

    def __init__(self, text: bytes) -> None:
        raw = np.frombuffer(text, dtype=np.uint8)
        self._text = text
        self._quotes = _string_quotes(text, raw)
        brackets = np.flatnonzero(_BRACKETS[raw])
        self._positions = brackets[np.searchsorted(self._quotes, brackets) % 2 == 0]
        kinds = raw[self._positions]
        is_open = (kinds == ord("[")) | (kinds == ord("{"))
        depth = np.cumsum(np.where(is_open, 1, -1))
        self._levels = np.where(is_open, depth, depth + 1)
        # By level, and within a level in the order of the text: open, close, open, close …
        self._by_level = np.argsort(self._levels, kind="stable")
        self._level_starts = np.searchsorted(self._levels[self._by_level], np.arange(self._levels.max(initial=0) + 3))

    @property
    def root(self) -> int:
        """The outermost container."""
        return 0

    def span(self, container: int) -> tuple[int, int]:
        """Return (start, end) of the container's bytes, brackets included, end exclusive."""
        same_level = self._level(int(self._levels[container]))
        close = same_level[np.searchsorted(same_level, container) + 1]
        return int(self._positions[container]), int(self._positions[close]) + 1

    def children(self, container: int) -> list[int]:
        """Return the objects and arrays that lie directly in a container, in the order of the text."""
        level = int(self._levels[container])
        same_level = self._level(level)
        close = same_level[np.searchsorted(same_level, container) + 1]
        below = self._level(level + 1)
        first, last = np.searchsorted(below, (container, close))
        return [int(child) for child in below[first:last:2]]

    def member(self, container: int, key: str) -> int | None:
        """Return the object or array that an object holds under a key (the last, if repeated), or None."""
        for child in reversed(self.children(container)):
            if self.key(child) == key:
                return child
        return None

    def key(self, child: int) -> str:
        """Return the key of an object's member that is a container."""
        start, end = self.key_span(child)
        return str(parse(self._text[start:end]))

    def key_span(self, child: int) -> tuple[int, int]:
        """Return (start, end) of the key, quotes included, of an object's member that is a container."""
        count = int(np.searchsorted(self._quotes, self._positions[child]))
        return int(self._quotes[count - 2]), int(self._quotes[count - 1]) + 1

    def _level(self, level: int) -> NDArray[np.intp]:
        return self._by_level[self._level_starts[level] : self._level_starts[level + 1]]


def _string_quotes(text: bytes, raw: NDArray[np.uint8]) -> NDArray[np.intp]:
    quotes = np.flatnonzero(raw == _QUOTE)
    suspects = quotes[(quotes > 0) & (raw[quotes - 1] == _BACKSLASH)]
    escaped = [quote for quote in suspects.tolist() if _backslashes_before(text, quote) % 2]
    return np.setdiff1d(quotes, np.array(escaped, dtype=quotes.dtype), assume_unique=True) if escaped else quotes


def _backslashes_before(text: bytes, position: int) -> int:
    start = position
    while start > 0 and text[start - 1] == _BACKSLASH:
        start -= 1
    return position - start
