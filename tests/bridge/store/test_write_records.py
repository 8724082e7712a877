from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from shapely import Polygon
from sqlalchemy import func, select

from bridge.annotations.ownership import WrittenObject
from bridge.errors import StoreError
from bridge.store import Store, WriteKind, WriteState
from bridge.store.schema import objects

Write = Callable[..., str]
Written = Callable[..., WrittenObject]


def begin(store: Store, marker: str, now: datetime, **more: object):
    given = {
        "base_revision": "b" * 64,
        "new_revision": marker.rjust(64, "f"),
        "target": Path("/slides/s1.xml"),
        "temp_name": f".slidebridge-{marker}.tmp",
        "iteration": 2,
        "written": (),
        "closes": (),
        "now": now,
    } | more
    return store.begin_write("s1", marker, **given)  # type: ignore[arg-type]


def live(store: Store) -> list[str]:
    return [w.object_id for w in store.live_objects("s1")]


def test_begun_write_counts_nothing_but_is_known_as_ours(store: Store, now: datetime, written: Written) -> None:
    record = begin(store, "w1", now, written=[written("p1")])
    assert record == store.write("w1") == store.unfinished_writes()[0]
    assert record.temp == Path("/slides/.slidebridge-w1.tmp")
    assert live(store) == []
    assert store.newest_marker("s1") is None
    assert store.is_own_revision("s1", record.new_revision)
    assert not store.is_own_revision("s2", record.new_revision)
    assert not store.is_own_revision("s1", "b" * 64)


def test_finished_write_counts(store: Store, now: datetime, written: Written) -> None:
    begin(store, "w1", now, written=[written("p1"), written("p2")])
    store.finish_write("w1", now)
    store.finish_write("w1", now)
    assert live(store) == ["p1", "p2"]
    assert store.newest_marker("s1") == "w1"
    assert store.unfinished_writes() == ()


def test_displaced_file_keeps_a_write_in_mind(store: Store, now: datetime) -> None:
    begin(store, "w1", now)
    store.finish_write("w1", now, displaced_since=now)
    assert [w.displaced_since for w in store.unfinished_writes()] == [now]
    store.settle_write("w1")
    assert store.unfinished_writes() == ()
    assert store.newest_marker("s1") == "w1"


def test_abandoned_write_gives_back_what_it_closed(store: Store, now: datetime, written: Written, write: Write) -> None:
    write("w1", [written("p1"), written("p2")])
    record = begin(store, "w2", now, written=[written("p3")], closes=["p1"])
    store.finish_write("w2", now, displaced_since=now)
    assert live(store) == ["p2", "p3"]
    store.abandon_write("w2", "conflict", now)
    assert live(store) == ["p1", "p2"]
    assert store.newest_marker("s1") == "w1"
    assert not store.is_own_revision("s1", record.new_revision)
    assert (store.write("w2").state, store.write("w2").why) == (WriteState.ABANDONED, "conflict")
    with pytest.raises(StoreError, match="abandoned"):
        store.finish_write("w2", now)


def test_objects_of_an_abandoned_write_can_be_written_again(
    store: Store, now: datetime, written: Written, write: Write
) -> None:
    begin(store, "w1", now, written=[written("p1")])
    store.abandon_write("w1", "conflict", now)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(objects)).scalar_one() == 0
    write("w2", [written("p1")])
    assert live(store) == ["p1"]


def test_geometry_and_all_else_comes_back_as_written(store: Store, write: Write, written: Written) -> None:
    holed = Polygon([(0, 0), (9.25, 0), (9, 9)], [[(3, 1), (5, 1), (5, 2)]])
    item = replace(written("p1", iteration=7), geometry=holed, name="2 · unsure", is_editable=False)
    write("w1", [item])
    (found,) = store.live_objects("s1")
    assert found.geometry.equals_exact(holed)
    assert replace(found, geometry=holed) == item


def test_a_slide_has_one_open_write(store: Store, now: datetime) -> None:
    begin(store, "w1", now)
    with pytest.raises(StoreError, match="cut short"):
        begin(store, "w2", now)
    store.abandon_write("w1", "x", now)
    begin(store, "w2", now)


def test_a_marker_names_one_write(store: Store, now: datetime, write: Write) -> None:
    write("w1")
    with pytest.raises(StoreError, match="used before"):
        begin(store, "w1", now)


def test_unknown_write(store: Store, now: datetime) -> None:
    for call in (store.write, lambda m: store.finish_write(m, now), store.settle_write):
        with pytest.raises(StoreError, match="knows no write"):
            call("w1")


def test_folders_written_into(store: Store, write: Write) -> None:
    write("w1")
    write("w2", slide="s2")
    assert store.written_folders() == (Path("/slides"),)


def test_what_came_to_nothing_is_forgotten_after_many_writes(store: Store, write: Write, written: Written) -> None:
    write("w0", [written("old"), written("stays")])
    write("w1", [written("p1")], closes=["old"])
    for i in range(2, 40):
        write(f"w{i}", [written(f"p{i}")], closes=[f"p{i - 1}"])
    superseded = {w.object_id for w in store.superseded("s1")}
    assert "p38" in superseded
    assert "old" not in superseded
    assert len(superseded) < 20
    assert live(store) == ["stays", "p39"]


def test_delivery_counts_nothing_until_a_save_shows_it(store: Store, now: datetime, written: Written) -> None:
    begin(store, "w1", now, written=[written("p1")])
    store.finish_write("w1", now)
    record = begin(store, "w2", now, kind=WriteKind.DELIVERY, written=[written("p2")], closes=["p1"])
    assert store.open_delivery("s1") == record == store.open_deliveries()[0]
    assert store.open_delivery("s2") is None
    assert (live(store), store.newest_marker("s1")) == (["p1"], "w1")
    assert store.unfinished_writes() == (), "no file waits to be put right"
    assert not store.is_own_revision("s1", record.new_revision), "no file of it was ever written"
    store.finish_write("w2", now)
    assert (live(store), store.newest_marker("s1"), store.open_deliveries()) == (["p2"], "w2", ())


def test_what_a_viewer_left_alone_stays_live(store: Store, now: datetime, written: Written) -> None:
    begin(store, "w1", now, written=[written("p1"), written("p2")])
    store.finish_write("w1", now)
    begin(store, "w2", now, kind=WriteKind.DELIVERY, closes=["p1", "p2"])
    store.keep_live("w2", frozenset({"p1", "unknown"}))
    store.keep_live("w2", frozenset())
    store.finish_write("w2", now)
    assert live(store) == ["p1"]


def test_nothing_is_written_to_a_slide_whose_results_wait_in_a_viewer(store: Store, now: datetime) -> None:
    begin(store, "w1", now, kind=WriteKind.DELIVERY)
    with pytest.raises(StoreError, match="wait in the viewer that has it open"):
        begin(store, "w2", now)
    store.abandon_write("w1", "closed", now)
    begin(store, "w2", now)
