from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from bridge.annotations import Annotation, MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Fate, Outcome
from bridge.store import SaveRecord, Store

Write = Callable[..., str]
Written = Callable[..., WrittenObject]


def outcome(item: WrittenObject, fate: Fate) -> Outcome:
    is_there = fate in (Fate.OPEN, Fate.ACCEPTED, Fate.CORRECTED)
    return Outcome(item, fate, Annotation(item.object_id, box(0, 0, 9, 9), "Tumor") if is_there else None, "Tumor")


def save(store: Store, slide: str, revision: str, at: datetime, *outcomes: Outcome) -> None:
    store.record_outcomes(slide, outcomes, revision, at)
    store.record_read(slide, revision, at, human_count=1)


@pytest.fixture
def hours(now: datetime) -> list[datetime]:
    return [now + timedelta(hours=hour) for hour in range(9)]


def test_save_brings_what_it_decided(store: Store, hours: list[datetime], write: Write, written: Written) -> None:
    kept, gone = written("p1", iteration=1), written("p2", iteration=2)
    write("w1", [kept, gone])
    save(store, "s1", "r1", hours[1], outcome(kept, Fate.ACCEPTED), outcome(gone, Fate.OPEN))
    save(store, "s1", "r2", hours[2], outcome(kept, Fate.ACCEPTED), outcome(gone, Fate.REJECTED))
    assert store.saves() == (
        SaveRecord("s1", "r1", hours[1], {(1, Fate.ACCEPTED): 1}),
        SaveRecord("s1", "r2", hours[2], {(2, Fate.REJECTED): 1}),
    )


def test_change_of_mind_belongs_to_the_save_that_shows_it(
    store: Store, hours: list[datetime], write: Write, written: Written
) -> None:
    item = written("p1")
    write("w1", [item])
    for hour, fate in enumerate((Fate.ACCEPTED, Fate.CORRECTED, Fate.CORRECTED), 1):
        save(store, "s1", f"r{hour}", hours[hour], outcome(item, fate))
    assert [dict(s.fates) for s in store.saves()] == [{}, {(1, Fate.CORRECTED): 1}, {}]


def test_decision_in_a_revision_that_came_back_is_the_later_one_s(
    store: Store, hours: list[datetime], write: Write, written: Written
) -> None:
    item = written("p1")
    write("w1", [item])
    for hour, (revision, fate) in enumerate((("a", Fate.ACCEPTED), ("b", Fate.OPEN), ("a", Fate.ACCEPTED)), 1):
        save(store, "s1", revision, hours[hour], outcome(item, fate))
    assert [(s.revision, sum(s.fates.values())) for s in store.saves()] == [("a", 0), ("b", 0), ("a", 1)]


def test_file_as_we_wrote_it_is_no_save(store: Store, hours: list[datetime], write: Write, written: Written) -> None:
    save(store, "s1", "r1", hours[1])
    write("w1", [written("p1")])
    save(store, "s1", "w1".rjust(64, "f"), hours[2])
    save(store, "s1", "r2", hours[3])
    assert [s.revision for s in store.saves()] == ["r1", "r2"]


def test_saves_stand_in_the_order_in_which_files_were_saved(store: Store, hours: list[datetime]) -> None:
    store.record_read("s1", "r1", hours[3], human_count=1, saved_at=hours[2])
    store.record_read("s2", "r2", hours[3], human_count=1, saved_at=hours[1])
    store.record_read("s3", "r3", hours[3], human_count=1)
    store.record_added("s2", 4, 7, "r2")
    assert [(s.slide_key, s.at, dict(s.added)) for s in store.saves()] == [
        ("s2", hours[1], {4: 7}),
        ("s1", hours[2], {}),
        ("s3", hours[3], {}),
    ]


def test_first_look(store: Store, hours: list[datetime], write: Write, now: datetime) -> None:
    assert store.first_look() is None
    store.record_read("s1", "r1", hours[5], human_count=1, saved_at=hours[1])
    assert store.first_look() == hours[5]
    write("w1")
    assert store.first_look() == now


def predicted(object_id: str, iteration: int) -> WrittenObject:
    return WrittenObject(object_id, MachineRole.PREDICTION, "Tumor: Predicted", box(0, 0, 9, 9), None, iteration)


def write_to(store: Store, slide: str, items: list[WrittenObject], now: datetime) -> None:
    target = Path("/slides") / f"{slide}.xml"
    revisions = {"base_revision": "0", "new_revision": f"of {slide}"}
    store.begin_write(
        slide, slide, **revisions, target=target, temp_name="t", iteration=1, written=items, closes=(), now=now
    )
    store.finish_write(slide, now)


FATES = (Fate.OPEN, Fate.ACCEPTED, Fate.CORRECTED, Fate.REJECTED, Fate.CLEARED)


@given(st.lists(st.tuples(st.lists(st.sampled_from(FATES), min_size=4, max_size=4), st.integers(0, 5)), max_size=6))
@settings(max_examples=20)
def test_saves_add_up_to_the_counts(turns: list[tuple[list[Fate], int]]) -> None:
    now = datetime.fromisoformat("2026-03-01T12:00:00+00:00")
    items = [predicted(f"p{i}", 1 + i % 2) for i in range(4)]
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder)) as store:
        for slide in ("s1", "s2"):
            write_to(store, slide, items, now)
        for turn, (fates, count) in enumerate(turns, 1):
            slide, revision, at = f"s{1 + turn % 2}", f"r{turn}", now + timedelta(minutes=turn)
            store.record_added(slide, turn % 3, count, revision)
            save(store, slide, revision, at, *(outcome(i, f) for i, f in zip(items, fates, strict=True)))
        saves = store.saves()
        assert len(saves) == len(turns)
        for iteration in (1, 2):
            found: Counter[Fate] = Counter()
            for each in saves:
                found.update({fate: n for (i, fate), n in each.fates.items() if i == iteration})
            assert found == store.outcome_counts(iteration)
        assert sum(sum(s.added.values()) for s in saves) == store.added_count()
