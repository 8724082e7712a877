from __future__ import annotations

from pathlib import Path

from scripts.bench.torture.ledger import Ledger, read_ledger


def test_events_come_back_in_order(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "log")
    ledger.note("one", state=["a"])
    ledger.note("two")
    events = list(read_ledger(tmp_path / "log"))
    assert [e["event"] for e in events] == ["one", "two"] and events[0]["state"] == ["a"]
    assert events[0]["at"] <= events[1]["at"]


def test_line_that_a_kill_has_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    Ledger(path).note("one")
    with path.open("ab") as file:
        file.write(b'\n{"event":"begin","state":["half')
    Ledger(path).note("two")
    assert [e["event"] for e in read_ledger(path)] == ["one", "two"]


def test_tail_begins_with_a_whole_event(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "log")
    for number in range(50):
        ledger.note("event", number=number)
    numbers = [e["number"] for e in read_ledger(tmp_path / "log", tail_bytes=300)]
    assert numbers == list(range(50 - len(numbers), 50)) and 0 < len(numbers) < 10


def test_ledger_that_was_never_begun_is_empty(tmp_path: Path) -> None:
    assert list(read_ledger(tmp_path / "log")) == []
