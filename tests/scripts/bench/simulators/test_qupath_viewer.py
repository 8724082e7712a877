"""The simulated QuPath with our script, as a program of its own: it says what is open and takes what is offered."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qupath_lab import new_project
from shapely import box

from bridge.annotations import Delivery, MachineObject, MachineRole
from bridge.qupath import QuPathProject, QuPathViewer, read_qpdata
from scripts.bench.simulators.qupath_viewer import HookedViewer

ROOT = Path(__file__).parents[4]
OURS = MachineObject(
    "00000001-0000-4000-8000-000000000000", MachineRole.PREDICTION, "Tumor: Predicted", box(1, 1, 9, 9), (200, 0, 0)
)


@pytest.fixture
def project(tmp_path: Path) -> QuPathProject:
    return new_project(tmp_path, "a.png")


@pytest.fixture
def program(project: QuPathProject) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "scripts.bench.simulators.qupath_viewer", str(project.path), "1"]
    started = subprocess.Popen([*command, "--seconds", "120", "--save"], cwd=ROOT)
    yield started
    started.kill()
    started.wait()


def wait_for(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_program_takes_what_is_offered_and_saves_it(project: QuPathProject, program: subprocess.Popen[bytes]) -> None:
    viewer = QuPathViewer(project.root)
    viewer.prepare()
    wait_for(lambda: viewer.open_slides(0.0))
    viewer.deliver("1", Delivery("w1", (OURS,)))
    path = project.slides()[0].annotation_path
    wait_for(lambda: path.exists() and not project.blocker(project.slides()[0]))
    saved = read_qpdata(path.read_bytes())
    assert (saved.write_marker, [a.object_id for a in saved.annotations]) == ("w1", [OURS.object_id])
    program.kill()
    program.wait()
    viewer.open_slides(10.0)  # what it said last
    assert viewer.open_slides(20.0) == {}, "its heart has stopped"


def test_viewer_says_nothing_in_a_project_that_nobody_watches(project: QuPathProject) -> None:
    qupath = HookedViewer(project.path)
    qupath.open("1")
    qupath.beat()
    assert not (project.root / ".slidebridge").exists()
