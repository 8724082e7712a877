"""Which images are open, by files of programs that we can't trust, on machines whose clocks we don't know."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from bridge.annotations import Delivery, DeliveryState
from bridge.errors import WriteFailedError
from bridge.qupath import QuPathViewer

HERE, ELSEWHERE = "pathology.example.org", "elsewhere"
DEAD = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / ".slidebridge" / "viewer"
    (made / "outbox").mkdir(parents=True)
    return made


@pytest.fixture
def viewer(tmp_path: Path) -> QuPathViewer:
    return QuPathViewer(tmp_path, host=HERE, is_running=lambda pid: pid != DEAD)


def entry(key: str, *, changed: bool = False, on_screen: bool = False, marker: str | None = None) -> dict[str, Any]:
    return {"entry": key, "changed": changed, "on_screen": on_screen, "marker": marker}


def beat(
    folder: Path, count: int, *entries: dict[str, Any], session: str = "s1", pid: int = 1, host: str = ELSEWHERE
) -> Path:
    path = folder / f"open-{session}.json"
    content = {"protocol": 1, "session": session, "pid": pid, "host": host, "count": count, "open": list(entries)}
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_nothing_is_open_where_no_script_runs(tmp_path: Path) -> None:
    assert QuPathViewer(tmp_path).open_slides(0.0) == {}
    assert QuPathViewer(tmp_path).requests() == ()


def test_heartbeat_counts_as_long_as_it_moves_on_our_clock(folder: Path, viewer: QuPathViewer) -> None:
    path = beat(folder, 1, entry("1"))
    for now in range(0, 100, 10):
        path = beat(folder, now, entry("1"))
        os.utime(path, (0, 0))  # whatever clock that machine has
        assert "1" in viewer.open_slides(float(now))
    assert "1" in viewer.open_slides(90 + 15.0)
    assert viewer.open_slides(90 + 15.1) == {}
    beat(folder, 1_000, entry("1"))
    assert "1" in viewer.open_slides(200.0), "it was asleep"


def test_count_that_begins_anew_moves_too(folder: Path, viewer: QuPathViewer) -> None:
    beat(folder, 50, entry("1"))
    viewer.open_slides(0.0)
    beat(folder, 2, entry("1"))
    viewer.open_slides(10.0)
    assert "1" in viewer.open_slides(20.0)


def test_process_that_is_gone_on_this_machine_ends_it_sooner(folder: Path, viewer: QuPathViewer) -> None:
    beat(folder, 1, entry("here"), session="a", pid=DEAD, host="PATHOLOGY")
    beat(folder, 1, entry("there"), session="b", pid=DEAD, host=ELSEWHERE)
    beat(folder, 1, entry("alive"), session="c", pid=1, host=HERE)
    viewer.open_slides(0.0)
    assert set(viewer.open_slides(5.0)) == {"there", "alive"}


def test_process_that_only_seems_to_be_gone_counts_while_its_heart_beats(folder: Path, viewer: QuPathViewer) -> None:
    for now in range(20):
        beat(folder, now, entry("1"), pid=DEAD, host=HERE)  # in a container, or in WSL
        assert "1" in viewer.open_slides(float(now))


def test_heartbeat_that_is_gone_for_a_moment_is_no_closed_image(folder: Path, viewer: QuPathViewer) -> None:
    path = beat(folder, 1, entry("1"))
    viewer.open_slides(0.0)
    path.unlink()
    assert "1" in viewer.open_slides(1.0)
    assert viewer.open_slides(4.0) == {}


def test_cut_heartbeat_is_no_closed_image(folder: Path, viewer: QuPathViewer) -> None:
    path = beat(folder, 1, entry("1"))
    viewer.open_slides(0.0)
    path.write_text('{"protocol": 1, "sess', "utf-8")
    assert "1" in viewer.open_slides(10.0)
    assert viewer.open_slides(20.0) == {}


def test_two_viewers_with_one_image_are_one_open_slide(folder: Path, viewer: QuPathViewer) -> None:
    beat(folder, 1, entry("1", changed=True, marker="w1"), session="a")
    beat(folder, 1, entry("1", on_screen=True, marker="w2"), entry("2"), session="b")
    found = viewer.open_slides(0.0)
    assert set(found) == {"1", "2"}
    both = found["1"]
    assert (both.is_changed, both.is_on_screen) == (True, True)
    assert (both.sessions, both.markers) == ({"a", "b"}, {"w1", "w2"})
    assert (found["2"].is_changed, found["2"].is_on_screen, found["2"].markers) == (False, False, frozenset())


def test_heartbeat_of_a_program_that_is_long_gone_is_cleared_away(folder: Path, viewer: QuPathViewer) -> None:
    path = beat(folder, 1, entry("1"))
    viewer.open_slides(0.0)
    viewer.open_slides(3_000.0)
    assert path.exists()
    viewer.open_slides(4_000.0)
    assert not path.exists()


def test_damaged_file_is_told_once(folder: Path, viewer: QuPathViewer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    (folder / "open-x.json").write_text("[]", "utf-8")
    for now in range(5):
        assert viewer.open_slides(float(now)) == {}
    assert len(caplog.records) == 1 and "open-x.json" in caplog.text
    (folder / "open-x.json").write_text("{", "utf-8")
    viewer.open_slides(6.0)
    assert len(caplog.records) == 2


def test_request_comes_once_and_in_order(folder: Path, viewer: QuPathViewer) -> None:
    outbox = folder / "outbox"
    ask = {"protocol": 1, "session": "s", "ask": "predict", "region": None}
    (outbox / "002.json").write_text(json.dumps(ask | {"entry": "2"}), "utf-8")
    (outbox / "001.json").write_text(json.dumps(ask | {"entry": "1"}), "utf-8")
    (outbox / "003.json").write_text("{}", "utf-8")
    (outbox / "004.json.12.part").write_text("half", "utf-8")
    assert [r.slide_key for r in viewer.requests()] == ["1", "2"]
    assert viewer.requests() == ()
    assert [path.name for path in outbox.iterdir()] == ["004.json.12.part"]


def test_delivery_is_taken_by_one_side_only(folder: Path, viewer: QuPathViewer) -> None:
    viewer.deliver("1", Delivery("w1"))
    offered = folder / "inbox" / "1" / "w1.json"
    assert viewer.progress("1", "w1").state is DeliveryState.WAITING
    offered.rename(offered.with_name("w1.s1.taken"))
    assert not viewer.withdraw("1", "w1")
    assert viewer.progress("1", "w1").session == "s1"
    receipt = {"protocol": 1, "session": "s1", "left": ["a"], "trouble": "no\nroom"}
    (offered.parent / "w1.done").write_text(json.dumps(receipt), "utf-8")
    shown = viewer.progress("1", "w1")
    assert (shown.state, shown.left, shown.trouble) == (DeliveryState.SHOWN, {"a"}, "no room")
    viewer.forget("1", "w1")
    assert viewer.progress("1", "w1").state is DeliveryState.GONE
    assert not offered.parent.exists()


def test_withdrawn_delivery_can_not_be_taken(folder: Path, viewer: QuPathViewer) -> None:
    viewer.deliver("1", Delivery("w1"))
    assert viewer.withdraw("1", "w1")
    assert not viewer.withdraw("1", "w1")
    assert not (folder / "inbox" / "1").exists()


def test_receipt_that_is_damaged_leaves_nothing_alive(folder: Path, viewer: QuPathViewer) -> None:
    (folder / "inbox" / "1").mkdir(parents=True)
    (folder / "inbox" / "1" / "w1.done").write_text("?", "utf-8")
    shown = viewer.progress("1", "w1")
    assert (shown.state, shown.left) == (DeliveryState.SHOWN, frozenset())


@pytest.mark.parametrize("key", ["../1", "a/b", "..", ".x", ""])
def test_id_that_leads_out_of_the_folder_is_refused(folder: Path, viewer: QuPathViewer, key: str) -> None:
    with pytest.raises(WriteFailedError, match="can't name a folder"):
        viewer.deliver(key, Delivery("w1"))
