"""The safe write killed at any instant, and the recovery from it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import StoreError
from bridge.export import Recovery, WriteStep, write_edits
from bridge.store import atomic
from write_bench import AGAIN, BASE, EDITS, NOW, SAVE, Bench, at, bkp_of, check_settled, die, in_child, needs_fork


@needs_fork
@pytest.mark.parametrize("step", WriteStep)
@pytest.mark.parametrize("base", [BASE, None], ids=["rewrite", "create"])
def test_killed_after_any_step(
    bench: Bench, step: WriteStep, base: bytes | None, exchange: Callable[[Path, Path], None]
) -> None:
    if base is None:
        bench.target.unlink()
    assert in_child(lambda: bench.write(base, on_step=at(step, die), exchange=exchange)) == -signal.SIGKILL
    bench.recover()
    if bench.live():
        assert (bench.root / "summary").read_bytes() == b"%d" % bench.target.read_bytes().count(b"\n")
    check_settled(bench, base)


@needs_fork
def test_killed_between_the_steps_of_an_exchange_by_link(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the link, after the replacement: the two instants at which three names are about."""
    for dies_at, call in enumerate(("replace", "rename")):
        root = bench.root / str(dies_at)
        root.mkdir()
        one = Bench(root)
        shutil.copytree(bench.root / ".slidebridge", root / ".slidebridge")
        one.target.write_bytes(BASE)

        def exchange(target: Path, temp: Path, call: str = call) -> None:
            monkeypatch.setattr(Path, call, lambda *_: die())
            atomic.exchange_by_link(target, temp)

        assert in_child(lambda one=one, exchange=exchange: one.write(BASE, exchange=exchange)) == -signal.SIGKILL
        one.recover()
        check_settled(one, BASE)


@needs_fork
def test_killed_in_the_middle_of_the_temporary_file(bench: Bench) -> None:
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.JOURNALLED, die))) == -signal.SIGKILL
    (bench.root / ".slidebridge-w1.tmp.part").write_bytes(b'{"mark')
    bench.recover()
    check_settled(bench, BASE)


@needs_fork
@pytest.mark.parametrize("knows_our_write", [True, False])
def test_crash_and_then_a_save_over_our_file(bench: Bench, knows_our_write: bool) -> None:
    """Where no displaced file tells, the marker in the save does."""
    step, exchange = at(WriteStep.SYNCED, die), atomic.replace_existing
    assert in_child(lambda: bench.write(BASE, on_step=step, exchange=exchange)) == -signal.SIGKILL
    bench.target.write_bytes(bench.target.read_bytes().replace(b"h1", b"h7") if knows_our_write else SAVE)
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED if knows_our_write else Recovery.ABANDONED]
    assert bench.live() == ({"p1", "p2"} if knows_our_write else set())


@needs_fork
@pytest.mark.parametrize("left", [b"{cut", None])
def test_crash_and_then_a_save_in_progress_over_our_file(bench: Bench, left: bytes | None) -> None:
    """The tool has moved our file aside and is writing the next one, which it read from ours."""
    step, exchange = at(WriteStep.SYNCED, die), atomic.replace_existing
    assert in_child(lambda: bench.write(BASE, on_step=step, exchange=exchange)) == -signal.SIGKILL
    bench.target.rename(bkp_of(bench.target))
    if left is not None:
        bench.target.write_bytes(left)
    assert [w.outcome for w in bench.recover().writes] == [Recovery.FINISHED]
    assert bench.live() == {"p1", "p2"}
    assert bench.target.exists() is (left is not None), "the save is the tool's to finish"


@needs_fork
def test_share_that_is_away_is_waited_for(bench: Bench) -> None:
    share = bench.root / "share"
    share.mkdir()
    entry = replace(bench.entry, annotation_path=share / "s1.lines")
    entry.annotation_path.write_bytes(BASE)

    def cut_short() -> None:
        with bench.open() as store:
            on_step = at(WriteStep.SYNCED, die)
            write_edits(bench.source, entry, BASE, EDITS, store, bench.backups, iteration=0, now=NOW, on_step=on_step)

    assert in_child(cut_short) == -signal.SIGKILL
    away = share.rename(bench.root / "away")
    for mount_point_stays in (False, True):
        if mount_point_stays:
            share.mkdir()
        report = bench.recover(resolve=lambda key: (bench.source, entry))
        assert [w.outcome for w in report.writes] == [Recovery.WAITING]
    share.rmdir()
    away.rename(share)
    report = bench.recover(resolve=lambda key: (bench.source, entry))
    assert [w.outcome for w in report.writes] == [Recovery.FINISHED]
    assert bench.live() == {"p1", "p2"}


@needs_fork
def test_new_write_before_recovery_is_refused(bench: Bench) -> None:
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.STAGED, die))) == -signal.SIGKILL
    with pytest.raises(StoreError, match="cut short"):
        bench.write(BASE, AGAIN)


@needs_fork
def test_recovery_after_the_project_moved(disk_bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> None:
    bench = disk_bench
    assert in_child(lambda: bench.write(BASE, on_step=at(WriteStep.SWAPPED, die))) == -signal.SIGKILL
    moved = Bench(tmp_path_factory.mktemp("moved") / "project")
    shutil.move(bench.root, moved.root)
    moved.recover()
    check_settled(moved, BASE)


def test_strays_are_reported_and_left_alone(bench: Bench) -> None:
    bench.write(BASE)
    stray = bench.root / ".slidebridge-other.tmp"
    stray.write_bytes(SAVE)
    assert bench.recover().strays == (stray,)
    assert stray.read_bytes() == SAVE
