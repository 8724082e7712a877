from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from bridge.annotations import MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.store import Store

Write = Callable[..., str]
Written = Callable[..., WrittenObject]


def _begin(store: Store, marker: str, now: datetime) -> None:
    store.begin_write(
        "s1",
        marker,
        base_revision="b" * 64,
        new_revision=marker.rjust(64, "f"),
        target=Path("/slides/s1.xml"),
        temp_name=f".slidebridge-{marker}.tmp",
        iteration=7,
        written=(),
        closes=(),
        now=now,
    )


def test_last_write_of_each_slide_tells_what_it_brought(
    store: Store, now: datetime, write: Write, written: Written
) -> None:
    write("w1", [written("p1"), written("p2")])
    write("w2", [written("p3"), written("b1", MachineRole.PROPOSAL), written("b2", MachineRole.PROPOSAL)])
    write("w3", slide="s2")
    found = {w.slide_key: (w.marker, w.predictions, w.proposals, w.iteration) for w in store.last_writes()}
    assert found == {"s1": ("w2", 1, 2, 1), "s2": ("w3", 0, 0, 1)}


def test_write_that_is_under_way_or_never_counted_is_no_last_write(store: Store, now: datetime, write: Write) -> None:
    assert store.last_writes() == ()
    _begin(store, "w1", now)
    assert store.last_writes() == ()
    store.finish_write("w1", now + timedelta(seconds=3))
    _begin(store, "w2", now + timedelta(hours=1))
    store.abandon_write("w2", "a person saved first", now)
    assert [(w.marker, w.at, w.iteration) for w in store.last_writes()] == [("w1", now + timedelta(seconds=3), 7)]
