"""Changes to bytes by someone who doesn't know the format."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Mutator = Callable[[bytes, random.Random], bytes]

_TELLING = (
    b"\x00",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xed\xa0\x80",  # half a surrogate pair
    b"\xc0\x80",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b'"',
    b"<",
    b"&",
    b"{",
    b"]",
    b"]]>",
    b"<!--",
    b"\n",
    b"-",
    b"1e999",
    b"NaN",
)


def mutate_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return the data with one to four changes at random places."""
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        data = chance.choice(_MUTATORS)(data, chance)
    return data


def splice(data: bytes, other: bytes, chance: random.Random) -> bytes:
    """Return the start of one file and the end of another."""
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(data))
    return start, min(len(data), start + int(chance.expovariate(1 / 24)) + 1)


def _flip(data: bytes, chance: random.Random) -> bytes:
    if not data:
        return data
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def _replace(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + chance.randbytes(end - start) + data[end:]


def _overwrite(data: bytes, chance: random.Random) -> bytes:
    value = chance.choice(_TELLING)
    place = chance.randint(0, len(data))
    return data[:place] + value + data[place + len(value) :]


def _insert(data: bytes, chance: random.Random) -> bytes:
    place = chance.randint(0, len(data))
    return data[:place] + chance.choice(_TELLING) * chance.choice((1, 1, 2, 40)) + data[place:]


def _delete(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:start] + data[end:]


def _repeat(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    return data[:end] + data[start:end] * chance.choice((1, 2, 50)) + data[end:]


def _move(data: bytes, chance: random.Random) -> bytes:
    start, end = _span(data, chance)
    rest = data[:start] + data[end:]
    place = chance.randint(0, len(rest))
    return rest[:place] + data[start:end] + rest[place:]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randint(0, len(data))]


_MUTATORS: Sequence[Mutator] = (_flip, _flip, _replace, _overwrite, _insert, _delete, _repeat, _move, _cut)
