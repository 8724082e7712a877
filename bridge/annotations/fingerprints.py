"""Short names for what people drew, so that one version of a file can be asked whether it holds all of another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import shapely
from numpy.typing import NDArray

from bridge.annotations.objects import Annotation

_BYTES = 8  # a chance of 10⁻⁹ that two of 200,000 drawings share a name


def fingerprints(annotations: Sequence[Annotation]) -> bytes:
    """Return eight bytes for every object, sorted: of its class, text, kind, plane and outline.

    Ring start, direction and order of parts don't count, nor what a format rounds: outlines are taken to whole pixels.
    Two drawings of one fingerprint differ by less than a pixel anywhere; the same drawing may get two where a number
    lies on the edge of rounding, so a drawing can be missed, never be made up.
    """
    shapes = _canonical([a.geometry for a in annotations])
    words = (repr((a.path_class, a.name or None, a.kind.value, tuple(a.plane))).encode() for a in annotations)
    names = [blake2b(word + shape, digest_size=_BYTES).digest() for word, shape in zip(words, shapes, strict=True)]
    return b"".join(sorted(names))


def holds_all(outer: bytes, inner: bytes) -> bool:
    """Say whether everything that one has fingerprints of is in the other, copies counted.

    Examples
    --------
    >>> holds_all(b"aaaaaaaabbbbbbbb", b"bbbbbbbb")
    True
    >>> holds_all(b"aaaaaaaa", b"aaaaaaaaaaaaaaaa")
    False
    """
    return Counter(_names(inner).tolist()) <= Counter(_names(outer).tolist())


def count_of(names: bytes) -> int:
    """Return how many objects some fingerprints are of."""
    return len(names) // _BYTES


def _names(names: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(names, dtype=np.uint64)


def _canonical(geometries: Sequence[shapely.Geometry]) -> list[bytes]:
    shapes = np.empty(len(geometries), dtype=object)
    shapes[:] = geometries
    whole = shapely.set_coordinates(shapes.copy(), np.round(shapely.get_coordinates(shapes)))
    return [bytes(shape) for shape in shapely.to_wkb(shapely.normalize(whole))]
