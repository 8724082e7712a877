from __future__ import annotations

from datetime import datetime, timedelta

from bridge.store import Store


def test_last_mark_counts_even_when_the_clock_was_set_back(store: Store, now: datetime) -> None:
    assert store.marked("nightly") is None
    store.mark("nightly", now)
    store.mark("nightly", now - timedelta(hours=1))
    assert store.marked("nightly") == now - timedelta(hours=1)
    assert store.marked("rescan") is None
