"""Which versions stay."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations.fingerprints import holds_all
from bridge.store import Backups, Store, VersionRecord
from bridge.store.pruning import StoreOptions, prune, reasons_to_keep

START = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
Keep = Callable[..., str]


def names(*drawings: int) -> bytes:
    return b"".join(bytes([n]) * 8 for n in drawings)


def record(number: int, human_keys: bytes | None) -> VersionRecord:
    at = START + timedelta(hours=number)
    return VersionRecord("s1", f"r{number}", at, at, 9, human_keys)


@given(
    st.lists(st.none() | st.lists(st.integers(0, 4), max_size=4), max_size=9),
    st.integers(1, 4),
    st.sets(st.integers(0, 8), max_size=2),
)
@settings(max_examples=200, deadline=None)
def test_no_drawing_is_ever_lost(drawn: list[list[int] | None], keep: int, awaited: set[int]) -> None:
    versions = [record(i, None if d is None else names(*d)) for i, d in enumerate(drawn)]
    reasons = reasons_to_keep(versions, keep, {f"r{i}" for i in awaited})
    for place, version in enumerate(versions):
        if version.revision in reasons:
            continue
        assert place < len(versions) - keep
        assert place not in awaited
        assert version.human_keys is not None, "what nobody has read stays"
        later = [v.human_keys for v in versions[place + 1 :] if v.revision in reasons and v.human_keys is not None]
        assert any(holds_all(other, version.human_keys) for other in later), "some version that stays holds all of it"


def test_versions_that_only_grew_leave_the_newest() -> None:
    versions = [record(i, names(*range(i))) for i in range(9)]
    assert list(reasons_to_keep(versions, 2, ())) == ["r8", "r7"]


def test_drawing_that_was_deleted_keeps_the_version_that_holds_it() -> None:
    versions = [record(0, names(1, 2)), record(1, names(1)), record(2, names(1)), record(3, names(1, 3))]
    assert list(reasons_to_keep(versions, 1, ())) == ["r3", "r0"]
    assert "2 drawings" in reasons_to_keep(versions, 1, ())["r0"]


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    return Backups(tmp_path / "backups")


@pytest.fixture
def keep(store: Store, backups: Backups, now: datetime) -> Keep:
    def _keep(hours: int, *drawings: int, slide: str = "s1", data: bytes = b"") -> str:
        content = data or repr((hours, drawings)).encode()
        revision = backups.keep(content)
        at = now + timedelta(hours=hours)
        store.record_version(slide, revision, at, size=len(content), human_keys=names(*drawings))
        store.record_read(slide, revision, at, human_count=len(drawings))
        return revision

    return _keep


def left(backups: Backups) -> set[str]:
    return {path.name for path in backups.folder.rglob("*") if path.is_file()}


def test_files_and_records_go_together(store: Store, backups: Backups, keep: Keep) -> None:
    revisions = [keep(hours, *range(hours)) for hours in range(6)]
    assert prune(store, backups, "s1", StoreOptions(keep_backups=2)) == 4
    assert left(backups) == set(revisions[-2:]) == {v.revision for v in store.versions("s1")}
    assert prune(store, backups, "s1", StoreOptions(keep_backups=2)) == 0


def test_pruning_that_was_cut_short_is_finished_by_the_next(store: Store, backups: Backups, keep: Keep) -> None:
    first, last = keep(0), keep(1)
    backups.remove(first)
    assert prune(store, backups, "s1", StoreOptions(keep_backups=1)) == 1
    assert [v.revision for v in store.versions("s1")] == [last]


def test_nothing_goes_while_a_save_is_suspicious(store: Store, backups: Backups, keep: Keep) -> None:
    for hours in range(4):
        keep(hours, *range(hours))
    store.record_suspicious("s1", "x")
    assert prune(store, backups, "s1", StoreOptions(keep_backups=1)) == 0


def test_what_an_unfinished_or_displaced_write_needs_stays(
    store: Store, backups: Backups, keep: Keep, now: datetime
) -> None:
    base, new = keep(0), keep(1)
    keep(2)
    store.begin_write(
        "s1",
        "w1",
        base_revision=base,
        new_revision=new,
        target=Path("/s1.xml"),
        temp_name="t",
        iteration=0,
        written=(),
        closes=(),
        now=now,
    )
    for finish in (lambda: None, lambda: store.finish_write("w1", now, displaced_since=now)):
        finish()
        assert prune(store, backups, "s1", StoreOptions(keep_backups=1)) == 0
    store.settle_write("w1")
    assert prune(store, backups, "s1", StoreOptions(keep_backups=1)) == 2


def test_version_whose_backup_is_gone_vouches_for_none(store: Store, backups: Backups, keep: Keep) -> None:
    """A folder restored from an old copy, a disk that was mended: what is only listed holds no drawing any more."""
    older, gone, damaged, newest = keep(0, 1), keep(1, 1, 2), keep(2, 1, 3), keep(3)
    backups.remove(gone)
    backups.path_of(damaged).write_bytes(b"")
    prune(store, backups, "s1", StoreOptions(keep_backups=1))
    assert {older, newest} <= left(backups)


def test_version_that_another_slide_has_too_stays_on_disk(store: Store, backups: Backups, keep: Keep) -> None:
    shared = keep(0, data=b"the file that every slide begins with")
    keep(0, slide="s2", data=b"the file that every slide begins with")
    keep(1)
    assert prune(store, backups, "s1", StoreOptions(keep_backups=1)) == 1
    assert shared in left(backups)
    keep(1, slide="s2")
    assert prune(store, backups, "s2", StoreOptions(keep_backups=1)) == 1
    assert shared not in left(backups)


def test_version_that_came_back_is_the_newest(store: Store, backups: Backups, keep: Keep) -> None:
    first = keep(0, data=b"first")
    keep(1, 1)
    keep(2, data=b"first")
    assert store.versions("s1")[-1].revision == first
    prune(store, backups, "s1", StoreOptions(keep_backups=1))
    assert len(left(backups)) == 2, "the version between holds a drawing that the newest lacks"


def test_base_of_a_write_is_listed_and_kept_though_nobody_read_it(
    store: Store, backups: Backups, keep: Keep, now: datetime
) -> None:
    base = backups.keep(b"base")
    store.begin_write(
        "s1",
        "w1",
        base_revision=base,
        base_size=4,
        new_revision=hashlib.sha256(b"new").hexdigest(),
        target=Path("/s1.xml"),
        temp_name="t",
        iteration=0,
        written=(),
        closes=(),
        now=now,
    )
    store.finish_write("w1", now)
    for hours in range(1, 4):
        keep(hours)
    prune(store, backups, "s1", StoreOptions(keep_backups=1))
    assert base in left(backups)
    (listed,) = [v for v in store.versions("s1") if v.revision == base]
    assert (listed.size, listed.human_keys, listed.is_ours) == (4, None, False)
