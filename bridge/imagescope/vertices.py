"""The vertices of a file in bulk: most of its bytes, read as arrays instead of element by element.

What comes out is what expat would have said of the same bytes, or nothing: a ``<Vertices>`` whose content isn't plainly
``<Vertex X="12.5" Y="-3" Z="0"/>`` over and over (any order of the attributes, any white space that stays the same) is
left where it is, for expat to read.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

_OPEN, _CLOSE = b"<Vertices", b"</Vertices>"
_SPACE = b" \t\r\n"
_DIGITS = b"0123456789.-"
_DIGITS_ONLY = bytes(c if c in _DIGITS else 32 for c in range(256))
_TAG_END = re.compile(rb"(?:[ \t\r\n][^<>]*)?(?<!/)>")
_UNIT = re.compile(rb'<Vertex((?:[ \t\r\n]+[XYZ]="")+)[ \t\r\n]*/>')
_BATCH_BYTES = 4 << 20  # keeps what is in memory besides the file small; larger isn't faster
_QUOTE, _DOT, _MINUS, _ZERO = b'".-0'
_MAX_DIGITS = 18  # with sign and dot; an int64 holds them, and no power of ten is beyond 10²²
_POWERS = np.array([float(10**k) for k in range(_MAX_DIGITS)])

Vertices = NDArray[np.float64]
Offsets = NDArray[np.int64]
Characters = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ThinText:
    """A file's text without the vertices that have been read.

    Parameters
    ----------
    body
        UTF-8, well-formed if and only if the whole text is.
    vertices
        Offset in ``body`` of a ``<Vertices`` whose content was taken out → float64, shape (n, 2).
    """

    body: bytes
    vertices: Mapping[int, Vertices] = field(default_factory=dict)
    _cuts: Sequence[int] = ()  # offsets in ``body`` where something was taken out
    _removed: Sequence[int] = (0,)  # bytes taken out before the first cut, the second …

    def whole_offset(self, offset: int) -> int:
        """Return where an offset in ``body`` is in the whole text; right before a cut for the cut's own place."""
        return offset + self._removed[bisect_left(self._cuts, offset)]

    @property
    def is_whole(self) -> bool:
        """Whether nothing was taken out."""
        return not self._cuts


@dataclass(frozen=True, slots=True)
class _Block:
    """The content of one ``<Vertices>``, half-open, and the form of its vertices: one without numbers, what divides."""

    tag: int
    start: int
    end: int
    text: bytes
    unit: bytes
    divider: bytes | None


def take_vertices(body: bytes) -> ThinText:
    """Read the plain vertices of a text, and return it without them."""
    taken: list[tuple[_Block, Vertices]] = []
    for batch in _batches(_blocks(body)):
        taken += _read_blocks(batch)
    parts, cuts, tags, position, length = [], [], [], 0, 0
    for block, _ in taken:
        tags.append(length + block.tag - position)
        parts.append(body[position : block.start])
        length += block.start - position
        cuts.append(length)
        position = block.end
    parts.append(body[position:])
    removed = accumulate((block.end - block.start for block, _ in taken), initial=0)
    found = dict(zip(tags, (vertices for _, vertices in taken), strict=True))
    return ThinText(b"".join(parts), found, cuts, list(removed))


def _blocks(body: bytes) -> Iterator[_Block]:
    """Yield what may be plain, in order; never two that overlap."""
    tag = body.find(_OPEN)
    while tag >= 0:
        head = _TAG_END.match(body, tag + len(_OPEN))
        start = head.end() if head is not None else tag + len(_OPEN)
        end = body.find(_CLOSE, start) if head is not None else start
        if end < 0:
            return
        block = _block(tag, start, end, body[start:end].strip(_SPACE)) if head is not None else None
        if block is not None:
            yield block
        tag = body.find(_OPEN, end)


def _block(tag: int, start: int, end: int, text: bytes) -> _Block | None:
    first = text.find(b"/>") + 2
    unit = text[:first].translate(None, _DIGITS)
    second = text.find(b"<", first)
    if first < 2 or len(unit) > 200:
        return None
    return _Block(tag, start, end, text, unit, text[first:second] if second >= 0 else None)


def _batches(blocks: Iterable[_Block]) -> Iterator[list[_Block]]:
    """Yield runs of one form."""
    batch: list[_Block] = []
    size = 0
    for block in blocks:
        if batch and (size > _BATCH_BYTES or (block.unit, block.divider) != (batch[0].unit, batch[0].divider)):
            yield batch
            batch, size = [], 0
        batch.append(block)
        size += len(block.text)
    if batch:
        yield batch


def _read_blocks(batch: Sequence[_Block]) -> list[tuple[_Block, Vertices]]:
    divider = b"\n" if batch[0].divider is None else batch[0].divider
    ends = list(accumulate((len(block.text) + len(divider) for block in batch), initial=-len(divider)))[1:]
    found = _read(divider.join([block.text for block in batch]), batch[0].unit, divider, ends)
    if found is None:  # one of them is odd: each by itself
        return [pair for block in batch for pair in _read_blocks([block])] if len(batch) > 1 else []
    return list(zip(batch, found, strict=True))


def _read(text: bytes, unit: bytes, divider: bytes, ends: Sequence[int]) -> list[Vertices] | None:
    """Return the vertices of a text that is ``unit`` over and over, numbers put in; None where anything is odd.

    Parameters
    ----------
    ends
        Offsets in the text where a block ends.
    """
    axes = _axes(unit, divider)
    if axes is None:
        return None
    plain = text.translate(None, _DIGITS)
    count = plain.count(b"<")
    if plain != (unit + divider) * (count - 1) + unit:
        return None
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == _QUOTE)
    first, last = quotes[::2] + 1, quotes[1::2]
    # Without its numbers the text is the repeated unit: so there is nothing but digits, dots and signs between the
    # quotes of each pair. As many as were taken out are there: so there are none anywhere else.
    if (last - first).sum() != len(text) - len(plain):
        return None
    numbers = _numbers(text, characters, first, last)
    if numbers is None:
        return None
    vertices = np.ascontiguousarray(numbers.reshape(count, -1)[:, [axes.index(b"X"), axes.index(b"Y")]])
    places = (np.searchsorted(quotes, ends) // (2 * len(axes))).tolist()
    return [vertices[start:end] for start, end in zip([0, *places], places, strict=False)]


def _axes(unit: bytes, divider: bytes) -> bytes | None:
    """Return the names of a vertex's attributes in their order; None where it isn't plain."""
    form = _UNIT.fullmatch(unit)
    if form is None or divider.strip(_SPACE):
        return None
    axes = bytes(c for c in form[1] if c in b"XYZ")
    is_point = len(set(axes)) == len(axes) and b"X" in axes and b"Y" in axes
    return axes if is_point else None


def _numbers(text: bytes, characters: Characters, first: Offsets, last: Offsets) -> Vertices | None:
    """Return the numbers that stand at ``first … last`` (half-open), correctly rounded; None unless all are plain.

    Notes
    -----
    Digits without their dot, as an integer below 2⁵³, over a power of ten up to 10²²: both are exact, so that the
    quotient is the float nearest to what is written (Clinger, How to Read Floating Point Numbers Accurately, 1990).
    """
    if not len(first) or not _is_plain(characters, first, last):
        return None
    dots = np.flatnonzero(characters == _DOT)
    place = np.searchsorted(last, dots)
    if (np.diff(place) == 0).any():  # two dots in one number
        return None
    mantissas = np.fromstring(text.translate(_DIGITS_ONLY, b"."), np.int64, sep=" ")
    if len(mantissas) != len(first) or (np.abs(mantissas) >= 1 << 53).any():
        return None
    numbers = mantissas.astype(np.float64)
    numbers[place] /= _POWERS[last[place] - dots - 1]
    return numbers


def _is_plain(characters: Characters, first: Offsets, last: Offsets) -> bool:
    """Say whether every number is digits, at most a sign before them, a dot only between them, and not too long."""
    signs = characters[first] == _MINUS
    leading = characters[first + signs]
    is_short = ((last - first > signs) & (last - first <= _MAX_DIGITS)).all()
    ends_on_digit = (leading >= _ZERO).all() and (characters[last - 1] >= _ZERO).all()
    return bool(is_short and ends_on_digit and np.count_nonzero(characters == _MINUS) == np.count_nonzero(signs))
