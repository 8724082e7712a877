"""The safe write on shares that lose answers and renames, and beside programs that hold the file open."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge import files
from bridge.errors import StoreError, WriteConflictError, WriteFailedError
from bridge.export import Recovery, WriteStep, write_edits
from bridge.store import Store, WriteState, atomic
from write_bench import AGAIN, BASE, EDITS, EXCHANGES, NOW, SAVE, Bench, at, check_settled, exhaust, save_in_place

Exchange = Callable[[Path, Path], None]
GONE_WRONG = [errno.EIO, errno.ESTALE, errno.ENOENT, errno.ETIMEDOUT, errno.ENOTCONN]


def error_of(code: int) -> OSError:
    return OSError(code, os.strerror(code))  # as the right subclass, FileNotFoundError for ENOENT


class Waits(list[float]):
    """A clock that only remembers how long it was asked to wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture(params=["exchange", "link", "replace"])
def change(request: pytest.FixtureRequest) -> Exchange:
    return EXCHANGES[request.param]


# ── the rename takes effect, its answer doesn't arrive ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", GONE_WRONG)
def test_error_after_a_rename_that_took_effect_is_no_error(bench: Bench, change: Exchange, code: int) -> None:
    def answer_is_lost(target: Path, temp: Path) -> None:
        change(target, temp)
        raise error_of(code)

    result = bench.write(BASE, exchange=answer_is_lost, sleep=Waits())
    assert files.sha256_of(bench.target) == result.revision
    assert bench.live() == bench.ours() == {"p1", "p2"}
    bench.recover()
    check_settled(bench, BASE)


@pytest.mark.parametrize("code", GONE_WRONG)
def test_error_after_a_save_was_exchanged_loses_no_save(bench: Bench, change: Exchange, code: int) -> None:
    """The save falls between the check and the rename, and the rename's answer is lost on top."""

    def answer_is_lost(target: Path, temp: Path) -> None:
        change(target, temp)
        raise error_of(code)

    save = at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target)))
    if change is atomic.replace_existing:
        return  # the window of a share without exchange or links
    with pytest.raises((WriteConflictError, WriteFailedError)):
        bench.write(BASE, exchange=answer_is_lost, on_step=save, sleep=Waits())
    for _ in range(2):
        bench.recover()
    assert bench.target.read_bytes() == SAVE
    assert bench.live() == set()


@pytest.mark.parametrize("code", GONE_WRONG)
def test_link_exchange_keeps_the_old_file_when_the_rename_s_answer_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    whole = Path.replace

    def replace(self: Path, target: Path) -> Path:
        whole(self, target)
        if target == bench.target:
            raise error_of(code)
        return target

    monkeypatch.setattr(Path, "replace", replace)
    assert bench.write(BASE, exchange=atomic.exchange_by_link, sleep=Waits()).is_displaced
    assert bench.ours() == bench.live() == {"p1", "p2"}
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == BASE


def test_creation_whose_answer_is_lost_stands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An NFS client that asks again is told that the name is taken: by our own file."""
    bench.target.unlink()
    whole = files.create_exclusively

    def create(source: Path, target: Path) -> None:
        whole(source, target)
        if target == bench.target:
            raise error_of(errno.EEXIST)

    monkeypatch.setattr(files, "create_exclusively", create)
    bench.write(None, sleep=Waits())
    assert bench.ours() == bench.live() == {"p1", "p2"}


# ── the rename is reported done and isn't ────────────────────────────────────────────────────────────────────────────


def test_rename_that_is_lost_is_an_error_and_the_file_is_as_it_was(bench: Bench) -> None:
    waits = Waits()
    with pytest.raises(WriteFailedError, match=r"didn't take effect; check the disk or share.*the file is as it was"):
        bench.write(BASE, exchange=lambda target, temp: None, sleep=waits)
    assert bench.target.read_bytes() == BASE
    assert bench.live() == set()
    assert 1 < sum(waits) < 5
    bench.recover()
    check_settled(bench, BASE)


def test_rename_that_shows_late_stands(bench: Bench) -> None:
    """A client shows names from its cache for a while."""
    late: list[tuple[Path, Path]] = []

    def show(seconds: float) -> None:
        atomic.exchange(*late.pop()) if late else None

    bench.write(BASE, exchange=lambda target, temp: late.append((target, temp)), sleep=show)
    assert bench.ours() == bench.live() == {"p1", "p2"}


def test_both_names_for_our_file_are_no_conflict(bench: Bench) -> None:
    def old_name_stays(target: Path, temp: Path) -> None:
        data = temp.read_bytes()
        temp.replace(target)
        temp.write_bytes(data)

    bench.write(BASE, exchange=old_name_stays, sleep=Waits())
    assert bench.ours() == bench.live() == {"p1", "p2"}
    bench.recover()
    assert [name for name in bench.names() if name.startswith(".")] == []


def test_put_back_works_although_both_names_are_ours(bench: Bench) -> None:
    def old_name_stays(target: Path, temp: Path) -> None:
        data = temp.read_bytes()
        temp.replace(target)
        temp.write_bytes(data)

    def bad_disk() -> None:
        raise error_of(errno.EIO)

    with pytest.raises(WriteFailedError, match="the file is as it was"):
        bench.write(BASE, exchange=old_name_stays, on_step=at(WriteStep.VERIFIED, bad_disk), sleep=Waits())
    assert bench.target.read_bytes() == BASE
    assert bench.live() == set()


# ── held open, as on Windows or an SMB share ─────────────────────────────────────────────────────────────────────────


def sharing_violation(code: int) -> OSError:
    error = PermissionError(errno.EACCES, "The process cannot access the file")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return error


HELD = {
    "sharing": lambda: sharing_violation(32),
    "lock": lambda: sharing_violation(33),
    "denied": lambda: sharing_violation(5),
    "smb": lambda: error_of(errno.EBUSY),
    "permission": lambda: error_of(errno.EACCES),
}


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_file_that_is_held_open_for_a_moment_is_waited_for(
    bench: Bench, change: Exchange, held: Callable[[], OSError]
) -> None:
    waits, tries = Waits(), iter(range(99))

    def exchange(target: Path, temp: Path) -> None:
        if next(tries) < 3:
            raise held()
        change(target, temp)

    bench.write(BASE, exchange=exchange, sleep=waits)
    assert bench.ours() == bench.live() == {"p1", "p2"}
    assert waits == sorted(waits) and len(waits) == 3


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_file_that_stays_held_open_is_left_alone(bench: Bench, held: Callable[[], OSError]) -> None:
    waits = Waits()

    def exchange(target: Path, temp: Path) -> None:
        raise held()

    with pytest.raises(WriteFailedError, match=r"(close it|writable).*the file is as it was") as caught:
        bench.write(BASE, exchange=exchange, sleep=waits)
    assert "\n" not in str(caught.value)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]
    assert bench.live() == set()
    assert 1 < sum(waits) < 5
    bench.write(BASE, AGAIN)


def test_new_file_that_a_virus_scanner_looks_into_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    tries, create = iter(range(99)), files.create_exclusively

    def held(source: Path, target: Path) -> None:
        if target.name == ".slidebridge-w1.tmp" and next(tries) < 2:
            raise sharing_violation(32)
        create(source, target)

    monkeypatch.setattr(files, "create_exclusively", held)
    waits = Waits()
    bench.write(BASE, sleep=waits)
    assert bench.ours() == bench.live() == {"p1", "p2"}
    assert len(waits) == 2


def test_displaced_file_that_a_tool_holds_open_is_let_go_later(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write(BASE)

    def held(*_: object, **__: object) -> None:
        raise sharing_violation(32)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held)
        with pytest.raises(WriteFailedError, match="looked after at the next start"):
            bench.finish("w1")
    assert bench.finish("w1")
    assert bench.names() == ["s1.lines", "summary"]


def test_save_while_we_wait_for_a_held_file_is_a_conflict(bench: Bench) -> None:
    def exchange(target: Path, temp: Path) -> None:
        raise sharing_violation(32)

    with pytest.raises(WriteConflictError, match="saved since it was read"):
        bench.write(BASE, exchange=exchange, sleep=lambda _: bench.target.write_bytes(SAVE))
    assert bench.target.read_bytes() == SAVE
    assert bench.names() == ["s1.lines"]


# ── a disk that refuses, at every call that writes ───────────────────────────────────────────────────────────────────

REFUSED = {
    "fsync": (os, "fsync"),
    "permissions": (Path, "chmod"),
    "link": (os, "link"),
    "rename": (Path, "replace"),
    "exclusive rename": (files, "rename_in_one_step"),
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EDQUOT, "free some disk space"),
        (errno.EROFS, "writable for this account"),
        (errno.ENAMETOOLONG, "shorter path"),
        (errno.EXDEV, "mount its folder"),
        (errno.EIO, "check the disk or share"),
    ],
)
@pytest.mark.parametrize("call", REFUSED)
def test_disk_that_refuses_a_call_leaves_the_file(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str, code: int, said: str
) -> None:
    place, name = REFUSED[call]

    def refuse(*_: object, **__: object) -> None:
        raise error_of(code)

    def turn_bad() -> None:
        if call == "link":  # it is asked for where the system has no exchange
            monkeypatch.setattr(files, "rename_in_one_step", lambda *_, **__: False)
        monkeypatch.setattr(place, name, refuse)

    exchange = atomic.exchange_by_link if call in ("link", "rename") else atomic.exchange
    step = WriteStep.CHECKED if call in ("link", "rename") else WriteStep.JOURNALLED
    with pytest.raises(WriteFailedError, match=rf"{said}.*the file is as it was") as caught:
        bench.write(BASE, exchange=exchange, on_step=at(step, turn_bad), sleep=Waits())
    monkeypatch.undo()
    assert "\n" not in str(caught.value) and str(bench.target) in str(caught.value)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]
    check_settled(bench, BASE)


def test_share_that_goes_away_for_good_leaves_the_journal_open(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the swap on every look at the file fails; a start while it is away waits, one when it is back settles."""
    looks = files.sha256_of

    def away(path: Path) -> str | None:
        raise error_of(errno.ESTALE)

    with pytest.raises(WriteFailedError, match="start again to settle it"):
        bench.write(
            BASE, on_step=at(WriteStep.SWAPPED, lambda: monkeypatch.setattr(files, "sha256_of", away)), sleep=Waits()
        )
    assert [w.outcome for w in bench.recover().writes] == [Recovery.WAITING]
    with bench.open() as store:
        assert [w.state for w in store.unfinished_writes()] == [WriteState.BEGUN]
    monkeypatch.setattr(files, "sha256_of", looks)
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED]
    check_settled(bench, BASE)


# ── the store ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_store_that_is_locked_stops_the_write_before_any_file(bench: Bench) -> None:
    folder = bench.root / ".slidebridge"
    other = sqlite3.connect(folder / "store.sqlite", isolation_level=None)
    with Store.open(folder, busy_seconds=0.05) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked; another SlideBridge is at work here"):
            write_edits(bench.source, bench.entry, BASE, EDITS, store, bench.backups, iteration=1, now=NOW)
        other.execute("ROLLBACK")
        assert bench.target.read_bytes() == BASE
        assert bench.names() == ["s1.lines"]
        write_edits(bench.source, bench.entry, BASE, AGAIN, store, bench.backups, iteration=1, now=NOW)
    other.close()


def test_store_that_is_read_only_stops_the_write_before_any_file(bench: Bench) -> None:
    from sqlalchemy import event

    with bench.open() as store:

        @event.listens_for(store._engine, "begin")
        def _only_read(connection: object) -> None:  # as the system answers for a store on a read-only disk
            connection.exec_driver_sql("PRAGMA query_only = ON")  # type: ignore[attr-defined]

        with pytest.raises(StoreError, match="readonly database; make the folder writable"):
            write_edits(bench.source, bench.entry, BASE, EDITS, store, bench.backups, iteration=1, now=NOW)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]
