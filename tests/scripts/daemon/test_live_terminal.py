"""The live view on a terminal: drawn when something changes, log lines above it, and a terminal that stays whole."""

from __future__ import annotations

import io
import logging
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from bridge.store import JobKind
from bridge.store.holders import Holder
from daemon_lab import DaemonLab
from scripts.daemon.heartbeat import Beat, DaemonState, Doing, LastRead
from scripts.daemon.live_terminal import LiveTerminal
from scripts.daemon.live_view import Shown

DEADLINE = 60.0
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_HOLDER = Holder("lab", 7, 1.0, 1.0, "watch", "1", _NOW, "")


def _shown(beat: Beat) -> list[Shown]:
    return [Shown("kidneys", DaemonState(_HOLDER, _NOW, 1, ("/kidneys",), beat))]


_IDLE = Beat(observing="events", slides=3)
_BUSY = Beat((Doing(JobKind.TRAIN, _NOW, note="loss 0.5", progress=0.5),), slides=3)


class Screen:
    """What a terminal that rewraps its lines shows: as much of one as the view uses."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.lines = [""]
        self._row = 0

    def feed(self, text: str) -> None:
        for code, plain in re.findall(r"(\x1b\[[?\d;]*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)", text):
            if plain:
                self.lines[self._row] += plain
            elif code == "\n":
                self._row += 1
                self.lines += [""] * (self._row >= len(self.lines))
            elif code.endswith("A"):
                self._row -= int(code[2:-1] or 1)
            elif code.endswith("K"):
                self.lines[self._row] = ""

    def narrow(self, width: int) -> None:
        """Rewrap all lines."""
        rows: list[str] = []
        for line in self.lines:
            rows += [line[i : i + width] for i in range(0, len(line), width)] or [""]
        self.lines, self.width, self._row = rows, width, len(rows) - 1

    def shown(self) -> list[str]:
        return [line.rstrip() for line in self.lines if line.strip()]


@dataclass
class Desk:
    """A terminal that is none, with a clock that the test moves."""

    width: int = 80
    height: int = 30
    memory: float = 1e9
    at: float = 100.0
    file: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.console = Console(
            file=self.file, force_terminal=True, width=self.width, height=self.height, color_system=None,
            markup=False, emoji=False, highlight=False, _environ={},
        )  # fmt: skip
        self.live = LiveTerminal(self.console, clock=lambda: self.at, now=self.now, memory=lambda: self.memory)

    def now(self) -> datetime:
        return _NOW + timedelta(seconds=self.at - 100.0)

    def show(self, beat: Beat, seconds: float = 0.25) -> bool:
        self.at += seconds
        return self.live.show(_shown(beat))

    def said(self) -> str:
        text, self.file = self.file.getvalue(), io.StringIO()
        self.console.file = self.file
        return text


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    with made.live:
        yield made


def test_what_does_not_change_is_drawn_once(desk: Desk) -> None:
    assert [desk.show(_IDLE) for _ in range(50)] == [True] + [False] * 49
    said = desk.said()
    assert said.count("kidneys") == 1
    assert [desk.show(_IDLE, 60.0) for _ in range(5)] == [False] * 5 and desk.said() == ""


def test_changes_are_drawn_four_times_a_second_at_most(desk: Desk) -> None:
    drawn = 0
    for step in range(1000):
        drawn += desk.show(Beat((Doing(JobKind.TRAIN, _NOW, progress=step / 1000),)), 0.01)
    assert 38 <= drawn <= 41


def test_time_that_passes_is_drawn_once_a_second_while_something_runs(desk: Desk) -> None:
    drawn = sum(desk.show(_BUSY, 0.05) for _ in range(200))
    assert 9 <= drawn <= 12


def test_memory_is_drawn_when_it_changes_by_much(desk: Desk) -> None:
    desk.show(_IDLE)
    desk.memory += 10**6
    assert not desk.show(_IDLE, 10)
    desk.memory += 10**9
    assert desk.show(_IDLE, 10) and "2.0 GB" in desk.said()


def test_log_lines_scroll_above_the_picture(desk: Desk) -> None:
    screen = Screen(desk.width)
    logger = logging.Logger("scripts.test")
    logger.addHandler(desk.live.handler())
    desk.show(_IDLE)
    logger.info("first")
    desk.show(_BUSY)
    logger.warning("second with \x1b[2J and [bold]markup[/bold]")
    screen.feed(desk.said())
    shown = screen.shown()
    assert shown[:2] == ["first", "second with �[2J and [bold]markup[/bold]"]
    assert shown[2].startswith("SlideBridge watches 1 project") and shown[3].startswith("kidneys")
    assert len(shown) == 5


def test_lines_before_the_first_picture_are_printed(desk: Desk) -> None:
    desk.live.print_above("watching", logging.INFO)
    assert desk.said() == "watching\n"


@pytest.mark.parametrize("width", [79, 50, 40, 20])
def test_a_terminal_that_gets_narrower_holds_one_picture_only(desk: Desk, width: int) -> None:
    screen = Screen(desk.width)
    desk.live.print_above("first", logging.INFO)
    desk.show(Beat(observing="events", slides=3, last_read=LastRead("a long name of a slide.svs" * 2, _NOW)))
    screen.feed(desk.said())
    desk.console.width = width
    screen.narrow(width)
    desk.live.print_above("second", logging.INFO)
    desk.show(_IDLE)
    screen.feed(desk.said())
    shown = screen.shown()
    assert shown[:2] == ["first", "second"]
    title, project = (line for line in shown[2:] if not line.startswith(" "))
    assert "Ctrl-C stops it" in title and project.startswith("kidneys")


def test_a_picture_never_is_higher_than_the_terminal() -> None:
    desk = Desk(height=6)
    with desk.live:
        desk.at += 1
        desk.live.show([Shown(f"project {n}", None) for n in range(50)])
        assert desk.said().count("\n") < 6


def test_at_the_end_the_log_lines_stay_and_the_picture_goes(desk: Desk) -> None:
    screen = Screen(desk.width)
    with desk.live:
        desk.show(_BUSY)
        desk.live.print_above("stopped", logging.INFO)
    screen.feed(desk.said())
    assert screen.shown() == ["stopped"]


def test_the_cursor_comes_back_whatever_ends_the_view(desk: Desk) -> None:
    for error in (None, KeyboardInterrupt(), SystemExit(130), ValueError()):
        desk = Desk()
        with suppress(KeyboardInterrupt, SystemExit, ValueError), desk.live:
            desk.show(_BUSY)
            if error is not None:
                raise error
        said = desk.said()
        assert said.index(_HIDE) < said.rindex(_SHOW) and said.rindex("kidneys") < said.rindex("\n")


def test_a_terminal_that_goes_away_stops_nothing(desk: Desk) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    desk.show(_IDLE)
    desk.console.file = Gone()
    assert not desk.show(_BUSY)
    assert not desk.show(_IDLE)


# the command, on a terminal of its own


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kidneys")
    DaemonLab.with_slides(folder)
    return folder


def _environ(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")}
    return kept | {"TERM": "xterm-256color", "OMP_NUM_THREADS": "1"} | more


_HEEDING = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
sys.argv = ["slidebridge", "watch", *sys.argv[1:]]
runpy.run_module("scripts.cli", run_name="__main__")
"""


def _command(root: Path, *options: str) -> list[str]:
    return [sys.executable, "-c", _HEEDING, str(root), *options]


def _on_terminal(
    command: list[str],
    until: Callable[[str], bool],
    stop: Callable[[subprocess.Popen[bytes], int], object],
    **more: str,
) -> str:
    """Run a command on a pseudo-terminal until its output is as wished, stop it, and return all that it wrote."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=_environ(**more), start_new_session=True
    )
    os.close(theirs)
    said, end = b"", time.monotonic() + DEADLINE
    has_stopped = False
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # Linux: nobody has the other end any more
                    break
                if not piece:
                    break
                said += piece
            if not has_stopped and until(said.decode("utf-8", "replace")):
                has_stopped = True
                stop(process, ours)
        assert has_stopped, said
        process.wait(DEADLINE)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return said.decode("utf-8", "replace")


def _interrupt(process: subprocess.Popen[bytes], terminal: int) -> None:
    process.send_signal(signal.SIGINT)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
def test_on_a_terminal_the_view_is_shown_and_ctrl_c_gives_the_cursor_back(root: Path) -> None:
    said = _on_terminal(_command(root), lambda text: "waiting for a save" in text, _interrupt)
    assert "SlideBridge watches 1 project" in said and "watching, the system tells of saves" in said
    assert said.index(_HIDE) < said.rindex(_SHOW)
    assert "asked to stop" not in said and "stopped; nothing is lost" in said


_CHOICE = """
import sys
from scripts.commands.watch import _terminal
with _terminal(is_wanted=True) as terminal:
    print("lines" if terminal is None else "view")
sys.stdin.readline()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(
    ("environ", "wanted"),
    [({}, "view"), ({"TERM": "dumb"}, "lines"), ({"NO_COLOR": "1"}, "view"), ({"TTY_COMPATIBLE": "0"}, "lines")],
    ids=["plain", "TERM=dumb", "NO_COLOR", "TTY_COMPATIBLE=0"],
)
def test_the_environment_says_whether_a_view_is_drawn(environ: dict[str, str], wanted: str) -> None:
    said = _on_terminal(
        [sys.executable, "-c", _CHOICE], lambda text: "\n" in text, lambda _, ours: os.write(ours, b"\n"), **environ
    )
    assert said.split() == [wanted]


def test_through_a_pipe_there_are_log_lines_only(root: Path) -> None:
    environ = _environ(FORCE_COLOR="1")
    with subprocess.Popen(
        _command(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "watching, " in line:
                process.terminate()
    assert "\x1b" not in said and "SlideBridge watches" not in said
