"""A real daemon that hides names: nothing that it says outside the project's own files tells a slide."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

from lab_support import Lab, labelled, xml_of

_TELL = "import sys, pathlib; pathlib.Path('told').open('a').write(sys.stdin.read())"


def _wait_until(is_so: Callable[[], bool], seconds: float = 60.0) -> None:
    until = monotonic() + seconds
    while not is_so() and monotonic() < until:
        sleep(0.1)
    assert is_so()


def _text(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def test_watching_tells_no_name_to_log_terminal_commands_or_status(lab: Lab) -> None:
    lab.slide.rename(lab.root / "Meyer, Anna.tif")
    (lab.root / "tell.py").write_text(_TELL)
    command = json.dumps(f"'{sys.executable}' tell.py")
    lab.set(f"\n[privacy]\nhash_names = true\n[hooks]\non_predictions = {command}\non_failure = {command}\n")
    folder, told = lab.root / ".slidebridge", lab.root / "told"
    with (lab.root / "terminal").open("w") as terminal:
        arguments = [sys.executable, "-m", "scripts.cli", "--verbose", "watch", str(lab.root)]
        daemon = subprocess.Popen(arguments, stdout=terminal, stderr=terminal)
        try:
            _wait_until(lambda: '"predictions"' in _text(told))
            damaged = xml_of({"ROI": labelled()["ROI"]}).replace(b"</Regions>", b"<Regions>", 1)
            (lab.root / "Meyer, Anna.xml").write_bytes(damaged)
            _wait_until(lambda: '"failure"' in _text(told))
            said = [lab.run("status").output, lab.run("status", "--json").output]
        finally:
            daemon.terminate()
            daemon.wait(30)
    said += [_text(p) for p in (lab.root / "terminal", folder / "log" / "watch.log", folder / "daemon.json", told)]
    for text in said:
        assert text and "Meyer" not in text and "Anna" not in text
    assert sum("slide-" in text for text in said) >= 5
