from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bridge.store import Store
from bridge.store.slide_records import ReadAgain


def test_last_read(store: Store, now: datetime) -> None:
    assert store.last_read("s1") is None
    store.record_read("s1", "r1", now, human_count=3, labelled_area_um2=7.5, name="slide 1")
    store.record_read("s1", "r2", now + timedelta(1), human_count=4)
    store.record_read("s2", "r9", now + timedelta(2), human_count=0)
    found = store.last_read("s1")
    assert found is not None
    assert (found.revision, found.human_count, found.read_at) == ("r2", 4, now + timedelta(1))
    assert [(s.key, s.name) for s in store.slides()] == [("s1", "slide 1"), ("s2", "s2")]


def test_same_revision_read_again_keeps_the_time_of_the_save(store: Store, now: datetime) -> None:
    for day in range(3):
        store.record_read("s1", "r1", now + timedelta(day), human_count=day)
    (read,) = store.reads("s1")
    assert (read.first_read_at, read.read_at, read.human_count) == (now, now + timedelta(2), 2)


def test_area_stays_when_many_slides_are_read_again(store: Store, now: datetime) -> None:
    store.record_read("s1", "r1", now, human_count=1, labelled_area_um2=7.5)
    store.record_reads_again([ReadAgain("s1", "r1", "slide 1", 2)], now + timedelta(1))
    (read,) = store.reads("s1")
    assert (read.labelled_area_um2, read.human_count, read.read_at) == (7.5, 2, now + timedelta(1))


def test_revision_that_comes_back_is_a_new_save(store: Store, now: datetime) -> None:
    for day, revision in enumerate(["r1", "r2", "r1"]):
        store.record_read("s1", revision, now + timedelta(day), human_count=1)
    assert [r.revision for r in store.reads("s1")] == ["r1", "r2", "r1"]


@pytest.mark.parametrize(
    ("hours", "is_believed"), [(-25, False), (-24, True), (-1, True), (0, True), (1, False)], ids=str
)
def test_time_of_a_file_is_believed_between_the_looks_only(
    store: Store, now: datetime, hours: int, is_believed: bool
) -> None:
    saved = now + timedelta(hours=hours)
    store.record_read("s1", "r1", now - timedelta(days=2), human_count=1, saved_at=now - timedelta(days=90))
    store.record_read("s1", "r1", now - timedelta(days=1), human_count=1, saved_at=now)
    store.record_read("s1", "r2", now, human_count=1, saved_at=saved)
    first, second = store.reads("s1")
    assert first.saved_at == now - timedelta(days=90)
    assert second.saved_at == (saved if is_believed else None)


def test_predicted_with(store: Store) -> None:
    assert store.predicted_with("s1") is None
    store.record_predicted("s1", "c1")
    store.record_predicted("s1", "c2")
    assert store.predicted_with("s1") == "c2"


def test_viewed(store: Store, now: datetime) -> None:
    store.record_viewed("s1", now)
    assert store.slides()[0].viewed_at == now
