"""Images that are open in a QuPath with our script: their files are left alone, and results come live."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.store import JobKind, JobState
from daemon_lab import SETTLE, DaemonLab
from lab_support import RUNNER, SETTINGS, draw_slide
from scripts.bench.simulators.changes import Changes
from scripts.bench.simulators.qupath_viewer import HookedViewer
from scripts.cli import app

SOURCE = '[source]\nkind = "qupath"\npath = "project.qpproj"\n'


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[DaemonLab]:
    draw_slide(tmp_path / "case0.tif")
    draw_slide(tmp_path / "case1.tif", seed=1)
    made = RUNNER.invoke(app, ["new", "--qupath-create", str(tmp_path / "p"), str(tmp_path)])
    assert made.exit_code == 0, made.output
    text = SETTINGS.split("[classes", 1)[1].replace("settle_seconds = 0.01", f"settle_seconds = {SETTLE}")
    (tmp_path / "p" / "slidebridge.toml").write_text(SOURCE + "[classes" + text, "utf-8")
    lab = DaemonLab(tmp_path / "p")
    lab.start()
    yield lab
    lab.close()
    shutil.rmtree(tmp_path / "p")


@pytest.fixture
def viewer(lab: DaemonLab) -> HookedViewer:
    return HookedViewer(lab.root / "project.qpproj")


def data(lab: DaemonLab, entry: str) -> Path:
    return lab.root / "data" / entry / "data.qpdata"


def run(lab: DaemonLab, viewer: HookedViewer, seconds: float = 4 * SETTLE) -> None:
    """Let time pass for both: the viewer beats and takes what is offered, the daemon works."""
    end = lab.clock.monotonic + seconds
    while lab.clock.monotonic < end:
        viewer.beat()
        viewer.pull()
        lab.run(SETTLE / 4)


def save(lab: DaemonLab, viewer: HookedViewer, entry: str) -> None:
    viewer.save(entry)
    lab.observers.tell(data(lab, entry))


def test_an_image_on_screen_is_not_written_to_and_gets_its_proposals_live(lab: DaemonLab, viewer: HookedViewer) -> None:
    first, second = sorted(lab.watched.loop.project.source.slides(), key=lambda e: e.key)
    viewer.open(first.key)
    before = data(lab, first.key).read_bytes() if data(lab, first.key).exists() else None
    run(lab, viewer)
    after = data(lab, first.key).read_bytes() if data(lab, first.key).exists() else None
    assert before == after
    shown = [a.path_class for a in viewer.objects(first.key).values()]
    assert shown == ["Proposed"] * 3
    assert data(lab, second.key).exists()  # nobody has that one open


def test_results_shown_live_count_once_the_person_saves_and_start_no_loop(lab: DaemonLab, viewer: HookedViewer) -> None:
    entry = lab.watched.loop.project.source.slides()[0]
    viewer.open(entry.key)
    run(lab, viewer)
    assert lab.store.live_objects(entry.key) == ()
    save(lab, viewer, entry.key)
    run(lab, viewer)
    assert len(lab.store.live_objects(entry.key)) == 3
    assert [j.slide_key for j in lab.jobs(JobKind.READ, JobState.DONE)] == [entry.key]
    count = len(lab.store.jobs())
    run(lab, viewer, 20 * SETTLE)
    assert len(lab.store.jobs()) == count


def test_an_image_that_is_closed_unsaved_gets_its_results_into_the_file(lab: DaemonLab, viewer: HookedViewer) -> None:
    entry = lab.watched.loop.project.source.slides()[0]
    viewer.open(entry.key)
    run(lab, viewer)
    viewer.close(entry.key)
    run(lab, viewer)
    assert data(lab, entry.key).exists()
    assert len(lab.store.live_objects(entry.key)) == 3


def test_a_viewer_that_died_holds_nothing_up(lab: DaemonLab, viewer: HookedViewer) -> None:
    entry = lab.watched.loop.project.source.slides()[0]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    viewer.pid = dead.pid
    viewer.open(entry.key)
    viewer.beat()
    lab.run(120.0, step=1.0)
    assert len(lab.store.live_objects(entry.key)) == 3
    assert data(lab, entry.key).exists()


def test_predict_here_is_answered_though_nothing_is_new(lab: DaemonLab, viewer: HookedViewer) -> None:
    entry = lab.watched.loop.project.source.slides()[0]
    viewer.open(entry.key)
    run(lab, viewer)
    save(lab, viewer, entry.key)
    run(lab, viewer)
    ids = set(viewer.objects(entry.key))
    viewer.ask(entry.key)
    run(lab, viewer)
    assert [j.input_hash.split()[0] for j in lab.jobs(JobKind.WRITE)][-1] == "forced"
    assert set(viewer.objects(entry.key)).isdisjoint(ids)  # new boxes in place of the old ones


def test_what_a_person_changed_meanwhile_stays(lab: DaemonLab, viewer: HookedViewer) -> None:
    entry = lab.watched.loop.project.source.slides()[0]
    viewer.open(entry.key)
    run(lab, viewer)
    save(lab, viewer, entry.key)
    run(lab, viewer)
    chosen = sorted(viewer.objects(entry.key))[0]
    viewer.edit(entry.key, Changes(reclass={chosen: "ROI"}))  # not saved yet
    viewer.ask(entry.key)
    run(lab, viewer)
    kept = viewer.objects(entry.key)[chosen]
    assert kept.path_class == "ROI"
