"""A glance at a store: names where there are any, and no complaint whatever lies there."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.store import Store
from bridge.store.peeking import peek_slides


def test_every_slide_that_was_ever_read_is_seen_and_nothing_is_changed(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        store.record_read("a.svs", "r" * 64, datetime.now(UTC), human_count=1, name="Möller 1")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert peek_slides(tmp_path) == (("a.svs", "Möller 1"),)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_store_that_somebody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store.together():
        store.record_read("a.svs", "r" * 64, datetime.now(UTC), human_count=1)
        assert peek_slides(tmp_path) == ()


@pytest.mark.parametrize("content", [None, b"", b"no database" * 99])
def test_where_there_is_no_store_there_are_no_names(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "store.sqlite").write_bytes(content)
    assert peek_slides(tmp_path) == ()


def test_another_database_has_no_names(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "store.sqlite")
    other.execute("CREATE TABLE other (x)")
    other.close()
    assert peek_slides(tmp_path) == ()
