"""What the daemon logs: who reads it in the morning sees sentences; nobody sees a hidden name."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.annotations import SlideEntry
from scripts.logs import LineFormatter, LogFile, about, daemon_logging, log_file, set_up_logging
from scripts.naming.slide_names import SlideNames

_ENTRY = SlideEntry("1", "Meyer, Anna.svs", Path("/scans/Meyer, Anna.svs"), Path("/scans/Meyer, Anna.xml"))
_NAMES = SlideNames([_ENTRY], b"k" * 32)
_OURS, _BELOW, _OTHER = (logging.getLogger(n) for n in ("scripts.daemon.test", "bridge.test", "somebody.else"))


def _say_all() -> None:
    for logger in (_OURS, _BELOW, _OTHER):
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logger.log(level, "%s %s", logger.name, logging.getLevelName(level))


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


@pytest.mark.parametrize("is_verbose", [False, True])
def test_people_read_sentences_and_other_libraries_stay_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], is_verbose: bool
) -> None:
    path = log_file(tmp_path)
    with daemon_logging({tmp_path: path}, is_verbose=is_verbose, is_quiet=False):
        _say_all()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("an old way", stacklevel=1)
    text = path.read_text("utf-8")
    assert capsys.readouterr().err == text
    found = {(w[-2], w[-1]) for line in text.splitlines() if len(w := line.split()) > 3 and w[-1].isupper()}
    ours = {("scripts.daemon.test", "INFO"), ("scripts.daemon.test", "WARNING"), ("scripts.daemon.test", "ERROR")}
    below = {("bridge.test", "WARNING"), ("bridge.test", "ERROR"), ("somebody.else", "ERROR")}
    if not is_verbose:
        assert found == ours | below and "an old way" not in text
    else:
        assert found > ours | below | {("scripts.daemon.test", "DEBUG"), ("somebody.else", "WARNING")}
        assert "an old way" in text
    shape = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d (DEBUG|INFO|WARNING|ERROR) +\S"
    assert all(re.match(shape, line) for line in text.splitlines() if line[:2] == "20")
    assert ("INFO    scripts.daemon.test scripts.daemon.test INFO" in text) is is_verbose


def test_quiet_is_for_the_terminal_and_the_file_has_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with daemon_logging({tmp_path: log_file(tmp_path)}, is_verbose=False, is_quiet=True):
        _say_all()
    assert "WARNING" not in capsys.readouterr().err
    assert sum(" INFO " in line for line in _lines(log_file(tmp_path))) == 1


def test_logging_is_as_it_was_afterwards(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("scripts").level
    with pytest.raises(ZeroDivisionError), daemon_logging({}, is_verbose=True, is_quiet=False):
        raise ZeroDivisionError
    assert (root.handlers[:], root.level, logging.getLogger("scripts").level) == before


def _fail_reading() -> None:
    raise OSError(2, "No such file or directory", str(_ENTRY.slide_path))


@pytest.mark.parametrize("logger", [_OURS, _BELOW, _OTHER])
def test_no_name_is_left_in_a_line_or_a_traceback_whoever_logs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], logger: logging.Logger
) -> None:
    path = log_file(tmp_path)
    with daemon_logging({tmp_path: path}, is_verbose=True, is_quiet=False, hide=_NAMES.hide):
        logger.error("slide=%s is cut; see %s", _ENTRY.name, _ENTRY.annotation_path)
        try:
            _fail_reading()
        except OSError as error:
            logger.exception("again: %r", error)
            logger.error("chained", exc_info=RuntimeError(f"of {error}"), stack_info=True)
    text = path.read_text("utf-8") + capsys.readouterr().err
    assert "Meyer" not in text and "Anna" not in text
    assert _NAMES.of("1") in text and "Traceback" in text and "OSError" in text


def test_message_cannot_make_a_line_of_its_own_or_drive_a_terminal() -> None:
    record = logging.makeLogRecord(
        {"msg": "slide=%s\u2028", "args": ("a\nERROR forged\x1b[2J\r",), "levelname": "INFO"}
    )
    line = LineFormatter().format(record)
    assert len(line.splitlines()) == 1 and "\x1b" not in line and "forged" in line


def test_project_s_file_has_its_own_lines_and_those_about_none(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    with daemon_logging({p: log_file(p) for p in (first, second)}, is_verbose=False, is_quiet=True):
        _OURS.info("of both")
        with about(first):
            _OURS.info("of the first")
            _BELOW.warning("deep in the first")
        with about(second):
            _OURS.info("of the second")
    said = [[line.split(maxsplit=2)[2] for line in _lines(log_file(p))] for p in (first, second)]
    assert said == [["of both", "of the first", "deep in the first"], ["of both", "of the second"]]


def _log_to(path: Path, **more: int) -> tuple[LogFile, Callable[[str], None]]:
    handler = LogFile(path, **more)
    return handler, lambda text: handler.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO}))


def test_log_stays_small_for_months(tmp_path: Path) -> None:
    handler, say = _log_to(tmp_path / "log" / "watch.log", most_bytes=2000, files=3)
    for number in range(1000):
        say(f"line {number} " + "x" * 50)
    handler.close()
    files = sorted((tmp_path / "log").iterdir())
    assert len(files) == 4 and all(f.stat().st_size <= 2000 for f in files)
    assert "line 999 " in (tmp_path / "log" / "watch.log").read_text()


def test_file_that_cannot_be_renamed_grows_and_loses_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As on Windows, while somebody has the log open."""
    handler, say = _log_to(tmp_path / "watch.log", most_bytes=200, files=3)
    for number, old in enumerate(("new", "old"), 1):
        (tmp_path / f"watch.log.{number}").write_text(old)
    rename = os.rename

    def refuse(source: str, target: str) -> None:
        if source.endswith(".log"):
            raise PermissionError(13, "used by another process")
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.rename", refuse)
        for number in range(50):
            say(f"line {number}")
    handler.close()
    assert len(_lines(tmp_path / "watch.log")) == 50
    assert sorted(p.read_text() for p in tmp_path.glob("watch.log.*")) == ["new", "old"]
    assert capsys.readouterr().err.count("used by another process") == 1


def test_full_disk_is_said_once_and_the_log_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler, say = _log_to(tmp_path / "watch.log")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(handler, "_open", refuse)
        say("lost")
        say("lost too")
    say("there again")
    handler.close()
    assert _lines(tmp_path / "watch.log") == ["there again"]
    said = capsys.readouterr().err
    assert said.count("No space left") == 1 and "Traceback" not in said


def test_line_that_cannot_be_made_tells_nothing_of_what_was_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    with daemon_logging({}, is_verbose=False, is_quiet=False, hide=_NAMES.hide):
        _OURS.info("%d objects", "Meyer")
    said = capsys.readouterr().err
    assert "Meyer" not in said and "scripts.daemon.test" in said and len(said.splitlines()) == 1


def test_service_without_a_terminal_logs_to_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    with daemon_logging({tmp_path: log_file(tmp_path)}, is_verbose=False, is_quiet=False):
        _OURS.info("all is well")
        _OURS.info("%d", "not")
    assert len(_lines(log_file(tmp_path))) == 1


def test_folder_that_was_cleared_away_is_made_again(tmp_path: Path) -> None:
    handler, say = _log_to(tmp_path / "log" / "watch.log")
    say("first")
    handler.close()
    (tmp_path / "log" / "watch.log").unlink()
    (tmp_path / "log").rmdir()
    again, say = _log_to(tmp_path / "log" / "watch.log")
    say("second")
    again.close()
    assert _lines(tmp_path / "log" / "watch.log") == ["second"]


def test_other_commands_log_as_before() -> None:
    set_up_logging(is_verbose=False, is_quiet=False)
    assert logging.getLogger("scripts").level == logging.WARNING


def test_no_log_line_of_any_command_is_obeyed_by_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    said = "a\x1b[2Jb\x9b2Jc\u202ed\ne"
    code = "import logging, sys, scripts.logs as logs; logs.set_up_logging(is_verbose=False, is_quiet=False)"
    subprocess.run([sys.executable, "-c", f"{code}; logging.getLogger('scripts').warning({said!r})"], check=True)
    assert capfd.readouterr().err == "WARNING scripts a\\x1b[2Jb\\x9b2Jc\\u202ed\\ne\n"


def test_where_several_projects_are_watched_each_line_says_which(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with daemon_logging({p: log_file(p) for p in (first, second)}, is_verbose=False, is_quiet=False):
        for project in (first, second):
            with about(project):
                logging.getLogger("scripts.daemon").info("training begins")
        logging.getLogger("scripts.daemon").info("stopped")
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("INFO")[2].split() for line in lines] == [
        ["training", "begins", "project=first"],
        ["training", "begins", "project=second"],
        ["stopped"],
    ]
    assert "project=" not in log_file(first).read_text("utf-8")
