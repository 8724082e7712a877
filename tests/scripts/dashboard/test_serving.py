"""The real server: its address is printed, it answers this machine, Ctrl-C ends it at once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from dashboard_lab import make_project

from bridge.errors import ConfigError
from scripts.dashboard import serving
from scripts.dashboard.serving import bound, check_installed, has_screen, roots_of, serve


def test_a_browser_is_started_with_an_address_for_one_visit_and_not_with_the_token(tmp_path: Path) -> None:
    root, told, seen = make_project(tmp_path / "lab"), list[str](), list[int]()

    def visit(address: str) -> None:
        try:
            seen.extend(httpx.get(address, timeout=30, trust_env=False).status_code for _ in range(2))
        finally:
            signal.raise_signal(signal.SIGINT)

    def open_browser(address: str) -> bool:
        threading.Thread(target=visit, args=(address,)).start()  # it waits until the server is there
        seen.append(int(address in told))
        return True

    serve([root], tell=told.append, open_browser=open_browser)
    assert seen == [False, 303, 403]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [({}, "linux", False), ({"DISPLAY": ":0"}, "linux", True), ({"WAYLAND_DISPLAY": "w"}, "linux", True),
     ({"DISPLAY": ""}, "linux", False), ({}, "win32", True), ({}, "darwin", True)],
    ids=["none", "x", "wayland", "empty", "windows", "macos"],
)  # fmt: skip
def test_no_browser_is_started_where_there_is_no_screen(environ: dict[str, str], platform: str, expected: bool) -> None:
    assert has_screen(environ, platform) is expected


@pytest.mark.skipif(sys.platform == "win32", reason="a test can't press Ctrl-C there without pressing its own")
def test_the_server_prints_its_address_answers_and_ends(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    command = [sys.executable, "-m", "scripts.cli", "dashboard", "--project", str(root), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with httpx.Client(follow_redirects=True, timeout=30, trust_env=False) as browser:
            page = browser.get(address)
            assert page.status_code == 200 and "token" not in str(page.url)
            assert "Slides" in page.text and "server" not in page.headers
            process.send_signal(signal.SIGINT)  # the connection is still open
            rest, told = process.communicate(timeout=20)
    assert process.returncode == 0
    assert rest == "" and "Traceback" not in told and "token" not in told.replace(address, "")


def test_a_taken_port_is_one_line() -> None:
    with bound(0) as listening, pytest.raises(ConfigError, match="leave --port away") as met:
        bound(listening.getsockname()[1])
    assert "\n" not in str(met.value)


def test_it_listens_on_this_machine_only() -> None:
    with bound(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        assert listening.family is socket.AF_INET


def test_a_missing_extra_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed()
    monkeypatch.setattr(serving, "_NEEDED", ("starlette", "no_such_package_at_all"))
    with pytest.raises(ConfigError, match=r"pip install .slidebridge\[dashboard\].*, pipx inject slidebridge st"):
        check_installed()


def test_a_project_named_twice_is_shown_once_and_none_at_all_is_refused(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab")
    broken = tmp_path / "broken"
    assert roots_of([root, root / "slidebridge.toml", broken]) == (root.resolve(), broken)
    with pytest.raises(ConfigError, match=r"no slidebridge\.toml here or above"):
        roots_of([broken])
