"""People's commands, run for real: told in order, never in the way, and nothing of a slide's name on a command line."""

from __future__ import annotations

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from bridge.annotations import SlideEntry
from bridge.store import JobKind
from lab_support import Lab
from scripts.daemon.people_hooks import HookRunner, command_for, event_json
from scripts.naming.slide_names import SlideNames
from scripts.options import HookOptions
from scripts.project import Project, open_project

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_EVENTS = ("predictions", "training", "nightly", "failure")
_APPEND = """
import sys, pathlib
pathlib.Path("told").open("a").write(sys.stdin.read())
"""
_HOLD = """
import sys, pathlib, time
pathlib.Path("told").open("a").write(sys.stdin.read())
while not pathlib.Path("go").exists(): time.sleep(0.01)
"""

MakeRunner = Callable[..., HookRunner]


def _project(lab: Lab, code: str, seconds: float = 20.0) -> Project:
    script = lab.root / "tell people.py"
    script.write_text(code, "utf-8")
    command = json.dumps(f"'{sys.executable}' '{script}'")
    lines = "".join(f"on_{event} = {command}\n" for event in _EVENTS)
    lab.set(f"\n[hooks]\n{lines}timeout_seconds = {seconds}\n")
    return open_project(lab.root)


@pytest.fixture
def runner(lab: Lab) -> Iterator[MakeRunner]:
    made: list[HookRunner] = []

    def make(code: str = _APPEND, seconds: float = 20.0, **more: Any) -> HookRunner:
        made.append(HookRunner(_project(lab, code, seconds), lambda: _NOW, **more))
        return made[-1]

    yield make
    (lab.root / "go").touch()
    for one in made:
        one.close(0.0)


def _told(lab: Lab) -> list[dict[str, Any]]:
    path = lab.root / "told"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def _wait_until(is_so: Callable[[], bool], seconds: float = 15.0) -> bool:
    until = monotonic() + seconds
    while not is_so() and monotonic() < until:
        sleep(0.02)
    return is_so()


def test_every_event_is_told_in_order_with_its_facts(lab: Lab, runner: MakeRunner) -> None:
    with runner() as hooks:
        for number, event in enumerate(_EVENTS):
            hooks.tell(event, {"slide": "case 'x'; rm -rf $HOME `id`.svs", "number": number})
        assert _wait_until(lambda: len(_told(lab)) == len(_EVENTS))
    assert [(t["event"], t["number"]) for t in _told(lab)] == [(event, n) for n, event in enumerate(_EVENTS)]
    first = _told(lab)[0]
    assert list(first) == ["event", "version", "at", "project", "slide", "number"]
    assert first["slide"] == "case 'x'; rm -rf $HOME `id`.svs"
    assert (first["version"], first["at"], first["project"]) == (1, "2026-03-01T12:00:00+00:00", str(lab.root))


def test_event_without_a_command_starts_nothing(lab: Lab) -> None:
    hooks = HookRunner(open_project(lab.root), lambda: _NOW)
    hooks.tell("predictions", {"slide": "a"})
    assert hooks.close() == 0 and not (lab.root / "told").exists()


def test_slow_command_holds_nobody_and_the_oldest_events_are_left_out(
    lab: Lab, runner: MakeRunner, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = runner(_HOLD, most_waiting=3)
    hooks.tell("training", {"number": 0})
    assert _wait_until(lambda: len(_told(lab)) == 1)
    began = monotonic()
    for number in range(1, 11):
        hooks.tell("training", {"number": number})
    assert monotonic() - began < 1.0, "telling waited for people's command"
    assert "slower than what happens" in caplog.text and "left_out_so_far=7" in caplog.text
    (lab.root / "go").touch()
    assert _wait_until(lambda: len(_told(lab)) == 4)
    assert [t["number"] for t in _told(lab)] == [0, 8, 9, 10]


def test_failing_command_is_one_line_and_the_next_event_is_told(
    lab: Lab, runner: MakeRunner, caplog: pytest.LogCaptureFixture
) -> None:
    code = _APPEND + "print('much'); sys.exit('no such\\tchannel')"
    with runner(code) as hooks:
        hooks.tell("failure", {})
        hooks.tell("failure", {})
        assert _wait_until(lambda: caplog.text.count("exit status 1") == 2)
    assert len(_told(lab)) == 2
    assert "event=failure" in caplog.text and "channel" in caplog.text and "much" not in caplog.text


def test_late_command_is_killed_and_said_so(lab: Lab, runner: MakeRunner, caplog: pytest.LogCaptureFixture) -> None:
    with runner("import time; time.sleep(60)", seconds=0.5) as hooks:
        hooks.tell("nightly", {})
        assert _wait_until(lambda: "killed after 0.5 s" in caplog.text)


def test_closing_kills_what_is_late_and_counts_what_was_not_told(
    lab: Lab, runner: MakeRunner, caplog: pytest.LogCaptureFixture
) -> None:
    hooks = runner(_HOLD)
    for number in range(4):
        hooks.tell("training", {"number": number})
    assert _wait_until(lambda: len(_told(lab)) == 1)
    began = monotonic()
    assert hooks.close(0.3) == 3
    assert monotonic() - began < 8
    assert "count=3" in caplog.text and "because SlideBridge stops" in caplog.text
    hooks.tell("training", {"number": 9})
    assert hooks.close() == 0


def test_closing_waits_a_while_for_what_is_quick(lab: Lab, runner: MakeRunner) -> None:
    hooks = runner()
    hooks.tell("training", {"number": 1})
    assert hooks.close(15.0) == 0
    assert [t["number"] for t in _told(lab)] == [1]


@pytest.mark.parametrize("command", ["/nowhere/to be found", "'open quote", "nonexistent-program-of-nobody"])
def test_command_that_cannot_run_is_one_warning(lab: Lab, command: str, caplog: pytest.LogCaptureFixture) -> None:
    lab.set(f"\n[hooks]\non_training = {json.dumps(command)}\n")
    with caplog.at_level(logging.WARNING):
        hooks = HookRunner(open_project(lab.root), lambda: _NOW)
        hooks.tell("training", {})
        assert hooks.close(10.0) == 0
    assert len(caplog.records) == 1 and "not " in caplog.text and not caplog.records[0].exc_info


def test_hidden_names_are_not_told() -> None:
    entry = SlideEntry("1", "Meyer 7.svs", Path("/scans/Meyer 7.svs"), Path("/scans/Meyer 7.xml"))
    short = SlideEntry("2", "B", Path("/scans/B.svs"), Path("/scans/B.xml"))
    names = SlideNames([entry, short], b"k" * 32)
    facts = {"slide": entry.name, "error": f"{entry.slide_path}: cut", "more": [{"path": entry.annotation_path}]}
    line = event_json("failure", facts, at=_NOW, project="/study", hide=names.hide).decode()
    assert "Meyer" not in line and json.loads(line)["slide"] == names.of("1")
    told = json.loads(event_json("failure", {"slide": "B"}, at=_NOW, project="/study", hide=names.hide))
    assert told["slide"] == names.of("2")


def test_facts_are_json_whatever_they_are_and_never_take_the_place_of_the_event() -> None:
    facts = {"event": "x", "score": math.nan, "best": -math.inf, "kind": JobKind.TRAIN, "when": _NOW, "no": None}
    line = event_json("training", facts, at=_NOW, project="/study", hide=lambda text: text)
    told = json.loads(line)
    assert told["event"] == "training" and told["score"] is None and told["best"] is None and told["no"] is None
    assert told["kind"] == "train" and told["when"] == "2026-03-01T12:00:00+00:00"
    assert line.count(b"\n") == 1 and line.isascii()


def test_each_event_has_its_command() -> None:
    options = HookOptions("a", "b", "c", " ")
    assert [command_for(options, event) for event in _EVENTS] == ["a", "b", "c", ""]
