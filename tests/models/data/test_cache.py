from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.cache import ArrayCache


def array(size: int) -> tuple[np.ndarray, ...]:
    return (np.zeros(size, np.uint8),)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 60)), max_size=60))
@settings(max_examples=50, deadline=None)
def test_never_holds_more_than_it_may(requests: list[tuple[int, int]]) -> None:
    cache = ArrayCache(100)
    for key, size in requests:
        cache.get((key, size), lambda size=size: array(size))  # type: ignore[misc]
        assert cache.held_bytes <= 100


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
    assert cache.held_bytes == 0
