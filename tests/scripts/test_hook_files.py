"""Hook files, filled: every reader gets back the paths and times that went in, whatever signs they hold."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from datetime import time
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from bridge.errors import ConfigError
from scripts.hook_files import PACKED, Filling, Machine, fill, templates, templates_folder, this_machine
from scripts.hook_kinds import HookKind

TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
NAMES = (
    "plain",
    "two words",
    "50% & more",
    "Fälle Größe",
    'it\'s "here"',
    "$HOME ${x}",
    "a<b>c",
    "back\\slash",
    "%h%%i",
)
PARTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/"), min_size=1)
FILLED = [kind for kind in HookKind if kind is not HookKind.QUPATH]


def _machine(*command: str) -> Machine:
    return Machine(command or ("/slide bridge/bin/slidebridge",), "LAB\\Müller & Co", *map(Path, ("/c", "/d", "/h")))


def _texts(kind: HookKind, filling: Filling, machine: Machine | None = None) -> dict[str, str]:
    files = fill(kind, filling, machine or _machine(), Path("/to"))
    return {f.path.name: f.data.decode("utf-16" if f.path.suffix == ".xml" else "utf-8") for f in files}


def _units(filling: Filling, machine: Machine | None = None) -> dict[str, ConfigParser]:
    units = {}
    for name, text in _texts(HookKind.SYSTEMD, filling, machine).items():
        units[name] = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",), strict=True)
        units[name].optionxform = str  # type: ignore[assignment,method-assign]
        units[name].read_string(text)
    return units


def _by_systemd(line: str) -> list[str]:
    """Take a command line apart as systemd.service(5) says: C escapes in quotes, then specifiers and variables."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    plain = [re.sub(r"\\(.)", r"\1", part).replace("%%", "%") for part in found]
    return [plain[0], *(part.replace("$$", "$") for part in plain[1:])]


def _by_cron(line: str) -> list[str]:
    """Take a command apart as crontab(5) says and a shell does, by a shell."""
    assert not re.search(r"(?<!\\)%", line), "cron would end the line here"
    shell = f'show() {{ for part in "$@"; do printf "%s\\0" "$part"; done; }}; show {line.replace(chr(92) + "%", "%")}'
    return subprocess.run(["/bin/sh", "-c", shell], capture_output=True, check=True).stdout.decode().split("\0")[:-1]


def _by_windows(line: str) -> list[str]:
    """Take arguments apart as the C runtime of Windows documents it."""
    parts, part, is_quoted, slashes, is_open = [], "", False, 0, False
    for sign in line + " ":
        if sign == "\\":
            slashes += 1
            continue
        if sign == '"':
            part += "\\" * (slashes // 2)
            if slashes % 2:
                part += '"'
            else:
                is_quoted = not is_quoted
            is_open = True
        else:
            part += "\\" * slashes
            is_open = is_open or bool(slashes)
            if sign in " \t" and not is_quoted:
                if is_open:
                    parts.append(part)
                part, is_open = "", False
            else:
                part, is_open = part + sign, True
        slashes = 0
    return parts


@pytest.mark.parametrize("name", NAMES)
def test_systemd_starts_what_was_meant(name: str) -> None:
    project = Path("/data") / name
    units = _units(Filling((project, Path("/other")), time(2, 5)), _machine(f"/{name}/slidebridge"))
    watch = _by_systemd(units["slidebridge-watch.service"]["Service"]["ExecStart"])
    assert watch == [f"/{name}/slidebridge", "watch", str(project), "/other"]
    nightly = _by_systemd(units["slidebridge-nightly.service"]["Service"]["ExecStart"])
    assert nightly[1:] == ["nightly", "--project", str(project), "--project", "/other"]


@settings(max_examples=200, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=3))
def test_any_path_comes_out_of_the_quotes_as_it_went_in(parts: list[str]) -> None:
    projects = tuple(Path("/data") / part for part in parts)
    expected = [str(p) for p in projects]
    units = _units(Filling(projects, time(2)))
    assert _by_systemd(units["slidebridge-watch.service"]["Service"]["ExecStart"])[2:] == expected
    agent = plistlib.loads(_texts(HookKind.LAUNCHD, Filling(projects))["slidebridge.watch.plist"].encode())
    assert agent["ProgramArguments"][2:] == expected
    if any(re.search("%[^%]+%", path) for path in expected):
        with pytest.raises(ConfigError, match="for a variable; rename the folder"):
            fill(HookKind.WINDOWS, Filling(projects), _machine())
        return
    task = etree.fromstring(_texts(HookKind.WINDOWS, Filling(projects))["slidebridge-watch.xml"].encode("utf-16"))
    assert _by_windows(task.findtext(f".//{TASK}Arguments") or "")[1:] == expected


@pytest.mark.skipif(sys.platform == "win32", reason="no cron, and no /bin/sh")
@pytest.mark.parametrize("name", NAMES)
def test_the_shell_that_cron_starts_gets_what_was_meant(name: str) -> None:
    text = _texts(HookKind.CRON, Filling((Path("/data") / name,), time(2, 5)))["slidebridge.cron"]
    line = next(line for line in text.splitlines() if not line.startswith("#"))
    minute, hour, day, month, weekday, command = line.split(" ", 5)
    assert (minute, hour, day, month, weekday) == ("5", "2", "*", "*", "*")
    assert _by_cron(command) == ["/slide bridge/bin/slidebridge", "nightly", "--project", f"/data/{name}"]


def test_windows_tasks_say_who_when_and_for_how_long() -> None:
    texts = _texts(HookKind.WINDOWS, Filling((Path("/data/a b"),), time(2, 5), makes_up=True))
    watch, nightly = (etree.fromstring(texts[f"slidebridge-{n}.xml"].encode("utf-16")) for n in ("watch", "nightly"))
    assert watch.findtext(f".//{TASK}LogonTrigger/{TASK}UserId") == "LAB\\Müller & Co"
    assert watch.findtext(f".//{TASK}Command") == "/slide bridge/bin/slidebridge"
    assert watch.findtext(f".//{TASK}ExecutionTimeLimit") == "PT0S"  # without it Windows ends a task after three days
    assert watch.find(f".//{TASK}RestartOnFailure") is not None
    assert (nightly.findtext(f".//{TASK}StartBoundary") or "").endswith("T02:05:00")
    assert nightly.findtext(f".//{TASK}StartWhenAvailable") == "true"


def test_windows_files_are_utf16_and_say_so() -> None:
    for file in fill(HookKind.WINDOWS, Filling((Path("/data"),), time(2)), _machine()):
        assert file.data.startswith(b"\xff\xfe") or file.data.startswith(b"\xfe\xff")
        assert etree.fromstring(file.data).getroottree().docinfo.encoding == "UTF-16"


def test_macos_agents_keep_the_daemon_going_and_start_the_night_on_time() -> None:
    texts = _texts(HookKind.LAUNCHD, Filling((Path("/data"),), time(2, 5)))
    watch, nightly = (plistlib.loads(texts[f"slidebridge.{n}.plist"].encode()) for n in ("watch", "nightly"))
    assert watch["KeepAlive"] == {"SuccessfulExit": False} and watch["RunAtLoad"]
    assert nightly["StartCalendarInterval"] == {"Hour": 2, "Minute": 5}
    assert "KeepAlive" not in nightly and "RunAtLoad" not in nightly
    assert {watch["Label"], nightly["Label"]} == {name.removesuffix(".plist") for name in texts}


@pytest.mark.parametrize("makes_up", [True, False])
def test_the_timer_follows_the_schedule(makes_up: bool) -> None:
    timer = _units(Filling((Path("/d"),), time(2, 5), "Europe/Berlin", makes_up))["slidebridge-nightly.timer"]["Timer"]
    assert timer["OnCalendar"] == "*-*-* 02:05:00 Europe/Berlin"
    assert timer.getboolean("Persistent") is makes_up
    local = _units(Filling((Path("/d"),), time(23, 59)))["slidebridge-nightly.timer"]["Timer"]
    assert local["OnCalendar"] == "*-*-* 23:59:00"


@pytest.mark.parametrize("kind", FILLED)
def test_no_placeholder_is_left_and_every_file_says_what_it_is(kind: HookKind) -> None:
    texts = _texts(kind, Filling((Path("/data"),), time(2, 5)))
    assert len(texts) == len(templates(kind))
    for text in texts.values():
        assert not re.search("@[A-Z_]+@", text)
        opening = text[:1200]
        assert "Tried:" in opening and ("Where it goes" in opening or "crontab -e" in opening)


@pytest.mark.parametrize("kind", [HookKind.SYSTEMD, HookKind.WINDOWS, HookKind.LAUNCHD])
def test_without_a_time_only_the_daemon_is_installed(kind: HookKind) -> None:
    names = _texts(kind, Filling((Path("/data"),)))
    assert names and all("watch" in name for name in names)


@pytest.mark.parametrize("kind", FILLED)
@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "zero\0"])
def test_a_path_that_would_break_the_file_is_refused(kind: HookKind, name: str) -> None:
    with pytest.raises(ConfigError, match="can't be shown"):
        fill(kind, Filling((PurePosixPath("/data") / name,)), _machine())  # type: ignore[arg-type]


def test_a_windows_path_that_ends_in_a_backslash_keeps_its_quotes() -> None:
    project = PureWindowsPath("C:\\Meine Fälle\\")
    filling = Filling((project, PureWindowsPath("Z:\\")))  # type: ignore[arg-type]
    task = etree.fromstring(_texts(HookKind.WINDOWS, filling)["slidebridge-watch.xml"].encode("utf-16"))
    assert _by_windows(task.findtext(f".//{TASK}Arguments") or "") == ["watch", "C:\\Meine Fälle", "Z:\\"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    program = tmp_path / "my 100% program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    folder = tmp_path / "units"
    folder.mkdir()
    filling = Filling((tmp_path / "Fälle & mehr $x",), time(2, 5), "Europe/Berlin")
    files = fill(HookKind.SYSTEMD, filling, _machine(str(program)), folder)
    for file in files:
        file.path.write_bytes(file.data)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", *(str(f.path) for f in files)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(runtime)},
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "slidebridge" in line]) == (0, [])


def test_this_machine_runs_the_program_beside_its_python(tmp_path: Path) -> None:
    python = tmp_path / "python.exe"
    assert this_machine(str(python)).command == (str(python), "-P", "-m", "scripts.cli")
    (tmp_path / "slidebridge.exe").touch()
    machine = this_machine(str(python), {"USERDOMAIN": "LAB", "USERNAME": "Müller"})
    assert (machine.command, machine.user) == ((str(tmp_path / "slidebridge.exe"),), "LAB\\Müller")
    with pytest.raises(ConfigError, match="who logs on is unknown"):
        fill(HookKind.WINDOWS, Filling((tmp_path,)), this_machine(str(python), {}))


def test_the_wheel_carries_the_files_to_where_they_are_looked_for() -> None:
    root = Path(__file__).parents[2]
    wheel = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "scripts" in wheel["packages"]
    assert wheel["force-include"] == {templates_folder().relative_to(root).as_posix(): f"scripts/{PACKED}"}
