"""The file that a write displaced: deleted when nobody can be writing into it, given back where somebody was."""

from __future__ import annotations

import hashlib
import shutil
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.annotations import Edits
from bridge.errors import StoreError, WriteConflictError, WriteFailedError
from bridge.export import Recovery, WriteStep
from bridge.store import WriteState, atomic
from write_bench import (
    AGAIN,
    BASE,
    LATER,
    NOW,
    SAVE,
    Bench,
    at,
    die,
    exhaust,
    in_child,
    needs_fork,
    prediction,
    save_in_place,
)


@needs_fork
@pytest.mark.parametrize("step", [WriteStep.SWAPPED, WriteStep.VERIFIED, WriteStep.SYNCED])
def test_crash_and_then_a_save_into_the_displaced_file(bench: Bench, step: WriteStep) -> None:
    handle = bench.target.open("r+b")
    assert in_child(lambda: bench.write(BASE, on_step=at(step, die))) == -signal.SIGKILL
    with handle:
        handle.write(SAVE)
        handle.truncate()
    report = bench.recover(NOW)  # at once: a save isn't left waiting
    assert [w.outcome for w in report.writes] == [Recovery.PUT_BACK]
    assert "read it again" in report.messages[0]
    assert bench.target.read_bytes() == SAVE
    assert bench.live() == set()
    bench.recover()
    assert bench.names() == ["s1.lines"]


@needs_fork
def test_crash_and_then_two_saves_keeps_both(bench: Bench) -> None:
    handle = bench.target.open("r+b")
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.SWAPPED, die))) == -signal.SIGKILL
    with handle:
        handle.write(SAVE)
        handle.truncate()
    other = SAVE.replace(b"Stroma", b"Fat")
    bench.target.write_bytes(other)
    report = bench.recover()
    assert [w.outcome for w in report.writes] == [Recovery.KEPT]
    assert bench.target.read_bytes() == other
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE
    assert bench.recover().strays == (bench.root / ".slidebridge-w1.tmp",)


def test_displaced_file_waits_until_it_has_been_still(bench: Bench) -> None:
    assert bench.write(BASE).is_displaced
    assert not bench.finish("w1", NOW + timedelta(seconds=1))
    assert [w.outcome for w in bench.recover(NOW).writes] == [Recovery.WAITING]
    assert bench.recover(NOW).strays == ()
    assert bench.finish("w1", NOW + timedelta(seconds=2))
    assert bench.finish("w1", NOW)
    assert bench.names() == ["s1.lines", "summary"]


def test_late_save_into_the_displaced_file_comes_back(bench: Bench) -> None:
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        assert bench.live() == {"p1", "p2"}
        handle.write(SAVE)
        handle.truncate()
        handle.flush()
        with pytest.raises(WriteConflictError, match="read it again"):
            bench.finish("w1", NOW)
    assert bench.target.read_bytes() == SAVE
    assert bench.live() == set()
    with bench.open() as store:
        assert store.newest_marker("s1") is None
        assert store.write("w1").state is WriteState.ABANDONED
    assert bench.finish("w1")
    assert bench.names() == ["s1.lines", "summary"]


def test_slow_write_does_not_shorten_the_wait(bench: Bench) -> None:
    """Backing up and staging took three seconds, longer than a file must have been still: it was displaced just now."""
    seconds = iter((0.0, 3.0))
    with bench.target.open("r+b") as handle:
        bench.write(BASE, clock=lambda: next(seconds))
        assert not bench.finish("w1", NOW + timedelta(seconds=4.5))
        handle.write(SAVE)
        handle.truncate()
    with pytest.raises(WriteConflictError, match="read it again"):
        bench.finish("w1", NOW + timedelta(seconds=5))
    assert bench.target.read_bytes() == SAVE


def test_our_file_that_was_taken_back_waits_from_then_on(bench: Bench) -> None:
    """Whoever opened it while it was there may still write into it."""
    seconds = iter((0.0, 3.0))
    save = at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target)))
    with pytest.raises(WriteConflictError):
        bench.write(BASE, on_step=save, clock=lambda: next(seconds))
    assert not bench.finish("w1", NOW + timedelta(seconds=4.5))
    assert bench.finish("w1", NOW + timedelta(seconds=5))
    assert bench.names() == ["s1.lines"]


@needs_fork
@pytest.mark.parametrize("step", [WriteStep.SWAPPED, WriteStep.VERIFIED, WriteStep.SYNCED])
def test_start_long_after_a_write_began_waits_for_what_it_displaced(bench: Bench, step: WriteStep) -> None:
    """When it was displaced nobody noted: perhaps a moment ago, at the end of a slow write."""
    with bench.target.open("r+b") as handle:
        assert in_child(lambda: bench.write(BASE, on_step=at(step, die))) == -signal.SIGKILL
        assert [w.outcome for w in bench.recover(LATER).writes] == [Recovery.FINISHED]
        handle.write(SAVE)
        handle.truncate()
    assert [w.outcome for w in bench.recover(LATER + timedelta(seconds=1)).writes] == [Recovery.PUT_BACK]
    assert bench.target.read_bytes() == SAVE


def test_save_in_the_instant_of_putting_back_stays_the_newest(bench: Bench) -> None:
    other = SAVE.replace(b"Stroma", b"Fat")
    calls = iter(range(9))

    def exchange(target: Path, temp: Path) -> None:
        if next(calls) == 1:
            (bench.root / "new").write_bytes(other)
            (bench.root / "new").replace(target)
        atomic.exchange(target, temp)

    save = at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target)))
    with pytest.raises(WriteConflictError):
        bench.write(BASE, on_step=save, exchange=exchange)
    assert bench.target.read_bytes() == other
    assert [w.outcome for w in bench.recover().writes] == [Recovery.KEPT]
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE


def test_late_save_gives_back_what_the_write_had_closed(bench: Bench) -> None:
    bench.write(BASE)
    bench.finish("w1")
    with bench.target.open("ab") as handle:
        bench.write(bench.target.read_bytes(), Edits("w2", delete=frozenset({"p1"}), add=(prediction("p3"),)))
        handle.write(b" ")
    with pytest.raises(WriteConflictError):
        bench.finish("w2")
    assert bench.live() == {"p1", "p2"}


def test_late_save_beside_another_save_keeps_both(bench: Bench) -> None:
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        handle.write(SAVE)
        handle.truncate()
    other = SAVE.replace(b"Stroma", b"Fat")
    bench.target.write_bytes(other)
    with pytest.raises(WriteConflictError, match="kept as"):
        bench.finish("w1")
    assert bench.target.read_bytes() == other
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE
    assert bench.finish("w1")


def test_late_save_stays_beside_newer_writes_of_ours(bench: Bench) -> None:
    """What they were composed from may hold a newer save of somebody's."""
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        newer = SAVE.replace(b"Stroma", b"Fat")
        bench.target.unlink()  # a tool that saves by another name: the handle stays with the displaced file
        bench.target.write_bytes(newer)
        bench.write(newer, AGAIN)
        handle.write(SAVE)
        handle.truncate()
    with pytest.raises(WriteConflictError, match="kept as"):
        bench.finish("w1")
    assert b"Fat" in bench.target.read_bytes()
    assert bench.ours() == bench.live() == {"p1", "p2"}
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == SAVE


def test_line_about_a_save_says_where_its_backup_is(bench: Bench) -> None:
    with bench.target.open("r+b") as handle:
        bench.write(BASE)
        handle.write(SAVE)
        handle.truncate()
    name = hashlib.sha256(SAVE).hexdigest()
    with pytest.raises(WriteConflictError, match=name[:12]):
        bench.finish("w1")
    assert bench.backups.load(name) == SAVE
    with bench.open() as store:
        assert name in {v.revision for v in store.versions("s1")}


def test_save_that_is_put_back_at_once_is_backed_up(bench: Bench) -> None:
    """Whoever has opened the file in that instant may save over it."""
    save = at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target)))
    name = hashlib.sha256(SAVE).hexdigest()
    with pytest.raises(WriteConflictError, match=f"version {name[:12]} in the backups"):
        bench.write(BASE, on_step=save)
    assert bench.target.read_bytes() == SAVE
    assert bench.backups.load(name) == SAVE
    with bench.open() as store:
        assert name in {v.revision for v in store.versions("s1")}


def test_save_is_put_back_though_no_backup_can_be_kept(bench: Bench) -> None:
    def save() -> None:
        exhaust(save_in_place(bench.target))
        (bench.root / ".slidebridge" / "backups").rename(bench.root / ".slidebridge" / "kept")
        (bench.root / ".slidebridge" / "backups").touch()

    with pytest.raises(WriteConflictError, match="moment of our write"):
        bench.write(BASE, on_step=at(WriteStep.CHECKED, save))
    assert bench.target.read_bytes() == SAVE


def test_copy_of_a_project_leaves_the_original_alone(
    disk_bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bench = disk_bench
    bench.write(BASE)
    copy = Bench(tmp_path_factory.mktemp("copy") / "project")
    shutil.copytree(bench.root, copy.root)
    assert copy.finish("w1", target=copy.target)
    assert copy.names() == ["s1.lines", "summary"]
    assert (bench.root / ".slidebridge-w1.tmp").read_bytes() == BASE, "the original may still need it"


@pytest.mark.parametrize("step", [WriteStep.JOURNALLED, WriteStep.STAGED, WriteStep.CHECKED, WriteStep.SYNCED])
def test_late_save_comes_back_though_another_process_took_the_write_for_cut_short(
    bench: Bench, step: WriteStep
) -> None:
    with bench.target.open("r+b") as handle:
        with suppress(StoreError):
            bench.write(BASE, on_step=at(step, lambda: bench.recover(NOW)))
        handle.write(SAVE)
        handle.truncate()
    bench.recover()
    assert bench.target.read_bytes() == SAVE
    assert bench.live() == set()
    assert bench.recover(LATER + timedelta(seconds=5)).messages == ()


def test_displaced_file_that_cannot_be_reached_waits(bench: Bench) -> None:
    bench.write(BASE)
    temp = bench.root / ".slidebridge-w1.tmp"
    temp.rename(bench.root / "kept")
    temp.mkdir()
    with pytest.raises(WriteFailedError, match="at the next start"):
        bench.finish("w1")
    temp.rmdir()
    (bench.root / "kept").rename(temp)
    assert bench.finish("w1")
