"""The safe write where there is no file yet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bridge.errors import WriteConflictError
from bridge.export import WriteStep, write_edits
from write_bench import BASE, EDITS, NOW, Bench, at, bkp_of, check_save_survived, exhaust, save_in_place


def test_first_file_is_created(bench: Bench) -> None:
    bench.target.unlink()
    assert not bench.write(None).is_displaced
    assert bench.ours() == {"p1", "p2"}
    assert bench.names() == ["s1.lines", "summary"]


def test_first_file_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    entry = replace(bench.entry, annotation_path=tmp_path / "7" / "data.lines")
    with bench.open() as store:
        write_edits(bench.source, entry, None, EDITS, store, bench.backups, iteration=0, now=NOW)
    assert entry.annotation_path.is_file()


def test_file_that_appeared_is_not_replaced(bench: Bench) -> None:
    with pytest.raises(WriteConflictError):
        bench.write(None)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines"]
    assert bench.live() == set()


@pytest.mark.parametrize("step", WriteStep)
def test_whole_save_while_a_first_file_is_made(bench: Bench, step: WriteStep) -> None:
    bench.target.unlink()
    outcome = None
    try:
        bench.write(None, on_step=at(step, lambda: exhaust(save_in_place(bench.target))))
    except WriteConflictError as error:
        outcome = error
    assert (outcome is None) == (
        step in (WriteStep.VERIFIED, WriteStep.SYNCED, WriteStep.FINISHED, WriteStep.COMPANIONS)
    )
    check_save_survived(bench)


def test_save_that_begins_after_a_first_file_was_made(bench: Bench) -> None:
    bench.target.unlink()
    with pytest.raises(WriteConflictError, match="is being saved"):
        bench.write(None, on_step=at(WriteStep.SWAPPED, lambda: bkp_of(bench.target).touch()))
    assert not bench.target.exists()
    assert bench.live() == set()
