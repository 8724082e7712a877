"""Real commands: slow ones, failing ones, loud ones, and those that leave something behind."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest

from scripts.daemon.people_process import Ran, run_command, split_command


def _python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def _run(code: str, folder: Path, data: bytes = b"", seconds: float = 20.0) -> Ran:
    return run_command(_python(code), data, folder, seconds, lambda: False)


def _wait_until(is_so: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = monotonic() + seconds
    while not is_so() and monotonic() < until:
        sleep(0.02)
    return is_so()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _pid_in(path: Path) -> int:
    assert _wait_until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


_NOTE_CHILD = """
import subprocess, sys, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]{apart})
pathlib.Path("child").write_text(str(child.pid) + "\\n")
{then}
"""


def test_command_reads_what_happened_and_runs_in_its_folder(tmp_path: Path) -> None:
    ran = _run("import sys, pathlib; pathlib.Path('got').write_text(sys.stdin.read())", tmp_path, b'{"slide": "a b"}')
    assert ran == Ran(0, "", None)
    assert json.loads((tmp_path / "got").read_text()) == {"slide": "a b"}


def test_failing_command_tells_its_status_and_its_last_line(tmp_path: Path) -> None:
    ran = _run("import sys; print('beginning'); sys.exit('no channel of that name')", tmp_path)
    assert (ran.status, ran.why, ran.last_line) == (1, "exit status 1", "no channel of that name")


def test_of_endless_output_only_the_end_is_kept(tmp_path: Path) -> None:
    ran = _run("import sys\nfor i in range(200_000): print('x' * 100)\nprint('the end')", tmp_path)
    assert ran.why is None
    assert ran.last_line == "the end" and len(ran.output) <= 4096


@pytest.mark.parametrize("size", [0, 10, 1_000_000])
def test_command_that_reads_nothing_ends_well_all_the_same(tmp_path: Path, size: int) -> None:
    assert _run("pass", tmp_path, b"x" * size) == Ran(0, "", None)


def test_large_event_reaches_a_slow_reader_whole(tmp_path: Path) -> None:
    ran = _run("import sys, time; time.sleep(0.2); print(len(sys.stdin.buffer.read()))", tmp_path, b"x" * 500_000)
    assert ran.last_line == "500000"


def test_command_that_is_not_there_is_one_clause(tmp_path: Path) -> None:
    ran = run_command((str(tmp_path / "nothing here"),), b"", tmp_path, 5.0, lambda: False)
    assert ran.status is None and ran.why is not None and ran.why.startswith("not started: ")
    assert "\n" not in ran.why


def test_folder_that_is_not_there_is_one_clause(tmp_path: Path) -> None:
    assert (run_command(_python("pass"), b"", tmp_path / "gone", 5.0, lambda: False).why or "").startswith("not start")


def test_late_command_is_killed_with_its_children(tmp_path: Path) -> None:
    began = monotonic()
    ran = _run(_NOTE_CHILD.format(apart="", then="child.wait()"), tmp_path, seconds=1.5)
    assert ran == Ran(None, "", "killed after 1.5 s")
    assert monotonic() - began < 10
    assert _wait_until(lambda: not _runs(_pid_in(tmp_path / "child")))


def test_child_that_holds_the_pipe_after_its_parent_ended_is_killed_when_late(tmp_path: Path) -> None:
    ran = _run(_NOTE_CHILD.format(apart="", then=""), tmp_path, seconds=1.5)
    assert ran.why == "killed after 1.5 s"
    assert _wait_until(lambda: not _runs(_pid_in(tmp_path / "child")))


@pytest.mark.skipif(sys.platform == "win32", reason="sessions are a POSIX thing")
def test_child_in_a_session_of_its_own_cannot_hold_us_by_the_pipe(tmp_path: Path) -> None:
    began, before = monotonic(), _open_pipes()
    ran = _run(_NOTE_CHILD.format(apart=", start_new_session=True", then=""), tmp_path, seconds=1.0)
    child = psutil.Process(_pid_in(tmp_path / "child"))
    try:
        assert ran.why == "killed after 1 s" and monotonic() - began < 10
        assert _open_pipes() <= before, "a pipe of the command's is still open"
    finally:
        child.kill()


def _open_pipes() -> set[str]:
    """Return the pipes that this process has open, where the system tells."""
    folder = Path("/proc/self/fd")
    numbers = list(folder.iterdir()) if folder.is_dir() else []
    return {name for n in numbers if n.is_symlink() and (name := str(n.readlink())).startswith("pipe:")}


def test_wish_to_stop_ends_a_command_at_once(tmp_path: Path) -> None:
    stop = threading.Event()
    code = "import time, pathlib; pathlib.Path('up').touch(); time.sleep(60)"
    began, found = monotonic(), list[Ran]()
    thread = threading.Thread(
        target=lambda: found.append(run_command(_python(code), b"", tmp_path, 60.0, stop.is_set)), daemon=True
    )
    thread.start()
    assert _wait_until((tmp_path / "up").exists)
    stop.set()
    thread.join(60)
    assert [ran.why for ran in found] == ["killed, because SlideBridge stops"] and monotonic() - began < 20


@pytest.mark.parametrize(
    ("command", "is_windows", "parts"),
    [
        ("tell --to lab", False, ("tell", "--to", "lab")),
        (r"/my\ tools/tell '$HOME; rm *'", False, ("/my tools/tell", "$HOME; rm *")),
        (r'"C:\My Tools\tell.exe" C:\new\table', True, (r"C:\My Tools\tell.exe", r"C:\new\table")),
        ("  ", False, ()),
    ],
)
def test_command_line_is_split_without_a_shell(command: str, is_windows: bool, parts: tuple[str, ...]) -> None:
    assert split_command(command, is_windows=is_windows) == parts


def test_open_quote_is_refused() -> None:
    with pytest.raises(ValueError, match="quotation"):
        split_command("tell 'lab", is_windows=False)
