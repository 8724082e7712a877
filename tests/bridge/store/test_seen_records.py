from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from bridge.annotations.roles import Fate, Outcome
from bridge.annotations.split import TRAIN
from bridge.store import SeenRecord, Store
from bridge.store.split_records import AssignedPart

SEEN = SeenRecord("s1", "b", 12, 1767225600.1234567, "r" * 64, "/slides/s1.svs", 99, 1.5, {"said": "2 roi", "n": 0.1})


def test_what_was_seen_comes_back_as_it_was_recorded(store: Store) -> None:
    assert store.seen() == {}
    no_file = replace(SEEN, slide_key="s2", file_size=None, file_modified=None, revision=None)
    store.record_seen([SEEN, no_file])
    assert store.seen() == {"s1": SEEN, "s2": no_file}
    again = replace(SEEN, basis="c", facts={"said": "no objects"})
    store.record_seen([again])
    store.record_seen([])
    assert store.seen() == {"s1": again, "s2": no_file}


def test_slides_that_left_the_project_are_forgotten(store: Store) -> None:
    store.record_seen([SEEN, replace(SEEN, slide_key="s2")])
    store.keep_seen(["s2", "never seen"])
    assert set(store.seen()) == {"s2"}


RECORDS: dict[str, Callable[[Store, datetime], object]] = {
    "read": lambda store, now: store.record_read("s1", "r2", now, human_count=1),
    "doubt": lambda store, now: store.record_suspicious("s1", "r2"),
    "part": lambda store, now: store.assign_parts([AssignedPart("s1", "a", TRAIN)], now),
    "learned": lambda store, now: store.record_learned(1, "s1", ["a"]),
}


@pytest.mark.parametrize("record", [pytest.param(record, id=name) for name, record in RECORDS.items()])
def test_whatever_another_reading_would_heed_makes_one_necessary(
    store: Store, now: datetime, record: Callable[[Store, datetime], object]
) -> None:
    store.record_seen([SEEN, replace(SEEN, slide_key="s2")])
    record(store, now)
    assert set(store.seen()) == {"s2"}


def test_each_step_of_a_write_and_its_outcomes_make_a_reading_necessary(
    store: Store, now: datetime, written: Callable[..., object]
) -> None:
    def begin(marker: str) -> None:
        store.begin_write(
            "s1",
            marker,
            base_revision="0" * 64,
            new_revision=marker.rjust(64, "f"),
            target=Path("/slides/s1.xml"),
            temp_name=f"{marker}.tmp",
            iteration=1,
            written=[written("p1")],
            closes=(),
            now=now,
        )

    gone = Outcome(written("p1"), Fate.REJECTED, None)
    steps: list[Callable[[], object]] = [
        lambda: begin("w1"),
        lambda: store.finish_write("w1", now),
        lambda: store.record_outcomes("s1", [gone], "r2", now),
        lambda: begin("w2"),
        lambda: store.abandon_write("w2", "a save came in between", now),
    ]
    for step in steps:
        store.record_seen([SEEN])
        step()
        assert store.seen() == {}
