"""Transactions of several records."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.store import Store

NOW = datetime(2031, 1, 1, tzinfo=UTC)


def test_what_is_recorded_together_happens_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        with pytest.raises(ZeroDivisionError), store.together():
            store.record_added("s", 1, 3, "r")
            store.record_read("s", "r", NOW, human_count=3)
            assert store.last_read("s") is not None, "seen by who records it"
            raise ZeroDivisionError
        assert store.last_read("s") is None
        assert store.added_count() == 0
        with store.together():
            store.record_added("s", 1, 3, "r")
            with store.together():
                store.record_read("s", "r", NOW, human_count=3)
        assert store.last_read("s") is not None
        assert store.added_count() == 3


def test_another_thread_sees_nothing_of_it_before_its_end(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        seen: list[object] = []
        with store.together():
            store.record_read("s", "r", NOW, human_count=3)
            other = threading.Thread(target=lambda: seen.append(store.last_read("s")))
            other.start()
            other.join()
        assert seen == [None]
