from __future__ import annotations

from datetime import datetime

import pytest

from bridge.errors import StoreError
from bridge.store import Store
from bridge.store.split_records import AssignedPart


def test_part_is_for_good(store: Store, now: datetime) -> None:
    store.assign_parts([AssignedPart("s1", "a", "train")], now)
    store.assign_parts([AssignedPart("s1", "b", "hold-out")], now)
    store.assign_parts([AssignedPart("s1", "a", "train")], now)
    for key, other in (("a", "hold-out"), ("b", "train")):
        with pytest.raises(StoreError, match="for good"):
            store.assign_parts([AssignedPart("s1", key, other)], now)
    assert store.parts("s1") == {"a": "train", "b": "hold-out"}
    assert store.parts("s2") == {}


def test_what_was_learned_from_never_judges(store: Store, now: datetime) -> None:
    store.record_learned(1, "s1", ["a"])
    with pytest.raises(StoreError, match="learned from"):
        store.assign_parts([AssignedPart("s1", "a", "hold-out")], now)
    assert store.parts("s1") == {}


def test_what_judges_is_never_learned_from(store: Store, now: datetime) -> None:
    store.assign_parts([AssignedPart("s1", "a", "hold-out")], now)
    with pytest.raises(StoreError, match="held out"):
        store.record_learned(1, "s1", ["b", "a"])
    assert store.learned("s1") == frozenset()


def test_learned_adds_up(store: Store) -> None:
    store.record_learned(1, "s1", ["a"])
    store.record_learned(2, "s1", {"a", "b"})
    store.record_learned(2, "s1", [])
    assert store.learned("s1") == {"a", "b"}
    assert store.learned("s2") == frozenset()


def test_unknown_part(store: Store, now: datetime) -> None:
    with pytest.raises(ValueError, match="no part of the split"):
        store.assign_parts([AssignedPart("s1", "a", "training")], now)
