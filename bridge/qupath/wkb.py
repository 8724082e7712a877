"""A check of well-known binary before GEOS sees it, for GEOS recurses and a hostile file could nest without end."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - an exception class in small letters

_POINT, _LINE, _POLYGON, _MULTI_POINT, _MULTI_LINE, _MULTI_POLYGON, _COLLECTION = range(1, 8)
_MAX_DEPTH = 16


def is_plain_wkb(data: bytes) -> bool:
    """Say whether the bytes are one whole 2-D geometry of the seven simple kinds, sanely nested."""
    try:
        return _measure(data) == len(data)
    except (StructError, IndexError):
        return False


def _measure(data: bytes) -> int:
    """Return where the geometry ends; −1 if it is none of ours."""
    pos = 0
    left = [1]  # geometries still to come, one number a level
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        u4 = Struct("<I" if data[pos] else ">I").unpack_from
        (kind,) = u4(data, pos + 1)
        pos += 5
        if kind == _POINT:
            pos += 16
            continue
        (count,) = u4(data, pos)
        pos += 4
        if kind == _LINE:
            pos += 16 * count
        elif kind == _POLYGON:
            for _ in range(count):
                pos += 4 + 16 * u4(data, pos)[0]
        elif _MULTI_POINT <= kind <= _COLLECTION and len(left) < _MAX_DEPTH:
            left.append(count)
        else:
            return -1
    return pos
