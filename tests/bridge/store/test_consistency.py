from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from shapely import box

from bridge.annotations import MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.errors import StoreError
from bridge.store import Backups, JobKind, Store
from bridge.store.consistency import (
    check_backups,
    check_database,
    check_jobs,
    check_objects,
    check_writes,
    copy_store,
    expected_revisions,
)

DIE = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE slides SET name = 'half done'")
database.executemany("INSERT INTO slides (slide_key, name) VALUES (?, ?)", [(str(i), "x" * 500) for i in range(500)])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_whole_store_gives_no_trouble(store: Store, tmp_path: Path, write: Callable[..., str]) -> None:
    write("m1")
    copy = copy_store(store.path, tmp_path)
    assert copy == tmp_path / "store.sqlite"
    assert list(check_database(copy)) == []


def test_damage_is_found_in_the_copy(store: Store, tmp_path: Path, write: Callable[..., str]) -> None:
    write("m1")
    store.close()
    with store.path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 4096)
    (trouble,) = check_database(copy_store(store.path, tmp_path))
    assert trouble.check == "database" and "restore it from a copy" in trouble.cure


def test_what_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "store.sqlite").write_bytes(b"not a database, certainly" * 100)
    with pytest.raises(StoreError, match=r"not a database; restore it"):
        copy_store(tmp_path / "a" / "store.sqlite", tmp_path)


def test_rows_that_point_to_nothing_are_found(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(store.path) as plain:
        plain.execute("INSERT INTO learned (slide_key, area_key, iteration) VALUES ('nowhere', 'a', 1)")
    plain.close()
    (trouble,) = check_database(copy_store(store.path, tmp_path))
    assert trouble.text == "1 rows of learned point to nothing"


def test_older_version_is_said(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(store.path) as plain:
        plain.execute("UPDATE alembic_version SET version_num = '0001'")
    plain.close()
    (trouble,) = check_database(copy_store(store.path, tmp_path))
    assert "of version 0001" in trouble.text and "sync" in trouble.cure


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a way to die at once")
def test_store_of_a_writer_that_died_is_copied_whole_and_left_as_it_is(store: Store, tmp_path: Path) -> None:
    store.record_predicted("s1", "c1")
    store.close()
    subprocess.run([sys.executable, "-c", DIE, os.fspath(store.path)], check=False)
    journal = store.path.with_name("store.sqlite-journal")
    before = store.path.read_bytes(), journal.read_bytes()
    assert b"half done" in before[0]
    copy = copy_store(store.path, tmp_path)
    assert list(check_database(copy)) == []
    with Store.open(tmp_path) as copied:
        assert [slide.name for slide in copied.slides()] == ["s1"]
    assert (store.path.read_bytes(), journal.read_bytes()) == before


def test_running_job_needs_somebody_at_work(store: Store, now: datetime) -> None:
    job = store.ask_job(JobKind.READ, "s1", "a", now).id
    assert list(check_jobs(store, has_holder=False)) == []
    store.start_job(job, now)
    assert list(check_jobs(store, has_holder=True)) == []
    (trouble,) = check_jobs(store, has_holder=False)
    assert "read of slide s1" in trouble.text and "watch" in trouble.cure
    store.requeue_jobs(now)
    assert list(check_jobs(store, has_holder=False)) == []


def test_write_of_minutes_ago_with_nobody_at_work_was_cut_short(store: Store, now: datetime, tmp_path: Path) -> None:
    store.begin_write(
        "s1",
        "m1",
        base_revision=None,
        new_revision="f" * 64,
        target=tmp_path / "s1.xml",
        temp_name="t",
        iteration=1,
        written=(),
        closes=(),
        now=now,
    )
    later = now + timedelta(minutes=6)
    assert list(check_writes(store, now + timedelta(minutes=1), has_holder=False)) == []
    assert list(check_writes(store, later, has_holder=True)) == []
    (trouble,) = check_writes(store, later, has_holder=False)
    assert "write m1" in trouble.text and "cut short" in trouble.text
    store.finish_write("m1", later, displaced_since=later)
    (trouble,) = check_writes(store, later, has_holder=False)
    assert "displaced file is still there" in trouble.text
    store.settle_write("m1")
    assert list(check_writes(store, later, has_holder=False)) == []


def test_prediction_that_is_open_twice_is_found(
    store: Store, write: Callable[..., str], written: Callable[..., WrittenObject]
) -> None:
    apart = replace(written("o2"), geometry=box(20, 0, 30, 10))
    write("m1", [written("o1"), apart, written("p1", MachineRole.PROPOSAL)])
    assert list(check_objects(store)) == []
    turned = replace(written("o3"), geometry=box(0, 0, 10, 10, ccw=False))
    write("m2", [turned])
    (trouble,) = check_objects(store)
    assert "object o3 of slide s1 is there twice (write m2)" in trouble.text
    write("m3", [], closes=["o1"])
    assert list(check_objects(store)) == []


def test_object_that_two_writes_count_is_found(
    store: Store, write: Callable[..., str], written: Callable[..., WrittenObject]
) -> None:
    write("m1", [written("o1")])
    write("m2", [replace(written("o1"), geometry=box(20, 0, 30, 10))])
    (trouble,) = check_objects(store)
    assert "object o1" in trouble.text


def test_same_outline_on_another_slide_is_no_double(
    store: Store, write: Callable[..., str], written: Callable[..., WrittenObject]
) -> None:
    write("m1", [written("o1")])
    write("m2", [written("o1")], slide="s2")
    assert list(check_objects(store)) == []


def test_backup_of_the_last_save_must_be_there_and_whole(store: Store, tmp_path: Path, now: datetime) -> None:
    backups = Backups(tmp_path / "backups")
    revision = backups.keep(b"what a person drew")
    store.record_read("s1", revision, now, human_count=1, name="case.svs")
    store.record_read("s2", "", now, human_count=0)  # a slide without file
    assert list(check_backups(store, backups)) == []
    backups.path_of(revision).chmod(0o644)
    backups.path_of(revision).write_bytes(b"what a person drev")
    (trouble,) = check_backups(store, backups)
    assert "case.svs" in trouble.text and "damaged" in trouble.text
    backups.path_of(revision).unlink()
    (trouble,) = check_backups(store, backups)
    assert "No such file" in trouble.text


def test_file_is_expected_to_be_what_was_read_or_written_last(
    store: Store, write: Callable[..., str], now: datetime
) -> None:
    store.record_read("s1", "r1", now - timedelta(hours=1), human_count=1)
    assert expected_revisions(store) == {"s1": "r1"}
    write("m1")
    assert expected_revisions(store) == {"s1": "m1".rjust(64, "f")}
    store.record_read("s1", "r2", now + timedelta(hours=1), human_count=1)
    assert expected_revisions(store) == {"s1": "r2"}
