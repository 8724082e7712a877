"""A real child process, well and badly behaved: what comes back, and that nothing of it is left alive."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bridge.errors import QuPathBackendError
from bridge.qupath.paquo_process import run_child
from bridge.qupath.paquo_protocol import StreamLimits

_START = """
import json, os, subprocess, sys, time
def say(**message): print(json.dumps(message), flush=True)
request = json.loads(sys.stdin.readline())
"""
_SECONDS = 20.0  # far more than any child here needs
_LIMITS = StreamLimits()


def _run(code: str, seconds: float = _SECONDS, limits: StreamLimits = _LIMITS, **request: object) -> list[dict]:
    heard: list[dict] = []
    command = [sys.executable, "-c", _START + code]
    run_child(command, request, heard.append, timeout_seconds=seconds, environ=os.environ, limits=limits)
    return heard


def _refusal(code: str, seconds: float = _SECONDS, limits: StreamLimits = _LIMITS) -> str:
    with pytest.raises(QuPathBackendError) as caught:
        _run(code, seconds, limits)
    text = str(caught.value)
    assert len(text.splitlines()) == 1 and len(text) < 1500
    return text


def _is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that was killed may wait for its new parent a moment."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if not Path("/proc/self").exists():
            pytest.skip("no /proc to look at processes in")
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
    return False


def test_a_request_goes_down_and_the_messages_come_up_in_order() -> None:
    heard = _run("say(say='progress', text=request['word']); say(say='answer', n=2); say(say='end')", word="ä")
    assert heard == [{"say": "progress", "text": "ä"}, {"say": "answer", "n": 2}]


def test_a_request_larger_than_a_pipe_arrives() -> None:
    (answer,) = _run("say(say='answer', n=len(request['text'])); say(say='end')", text="x" * 10**6)
    assert answer["n"] == 10**6


def test_an_answer_larger_than_a_pipe_arrives() -> None:
    heard = _run("for i in range(20000): say(say='object', object={'i': i, 'x': 'y' * 50})\nsay(say='end')")
    assert [message["object"]["i"] for message in heard] == list(range(20000))


def test_nothing_is_waited_for_after_the_end(tmp_path: Path) -> None:
    begun = time.monotonic()
    _run("say(say='answer'); say(say='end'); time.sleep(60)")
    assert time.monotonic() - begun < 10


def test_a_child_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    code = f"""
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(note)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
time.sleep(60)
"""
    for seconds in (0.8, 10.0):  # the latter where the machine is so busy that the child didn't get that far
        begun = time.monotonic()
        assert f"wasn't ready after {seconds:g} s" in (text := _refusal(code, seconds)) and "timeout_seconds" in text
        assert time.monotonic() - begun < seconds + 10
        if note.exists():
            break
    assert all(_is_gone(int(pid)) for pid in note.read_text().split())


def test_a_grandchild_that_keeps_the_pipes_open_holds_nobody_up(tmp_path: Path) -> None:
    code = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\nos._exit(0)"
    begun = time.monotonic()
    assert "wasn't ready" in _refusal(code, 0.8)
    assert time.monotonic() - begun < 10


def test_an_answer_that_comes_too_late_is_none() -> None:
    assert "wasn't ready after 0.3 s" in _refusal("time.sleep(30); say(say='answer'); say(say='end')", 0.3)


def test_a_child_that_talks_without_end_is_stopped_in_time_too() -> None:
    begun = time.monotonic()
    assert "wasn't ready" in _refusal("while True: say(say='progress', text='still here')", 0.5)
    assert time.monotonic() - begun < 10


def test_a_child_that_crashes_is_named_with_the_last_that_it_printed() -> None:
    text = _refusal("print('java.lang.OutOfMemoryError: Java heap', file=sys.stderr, flush=True); os._exit(7)")
    assert "status 7" in text and "OutOfMemoryError" in text


def test_a_child_that_is_killed_says_so() -> None:
    assert "SIGKILL" in _refusal("import signal; os.kill(os.getpid(), signal.SIGKILL)")


def test_a_child_that_ends_without_answer_is_no_success() -> None:
    assert "before it had answered" in _refusal("say(say='progress')")


def test_a_child_that_closes_its_pipe_and_lingers_is_stopped() -> None:
    assert "without an answer" in _refusal("os.close(1)\ntime.sleep(60)", 0.5)


def test_garbage_among_the_messages_is_shown() -> None:
    text = _refusal("say(say='progress'); print('DEBUG qupath.lib: \\x1b[31mhello', flush=True); time.sleep(60)")
    assert "DEBUG qupath.lib" in text and "\x1b" not in text


def test_a_flood_on_the_pipe_is_cut_off() -> None:
    limits = StreamLimits(line_bytes=10**5, total_bytes=10**7)
    assert "line of more than" in _refusal("while True: sys.stdout.write('x' * 65536)", limits=limits)
    assert "more than 10000000 bytes" in _refusal("while True: say(say='progress', x='y' * 9999)", limits=limits)


def test_a_flood_of_what_people_may_read_doesnt_stop_the_child() -> None:
    code = "sys.stderr.write('x' * 5_000_000 + '\\n'); say(say='answer', n=1); say(say='end')"
    assert _run(code) == [{"say": "answer", "n": 1}]


def test_an_error_of_the_childs_is_passed_on_as_one_line() -> None:
    assert _refusal("say(say='error', text='no\\n such   slide\\x07'); time.sleep(60)") == "no such slide"


def test_what_the_listener_raises_comes_through_and_the_child_is_gone(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"open({str(note)!r}, 'w').write(str(os.getpid())); say(say='progress'); time.sleep(60)"

    def refuse(message: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_child([sys.executable, "-c", _START + code], {}, refuse, timeout_seconds=_SECONDS, environ=os.environ)
    assert _is_gone(int(note.read_text()))


def test_a_command_that_isnt_there_is_one_line() -> None:
    with pytest.raises(QuPathBackendError, match="can't be started: No such file"):
        run_child(["/nowhere/python"], {}, print, timeout_seconds=1, environ={})
