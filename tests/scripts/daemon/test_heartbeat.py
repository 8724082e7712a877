"""The heartbeat file: what is written is read, and nothing else is taken for a daemon."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import SlideEntry
from bridge.store import JobKind
from scripts.daemon.heartbeat import FILE_NAME, Beat, Doing, Heartbeat, LastWrite, is_alive, read_heartbeat
from scripts.naming.slide_names import SlideNames

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class _Clock:
    at: datetime = _NOW

    def __call__(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def heart(tmp_path: Path, clock: _Clock) -> Heartbeat:
    return Heartbeat(tmp_path, ("/study", "/other"), "1.2", clock)


_BEAT = Beat(
    doing=(Doing(JobKind.TRAIN, _NOW, None, "loss 0.1", 0.25), Doing(JobKind.WRITE, _NOW, "case.svs")),
    waiting=3,
    failed=1,
    observing="polling",
    next_nightly=_NOW + timedelta(hours=14),
    last_write=LastWrite("case.svs", _NOW),
)


def _count(folder: Path) -> int:
    state = read_heartbeat(folder)
    assert state is not None
    return state.count


def test_what_was_written_is_read(tmp_path: Path, heart: Heartbeat, clock: _Clock) -> None:
    clock.wait(5)
    assert heart.write(_BEAT)
    state = read_heartbeat(tmp_path)
    assert state is not None
    assert state.beat == _BEAT and state.at == clock.at and state.process.since == _NOW
    assert state.projects == ("/study", "/other") and state.process.version == "1.2" and state.ended_at is None
    assert is_alive(state)
    assert [p.name for p in tmp_path.iterdir()] == [FILE_NAME], "a temporary file is left"


def test_progress_is_written_once_a_second_and_a_change_at_once(
    tmp_path: Path, heart: Heartbeat, clock: _Clock
) -> None:
    for step in range(40):
        clock.wait(0.1)
        doing = Doing(JobKind.TRAIN, _NOW, note=f"step {step}", progress=step / 40)
        heart.write(replace(_BEAT, doing=(doing,)))
    assert _count(tmp_path) == 4
    heart.write(replace(_BEAT, doing=()))
    heart.write(replace(_BEAT, doing=(), waiting=9))
    assert _count(tmp_path) == 6


def test_idle_daemon_leaves_the_disk_alone(tmp_path: Path, heart: Heartbeat, clock: _Clock) -> None:
    for _ in range(100):
        heart.write(_BEAT)
        clock.wait(0.5)
    assert _count(tmp_path) == 5


def test_clock_that_is_set_back_does_not_stop_the_heart(tmp_path: Path, heart: Heartbeat, clock: _Clock) -> None:
    heart.write(_BEAT)
    clock.wait(-86400)
    heart.write(_BEAT)
    assert _count(tmp_path) == 2


def test_daemon_that_stopped_by_itself_is_told_from_one_that_was_killed(
    tmp_path: Path, heart: Heartbeat, clock: _Clock
) -> None:
    heart.write(_BEAT)
    heart.stop()
    state = read_heartbeat(tmp_path)
    assert state is not None and state.ended_at == _NOW and state.beat.doing == () and is_alive(state) is False


def test_killed_process_is_not_alive_and_one_on_another_machine_cannot_be_told(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from datetime import *\n"
        "from scripts.daemon.heartbeat import *\n"
        "Heartbeat(Path(sys.argv[1]), (), '1', lambda: datetime.now(UTC)).write(Beat())\n"
        "print('up', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline().strip() == b"up"
        state = read_heartbeat(tmp_path)
        assert state is not None and is_alive(state) is True
        process.kill()
        process.wait()
    assert is_alive(state) is False
    assert is_alive(replace(state, process=replace(state.process, host="elsewhere"))) is None


def test_another_process_with_the_same_number_is_not_the_daemon(tmp_path: Path, heart: Heartbeat) -> None:
    heart.write(_BEAT)
    state = read_heartbeat(tmp_path)
    assert state is not None
    process = replace(
        state.process,
        started_at=state.process.started_at - 3600,
        started_after_boot=state.process.started_after_boot - 3600,
    )
    assert is_alive(replace(state, process=process)) is False


def test_full_disk_is_no_reason_to_stop(
    tmp_path: Path, heart: Heartbeat, clock: _Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with caplog.at_level(logging.DEBUG, "scripts.daemon.heartbeat"), monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        assert [heart.write(_BEAT) for _ in range(3)] == [False] * 3
    assert caplog.text.count("No space left") == 1
    assert heart.write(_BEAT) and read_heartbeat(tmp_path) is not None


def test_names_are_hidden_in_it(tmp_path: Path, clock: _Clock) -> None:
    entry = SlideEntry("1", "Meyer.svs", Path("/s/Meyer.svs"), Path("/s/Meyer.xml"))
    names = SlideNames([entry], b"k" * 32)
    beat = Beat((Doing(JobKind.READ, _NOW, "Meyer.svs", "Meyer.svs opened"),), last_write=LastWrite("Meyer.svs", _NOW))
    Heartbeat(tmp_path, (), "1", clock, hide=names.hide).write(beat)
    assert "Meyer" not in (tmp_path / FILE_NAME).read_text()
    state = read_heartbeat(tmp_path)
    assert state is not None and state.beat.doing[0].slide == names.of("1")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b"[" * 100_000, b" " * 300_000])
def test_damaged_file_is_no_daemon(tmp_path: Path, data: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(data)
    assert read_heartbeat(tmp_path) is None


def test_no_file_is_no_daemon(tmp_path: Path) -> None:
    assert read_heartbeat(tmp_path / "nowhere") is None


_JSON = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), value=_JSON)
def test_file_with_one_wrong_field_is_no_daemon_or_a_sound_one(
    data: st.DataObject, value: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("heart")
    Heartbeat(folder, ("/study",), "1", _Clock()).write(_BEAT)
    found = json.loads((folder / FILE_NAME).read_text())
    target = data.draw(st.sampled_from([found, found["process"], found["beat"], found["beat"]["doing"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = value
    (folder / FILE_NAME).write_text(json.dumps(found))
    state = read_heartbeat(folder)
    if state is not None:
        assert is_alive(state) in (True, False, None)
        assert abs(state.at - _NOW) >= timedelta(0)
