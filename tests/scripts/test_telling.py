"""What reaches a terminal or a pipe: colours where they are wanted, and no command of anybody's to the terminal."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.main import get_command

from lab_support import RUNNER, SETTINGS, Lab, draw_slide, labelled
from scripts.cli import app
from scripts.commands.common import print_json
from scripts.plain_words import clean, moment, size, span
from scripts.progress import show_progress
from scripts.telling import Said, Tone, is_screen, system_said, tell, uses_colour


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "is_coloured", "is_moved"),
    [
        (Terminal(), {"TERM": "xterm"}, True, True),
        (Terminal(), {}, True, True),  # Windows has no TERM
        (Terminal(), {"TERM": "dumb"}, False, False),
        (Terminal(), {"NO_COLOR": "1"}, False, True),
        (Terminal(), {"NO_COLOR": ""}, True, True),  # an empty one counts as none: no-color.org
        (Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, True),
        (io.StringIO(), {"TERM": "xterm"}, False, False),
        (io.StringIO(), {"FORCE_COLOR": "1"}, True, False),
        (None, {}, False, False),
    ],
)  # fmt: skip
def test_colours_and_moves_are_for_terminals(
    stream: io.StringIO | None, environ: dict[str, str], is_coloured: bool, is_moved: bool
) -> None:
    assert uses_colour(stream, environ) is is_coloured
    assert is_screen(stream, environ) is is_moved


def test_only_what_is_marked_is_coloured() -> None:
    out = Terminal()
    tell([Said("failed: it", Tone.BAD, 7), "plain"], out, {})
    first, second = out.getvalue().splitlines()
    assert first.startswith("\x1b[31m") and first.endswith(" it") and second == "plain"


@given(text=st.text())
def test_nothing_that_is_told_is_a_command_to_the_terminal(text: str) -> None:
    assert clean(text).isprintable() and len(clean(text)) == len(text)
    for encoding in ("utf-8", "ascii", "cp1252", "no such"):
        clean(text, encoding).encode("ascii" if encoding == "no such" else encoding)


@given(st.floats(0, 1e18), st.floats(0, 1e18))
def test_sizes_have_three_digits_at_most(first: float, second: float) -> None:
    for number in (first, second):
        value, unit = size(number).split()
        assert len(value) <= 4 or unit == "PB"


@given(st.floats(0, 1e7))
def test_spans_are_told_in_two_units_at_most_and_are_right(seconds: float) -> None:
    units = {"s": 1, "min": 60, "h": 3600, "day": 86400, "days": 86400}
    words = span(seconds).split()
    told = sum(int(n) * units[unit] for n, unit in zip(words[::2], words[1::2], strict=True))
    assert len(words) in (2, 4)
    assert abs(told - seconds) <= max(0.5, 0.06 * seconds + 0.5)


def test_moments_are_as_short_as_they_can_be() -> None:
    from datetime import datetime, timedelta

    now = datetime(2026, 3, 2, 12, 0).astimezone()
    at = now.replace(hour=2, minute=5, second=7)
    assert moment(at, now) == "02:05:07"
    assert moment(at + timedelta(days=1), now) == "tomorrow 02:05"
    assert moment(at - timedelta(days=1), now) == "yesterday 02:05"
    assert moment(at + timedelta(days=40), now) == "2026-04-11 02:05"


def _commands() -> list[tuple[str, ...]]:
    """Return every command of the program."""
    found: list[tuple[str, ...]] = [()]
    waiting = [((), get_command(app))]
    while waiting:
        path, command = waiting.pop()
        for name, child in getattr(command, "commands", {}).items():
            found.append((*path, name))
            waiting.append(((*path, name), child))
    return sorted(found)


@pytest.mark.parametrize("command", _commands(), ids=lambda command: " ".join(command) or "slidebridge")
def test_help_has_no_colours_where_nobody_sees_them(command: tuple[str, ...]) -> None:
    result = RUNNER.invoke(app, [*command, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output
    assert "\x1b" not in result.output


_PASSES = (["status"], ["sync", "--dry-run"], ["config", "show"], ["backups", "list"], ["propose", "--explain"])


@pytest.mark.parametrize("command", _PASSES, ids=" ".join)
def test_what_is_told_of_hostile_names_is_plain(lab: Lab, command: list[str]) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such names")
    draw_slide(lab.root / "a\x1b[2J\x9b1m[bold]b.tif", seed=1)
    lab.write(labelled())
    result = lab.run(*command)
    assert result.exit_code == 0, result.output
    assert not [c for c in result.output if c != "\n" and not c.isprintable()]


def test_through_a_pipe_there_is_not_one_escape(lab: Lab) -> None:
    environ = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-m", "scripts.cli", "status", "--project", str(lab.root)]
    done = subprocess.run(command, capture_output=True, env=environ)
    assert done.returncode == 0 and b"\x1b" not in done.stdout + done.stderr
    assert done.stdout.decode().splitlines()[-1].startswith("next: ")
    forced = subprocess.run(command, capture_output=True, env=environ | {"FORCE_COLOR": "1"})
    assert b"\x1b[" in forced.stdout


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_is_printed_whatever_a_file_is_called(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr(sys, "stdout", out)
    told = {"name": "M\udcfcller 腎"}
    print_json(told)
    out.seek(0)
    assert json.loads(out.read()) == told


def test_an_error_is_one_line_that_is_only_text(tmp_path: Path) -> None:
    folder = tmp_path / "no\nproject"
    command = [sys.executable, "-m", "scripts.cli", "status", "--project", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1


def test_bars_are_silent_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with show_progress(is_shown=True) as progress:
        progress.start("reading", 2)
        progress.advance(note="case")
    assert capsys.readouterr() == ("", "")


def test_bars_show_hostile_notes_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with show_progress(is_shown=True) as progress:
        progress.start("reading", 2)
        progress.advance(note="[/red]a\x1b[2Jb[bold]")
    assert "[/red]a�[2Jb[bold]" in screen.getvalue()


def test_a_full_disk_and_a_wrong_path_have_their_own_way_out() -> None:
    assert system_said(OSError(errno.ENOSPC, "No space left")) == "No space left; make room on the disk and run again"
    assert system_said(OSError(errno.ENOTDIR, "Not a folder", "a/b")) == "a/b: Not a folder; check the path"


def test_a_training_that_the_disk_ends_is_told_and_the_pass_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left")

    lab = Lab(tmp_path)
    draw_slide(lab.slide)
    before = lab.write(labelled())
    (tmp_path / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    monkeypatch.setattr("scripts.loop.passes.learn", fill)
    result = lab.run("sync")
    assert result.exit_code == 1
    assert "No space left; make room on the disk" in result.output
    assert lab.xml.read_bytes() != before  # boxes are asked for all the same
