"""The safe write against tools that save at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations.roles import Fate, Outcome
from bridge.errors import WriteConflictError
from bridge.export import WriteStep
from bridge.store import atomic
from write_bench import (
    AGAIN,
    AGAIN_DELETING,
    BASE,
    EXCHANGES,
    LATER,
    NOW,
    SAVE,
    TOOLS,
    Bench,
    at,
    bkp_of,
    check_save_survived,
    exhaust,
    new_bench,
    prediction,
    save_in_place,
)


@pytest.mark.parametrize("step", WriteStep)
@pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)
def test_whole_save_between_two_steps(
    bench: Bench, step: WriteStep, tool: Callable[[Path], Iterator[None]], exchange: Callable[[Path, Path], None]
) -> None:
    save = at(step, lambda: exhaust(tool(bench.target)))
    before_the_swap = step not in (WriteStep.VERIFIED, WriteStep.SYNCED, WriteStep.FINISHED, WriteStep.COMPANIONS)
    if before_the_swap and not (step is WriteStep.CHECKED and exchange is atomic.replace_existing):
        with pytest.raises(WriteConflictError, match="read it again"):
            bench.write(BASE, on_step=save, exchange=exchange)
        assert bench.target.read_bytes() == SAVE
        assert bench.live() == set()
    elif before_the_swap:
        return  # a share without exchange or links: the window that stays open, and the documentation says so
    else:
        bench.write(BASE, on_step=save, exchange=exchange)  # was in place; the save came after it
    check_save_survived(bench)


@pytest.mark.parametrize("name", ["exchange", "link"])
@given(
    tool=st.sampled_from(list(TOOLS.values())),
    when=st.lists(st.integers(0, 13), min_size=5, max_size=5).map(sorted),
    killed=st.none() | st.sampled_from(list(WriteStep)),
)
@settings(max_examples=40, deadline=None)
def test_save_interleaved_with_a_write_in_any_way(
    new_store: Path,
    name: str,
    tool: Callable[[Path], Iterator[None]],
    when: list[int],
    killed: WriteStep | None,
) -> None:
    """Each step of the save falls anywhere among the steps of the write, of finishing it, or after; crashes too."""
    with new_bench(new_store) as bench:
        moves, passed, saving = tool(bench.target), iter(range(100)), list(when)

        def move(until: int) -> None:
            while saving and saving[0] <= until:
                saving.pop(0)
                next(moves, None)

        def tick(step: WriteStep | None = None) -> None:
            move(next(passed))
            if step is not None and step is killed:
                raise SystemExit  # nothing between here and the journal catches it: as good as dead

        with suppress(WriteConflictError, SystemExit):
            bench.write(BASE, on_step=tick, exchange=EXCHANGES[name])
        tick()
        bench.recover(NOW)
        tick()
        if len(saving) == 4:
            move(saving[0])  # what is opened is written to within settle_seconds: beyond, nobody can know
        bench.recover(NOW + timedelta(seconds=5))
        tick()
        bench.recover(NOW + timedelta(seconds=10))
        exhaust(moves)
        check_save_survived(bench)


def test_save_in_progress_blocks(bench: Bench) -> None:
    bkp_of(bench.target).write_bytes(BASE)
    with pytest.raises(WriteConflictError, match="is being saved"):
        bench.write(BASE)
    assert bench.target.read_bytes() == BASE
    assert bench.names() == ["s1.lines", "s1.lines.bkp"]  # nothing displaced: it was never swapped


def test_save_that_begins_after_the_swap_gets_its_file_back(bench: Bench) -> None:
    """A .bkp without a renamed target: seen only by the second look."""
    with pytest.raises(WriteConflictError, match="is being saved"):
        bench.write(BASE, on_step=at(WriteStep.SWAPPED, lambda: bkp_of(bench.target).touch()))
    assert bench.target.read_bytes() == BASE
    assert bench.live() == set()


def test_file_that_was_deleted_meanwhile_is_not_made_again(bench: Bench) -> None:
    with pytest.raises(WriteConflictError, match="moved away"):
        bench.write(BASE, on_step=at(WriteStep.CHECKED, bench.target.unlink))
    assert bench.names() == []


def test_conflict_then_merge_again(bench: Bench) -> None:
    with pytest.raises(WriteConflictError):
        bench.write(BASE, on_step=at(WriteStep.CHECKED, lambda: exhaust(save_in_place(bench.target))))
    bench.write(bench.target.read_bytes(), AGAIN)
    found = bench.source.parse(bench.target.read_bytes(), bench.entry)
    assert [a.object_id for a in found.annotations] == ["h2", "h1", "p1", "p2"]
    assert bench.live() == {"p1", "p2"}


def test_object_that_an_open_viewer_brought_back_is_known(bench: Bench) -> None:
    bench.write(BASE)
    viewer = bench.target.read_bytes()
    bench.write(viewer, AGAIN_DELETING)
    bench.target.write_bytes(viewer)  # the viewer, open all along, saves what it knows
    with bench.open() as store:
        back = store.superseded("s1")
        assert {w.object_id for w in back} == {"p1", "p2"}
        gone = [Outcome(w, Fate.OVERWRITTEN) for w in store.live_objects("s1")]
        found = {a.object_id: a for a in bench.source.parse(viewer, bench.entry).annotations}
        here = [Outcome(w, Fate.OPEN, found[w.object_id]) for w in back]
        store.record_outcomes("s1", gone + here, "r", LATER)
    assert bench.live() == {"p1", "p2"}
    bench.write(viewer, replace(AGAIN_DELETING, write_marker="w3", add=(prediction("p4"),)))
    assert bench.live() == bench.ours() == {"p4"}
