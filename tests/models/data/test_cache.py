from __future__ import annotations

import weakref

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.cache import ArrayCache


def array(size: int) -> tuple[np.ndarray, ...]:
    return (np.zeros(size, np.uint8),)


def held_bytes(made: list[weakref.ref[np.ndarray]]) -> int:
    """Return the bytes of those that somebody still holds, counted once."""
    return sum({id(array): array.nbytes for ref in made if (array := ref()) is not None}.values())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=60))
@settings(max_examples=50, deadline=None)
def test_never_holds_more_than_it_may(requests: list[tuple[int, int]]) -> None:
    cache = ArrayCache(100)
    made: list[weakref.ref[np.ndarray]] = []
    for key, size in requests:
        made.append(weakref.ref(cache.get((key, size), lambda size=size: array(size))[0]))  # type: ignore[misc]
        assert held_bytes(made) <= 100


def test_what_was_used_last_stays() -> None:
    cache = ArrayCache(100)
    made = []

    def ask(key: str) -> None:
        cache.get(key, lambda: (made.append(key), array(40))[1])

    for key in "abacab":
        ask(key)
    assert made == ["a", "b", "c", "b"]


def test_what_is_too_large_is_made_each_time() -> None:
    cache = ArrayCache(10)
    assert cache.get("x", lambda: array(20))[0].size == 20
    assert cache.get("x", lambda: array(30))[0].size == 30
