"""Which backups belong to which slide."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from bridge.store import Store, WriteKind

A, B = "a" * 64, "b" * 64


def test_version_is_recorded_once_and_seen_often(store: Store, now: datetime) -> None:
    later = now + timedelta(hours=1)
    store.record_version("s1", A, now, size=3)
    store.record_version("s1", B, now + timedelta(minutes=1), size=4, human_keys=b"12345678")
    store.record_version("s1", A, later, size=3, human_keys=b"")
    store.record_version("s1", A, later, size=3)
    assert [v.revision for v in store.versions("s1")] == [B, A], "the one that is the file now comes last"
    newest = store.versions("s1")[-1]
    assert (newest.kept_at, newest.seen_at, newest.size, newest.human_keys) == (now, later, 3, b"")
    assert store.versions("s2") == ()


def test_versions_of_ours_are_told(store: Store, now: datetime, write: Callable[..., str]) -> None:
    write("w1")  # makes revision ffff…w1
    store.record_version("s1", "w1".rjust(64, "f"), now, size=1)
    store.record_version("s1", A, now, size=1)
    assert {v.revision: v.is_ours for v in store.versions("s1")} == {"w1".rjust(64, "f"): True, A: False}


def test_forgetting_and_sharing(store: Store, now: datetime) -> None:
    for slide in ("s1", "s2"):
        store.record_version(slide, A, now, size=1)
    assert store.is_shared_version("s1", A)
    store.forget_version("s2", A)
    assert not store.is_shared_version("s1", A)
    assert store.versions("s2") == ()
    store.forget_version("s2", A)


def test_restored_version_stays_a_persons_and_its_marker_counts(
    store: Store, now: datetime, write: Callable[..., str]
) -> None:
    write("w1")
    write("w2")
    for marker, carried, newest in (("r1", "w1", "w1"), ("r2", None, "r2")):
        store.begin_write(
            "s1",
            marker,
            base_revision=None,
            new_revision=A,
            target=Path("/s1.xml"),
            temp_name="t",
            iteration=0,
            written=(),
            closes=(),
            kind=WriteKind.RESTORE,
            carried_marker=carried,
            now=now,
        )
        store.finish_write(marker, now)
        assert store.newest_marker("s1") == newest
    assert not store.is_own_revision("s1", A)
    assert store.remembers_write("s1", "w1") and not store.remembers_write("s2", "w1")
    assert not store.remembers_write("s1", None)
