from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.store import Store


def test_what_was_recorded_is_there_after_reopening(tmp_path: Path, now: datetime) -> None:
    with Store.open(tmp_path / "p" / ".slidebridge") as store:
        store.record_predicted("s1", "c1")
    with Store.open(tmp_path / "p" / ".slidebridge") as store:
        assert store.predicted_with("s1") == "c1"


def test_moments_keep_their_instant_whatever_the_zone(store: Store, now: datetime) -> None:
    there = now.astimezone(timezone(timedelta(hours=9)))
    store.record_viewed("s1", there)
    assert store.slides()[0].viewed_at == now


def test_moment_without_zone_is_refused(store: Store, now: datetime) -> None:
    with pytest.raises(Exception, match="no time zone"):
        store.record_viewed("s1", now.replace(tzinfo=None))
    assert store.slides() == ()


def test_locked_store_is_said_in_one_line(store: Store) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with Store.open(store.path.parent, busy_seconds=0.05) as second, pytest.raises(StoreError) as caught:
            second.record_predicted("s1", "c1")
    finally:
        other.close()
    assert "locked" in str(caught.value)
    assert "another SlideBridge is at work" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_second_writer_waits_for_the_first(store: Store) -> None:
    other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO slides (slide_key, name) VALUES ('s1', 'first')")
    release = threading.Timer(0.2, lambda: other.execute("COMMIT"))
    release.start()
    store.record_predicted("s1", "c1")
    release.join()
    other.close()
    assert [(s.name, s.predicted_with) for s in store.slides()] == [("first", "c1")]


def test_threads_share_a_store(store: Store) -> None:
    threads = [
        threading.Thread(target=lambda i=i: [store.record_added("s1", 1, 1, f"{i}-{j}") for j in range(10)])
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.added_count() == 40


def test_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"not a database, certainly" * 100)
    with pytest.raises(StoreError, match=r"not a database.*restore it"):
        Store.open(tmp_path)


def test_damaged_store(store: Store) -> None:
    store.close()
    size = store.path.stat().st_size
    with store.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(StoreError, match="malformed"), Store.open(store.path.parent) as again:
        again.slides()


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="make its folder writable"):
        Store.open(tmp_path / "file" / ".slidebridge")


def test_failed_transaction_leaves_nothing(store: Store) -> None:
    class StopError(Exception):
        pass

    with pytest.raises(StopError), store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO slides (slide_key, name) VALUES ('s1', 'x')")
        raise StopError
    assert store.slides() == ()


def test_opening_is_light_until_a_store_is_asked_for() -> None:
    code = "import sys, bridge.store; assert 'sqlalchemy' not in sys.modules; bridge.store.Store; bridge.store.Backups"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_facade_knows_no_other_names() -> None:
    import bridge.store

    with pytest.raises(AttributeError, match="Nonsense"):
        _ = bridge.store.Nonsense
