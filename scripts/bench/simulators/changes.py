"""What a person changes in one sitting, in words that every simulated tool understands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation

Pause = Callable[[], None]  # called between two pieces of a slow save; what it does is the caller's


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes to the objects of one open file, by the ids that its reader gives them.

    Parameters
    ----------
    add
        New objects: class, name, geometry and colour count, and in QuPath the id (a UUID).
    remove
        Objects to delete.
    rename
        Object → name (QuPath), Text (ImageScope).
    reclass
        Object → class (QuPath), layer (ImageScope).
    reshape
        Object → outline, a polygon without holes.
    """

    add: tuple[Annotation, ...] = ()
    remove: frozenset[str] = frozenset()
    rename: Mapping[str, str] = field(default_factory=dict)
    reclass: Mapping[str, str] = field(default_factory=dict)
    reshape: Mapping[str, BaseGeometry] = field(default_factory=dict)


def pieces(data: bytes, count: int) -> list[bytes]:
    """Cut some bytes into about equal pieces, as a slow save writes them.

    Examples
    --------
    >>> pieces(b"abcde", 2)
    [b'abc', b'de']
    """
    size = max(1, -(-len(data) // max(1, count)))
    return [data[at : at + size] for at in range(0, len(data), size)]
