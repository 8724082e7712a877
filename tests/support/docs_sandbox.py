"""A place to run what the documentation tells people to type: projects at ``/data``, files, a home, small trainings.

Imported by tests as ``docs_sandbox`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bridge.qupath import create_project
from lab_support import draw_slide, labelled, xml_of
from scripts.docs.command_lines import Line, words_of
from scripts.set_up import new_image

# Lines that can't be run here: what they begin with, or hold, and why. All are read all the same.
NOT_RUN: Mapping[str, str] = {
    r"^make ": "these are the long runs themselves; that there is such a target is checked",
    r"^(python3?|py) -m venv |(^|/)pip install |^pipx (install|uninstall) ": "installs from the package index",
    r"^\.venv/bin/slidebridge |^\.venv/bin/mkdocs ": "in the environment that the lines before it install",
    r"^slidebridge demo ": "fetches a picture and takes minutes; tests/scripts/test_demo.py plays it",
    r"^(systemctl|loginctl|launchctl|schtasks|journalctl|crontab) ": "changes the machine's own services",
    r"^slidebridge hooks install (launchd|windows)": "refused on other systems, as it should be",
    r"^dask (scheduler|worker) ": "servers on several machines; tests/scripts/test_on_a_cluster.py has them",
    r"^slidebridge simulate ": "needs slides that are annotated whole, and minutes; tests/scripts/simulation plays it",
    r"^torchrun ": "several processes, machines or GPUs; tests/scripts/test_processes.py starts two",
}
SYNCED = "<!-- commands: in synced projects -->"
# Endless commands: what they say when they are there
_ENDLESS: Mapping[str, str] = {r"^slidebridge watch\b": "watching", r"^slidebridge dashboard\b": "http://"}
_MOST_SECONDS = 300.0
_SETTINGS = {
    "MODEL__ENCODER": "plain",
    "TRAIN__MAX_STEPS": "4",
    "TRAIN__BATCH_SIZE": "2",
    "TRAIN__TILE_PX": "64",
    "SCHEDULE__MAX_STEPS": "4",
    "PROPOSE__K": "2",
    "PROPOSE__REGION_UM": "40",
    "PREDICT__TILE_PX": "256",
    "WATCH__SETTLE_SECONDS": "0.05",
}


def reason_not_run(line: Line) -> str | None:
    """Say why a line isn't run here; None for one that is."""
    if line.language == "powershell":
        return "of another system"
    return next((reason for rule, reason in NOT_RUN.items() if re.search(rule, line.text)), None)


@dataclass
class Sandbox:
    """A folder that plays the machine of the documentation.

    Parameters
    ----------
    root
        ``/data`` of the pages is ``root/data``; commands begin in ``root/here``.
    """

    root: Path
    here: Path = field(init=False)

    def __post_init__(self) -> None:
        self.here = self.root / "here"

    def run(self, line: Line) -> str | None:
        """Run a line of a page; return what went wrong, None if nothing."""
        text = line.text.replace("/data/", f"{self.root}/data/").replace("/data ", f"{self.root}/data ")
        words = words_of(line)
        if words and words[0] == "cd":
            self.here = Path(text.split()[1])
            return None if self.here.is_dir() else f"there is no {self.here}"
        ready = next((sign for rule, sign in _ENDLESS.items() if re.search(rule, line.text)), None)
        return self._until(text, ready) if ready is not None else self._whole(text)

    def _whole(self, text: str) -> str | None:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.here,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=_MOST_SECONDS,
        )
        return None if done.returncode == 0 else f"exit {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"

    def _until(self, text: str, sign: str) -> str | None:
        """Start what doesn't end, wait until it says that it is there, and ask it to stop."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=self.here,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        killer = threading.Timer(_MOST_SECONDS, process.kill)
        killer.start()
        said: list[str] = []
        try:
            assert process.stdout is not None
            for row in process.stdout:
                said.append(row)
                if sign in row:
                    process.send_signal(signal.SIGINT)
                    break
            said += process.communicate(timeout=_MOST_SECONDS)[0].splitlines(keepends=True)
        finally:
            killer.cancel()
            process.kill()
        is_there = any(sign in row for row in said)
        return None if is_there and process.returncode in (0, 130) else f"exit {process.returncode}: {''.join(said)}"

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of a person who has just installed the program."""
        home = self.root / "home"
        folders = {"HOME": home, "XDG_DATA_HOME": home / "share", "XDG_CONFIG_HOME": home / "config"}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        return {
            "PATH": path,
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(home / "cache"),
            "COLUMNS": "200",
            **{name: str(folder) for name, folder in folders.items()},
            **{f"SLIDEBRIDGE_{name}": value for name, value in _SETTINGS.items()},
        }


def fresh(root: Path) -> Sandbox:
    """Make the pages' machine: slides with annotations, no project set up."""
    for folder in ("here/slides", "home", "data/kidneys", "data/study/slides"):
        (root / folder).mkdir(parents=True)
    for number in (1, 2):
        name = f"case_{number}.tif"
        for folder in ("data/kidneys", "data/study/slides", "here/slides"):
            draw_slide(root / folder / name, seed=number)
        for folder in ("data/kidneys", "here/slides"):
            (root / folder / name).with_suffix(".xml").write_bytes(xml_of(labelled(number)))
    (root / "here" / "a.xml").write_bytes(xml_of(labelled(1)))
    images = [new_image(path) for path in sorted((root / "data/study/slides").glob("*.tif"))]
    create_project(root / "data" / "study", images, {"Blob": (200, 0, 0)}, now=datetime(2026, 1, 1, tzinfo=UTC))
    return Sandbox(root)


def synced(root: Path) -> Sandbox:
    """Make the pages' machine with both projects set up, labelled, trained and written to."""
    sandbox = fresh(root)
    for text in (
        "slidebridge new --imagescope /data/kidneys",
        "slidebridge convert slides/ /data/study/project.qpproj",
        "slidebridge new --qupath /data/study/project.qpproj",
        "slidebridge sync -p /data/kidneys",
        "slidebridge sync -p /data/study",
    ):
        fault = sandbox.run(Line(Path("sandbox"), 0, text))
        assert fault is None, f"{text}: {fault}"
    return sandbox


def copied(sandbox: Sandbox, root: Path) -> Sandbox:
    """Return a sandbox of its own, with what is in another."""
    shutil.copytree(sandbox.root, root, symlinks=True)
    return Sandbox(root)


def begins_synced(path: Path) -> bool:
    """Say whether a page's commands begin in projects that were set up and synced."""
    return SYNCED in path.read_text("utf-8")


def make_targets(makefile: Path) -> Iterator[str]:
    """Yield the targets of a Makefile."""
    for line in makefile.read_text("utf-8").splitlines():
        found = re.match(r"([a-z][a-z-]*):", line)
        if found is not None:
            yield found[1]


__all__ = [
    "NOT_RUN",
    "Sandbox",
    "begins_synced",
    "copied",
    "fresh",
    "make_targets",
    "reason_not_run",
    "synced",
]
