"""What a heartbeat tells of jobs that wait: counts by kind, whose turn is next, and why the others failed."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.annotations import SlideEntry
from bridge.store import JobKind, Store
from daemon_lab import DaemonLab
from lab_support import labelled
from scripts.daemon.heartbeat import Beat, Failure, Heartbeat, LastRead, LastTraining, Queued, read_heartbeat
from scripts.daemon.queue_now import Queue, queue_of
from scripts.daemon.watch import shown
from scripts.loop.learn import Learned
from scripts.naming.slide_names import SlideNames

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _name(key: str | None) -> str | None:
    return None if key is None else f"{key}.svs"


def test_jobs_are_counted_by_kind_and_the_first_of_each_is_next(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        for kind, key in ((JobKind.PREDICT, "b"), (JobKind.TRAIN, None), (JobKind.PREDICT, "a"), (JobKind.WRITE, "c")):
            store.ask_job(kind, key, "input", _NOW)
        failing = store.start_job(store.ask_job(JobKind.READ, "d", "input", _NOW).id, _NOW)
        store.retry_job(failing.id, _NOW, "it is cut;\n save it again", _NOW + timedelta(minutes=1))
        found = queue_of(tuple(reversed(store.jobs())), _name)
    assert (found.waiting, found.failed) == (5, 1)
    assert found.queued == (
        Queued(JobKind.TRAIN, 1),
        Queued(JobKind.PREDICT, 2, "b.svs"),
        Queued(JobKind.WRITE, 1, "c.svs"),
    )
    again = _NOW + timedelta(minutes=1)
    assert found.failures == (Failure("it is cut; save it again", again, JobKind.READ, "d.svs", 1),)
    assert queue_of((), _name) == Queue()


def test_many_failures_fit_into_a_heartbeat(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store, store.together():
        for number in range(40):
            job = store.start_job(store.ask_job(JobKind.PREDICT, f"s{number}", "input", _NOW).id, _NOW)
            store.retry_job(job.id, _NOW, "x" * 9999, _NOW)
        found = queue_of(tuple(reversed(store.jobs())), _name)
    beat = Beat(waiting=found.waiting, failed=found.failed, queue=found.queued, failures=found.failures)
    Heartbeat(tmp_path, (), "1", lambda: _NOW).write(beat)
    state = read_heartbeat(tmp_path)
    assert state is not None and state.beat == beat and found.failed == 40 and 0 < len(found.failures) < 40


def test_names_are_hidden_in_what_waits_and_failed(tmp_path: Path) -> None:
    names = SlideNames([SlideEntry("1", "Meyer.svs", Path("/s/Meyer.svs"), Path("/s/Meyer.xml"))], b"k" * 32)
    beat = Beat(
        queue=(Queued(JobKind.READ, 1, "Meyer.svs"),),
        failures=(Failure("/s/Meyer.xml: cut", _NOW, JobKind.READ, "Meyer.svs"),),
        last_read=LastRead("Meyer.svs", _NOW),
    )
    heart = Heartbeat(tmp_path, (), "1", lambda: _NOW, hide=names.hide)
    heart.write(beat)
    assert "Meyer" not in (tmp_path / "daemon.json").read_text() and "Meyer" not in repr(heart.state)


@pytest.fixture
def lab(tmp_path: Path) -> DaemonLab:
    return DaemonLab.with_slides(tmp_path)


def test_a_daemon_shows_what_it_read_wrote_and_learned(lab: DaemonLab) -> None:
    worker = lab.start().loop.worker
    lab.save({"Blob": labelled()["Blob"][:3]})  # too little for a training, which would take long
    lab.run(30, until=lambda: worker.last_write is not None)
    worker._told_training(Learned(2, True, "better", score=math.nan), 1.0, is_nightly=False)
    lab.tick()
    assert lab.daemon is not None
    (found,) = shown(lab.daemon, [lab.root])
    assert found.name == lab.root.name and found.state is not None
    beat = found.state.beat
    assert beat.slides == 1 and beat.last_read == LastRead("case0", beat.last_read.at if beat.last_read else _NOW)
    assert beat.last_write is not None and beat.last_write.slide == "case0"
    assert beat.last_training == LastTraining(lab.clock.wall, 2, True, None)
    lab.close()


def test_what_failed_is_told_with_its_way_out_until_it_succeeds(lab: DaemonLab) -> None:
    lab.start()
    lab.save(b"<html></html>")
    lab.run(6)
    lab.tick()
    assert lab.daemon is not None
    (found,) = shown(lab.daemon, [lab.root])
    assert found.state is not None
    (failure,) = found.state.beat.failures
    assert (failure.kind, failure.slide) == (JobKind.READ, "case0") and "case0.xml" in failure.error
    lab.save({})
    lab.run(6)
    (found,) = shown(lab.daemon, [lab.root])
    assert found.state is not None and found.state.beat.failures == ()
    lab.close()


def test_work_that_pauses_is_told_as_a_failure_of_the_project(lab: DaemonLab) -> None:
    watched = lab.start()
    lab.tick()
    watched.loop.pause(OSError(28, "No space left on device"))
    lab.tick()
    (failure,) = watched.heartbeat.state.beat.failures
    assert failure.kind is None and "No space left" in failure.error and failure.again_at > lab.clock.wall
    lab.close()


def test_projects_of_one_name_are_told_apart(tmp_path: Path, lab: DaemonLab) -> None:
    lab.start()
    assert lab.daemon is not None
    roots = [lab.root, tmp_path / "elsewhere" / lab.root.name]
    assert [(one.name, one.state is None) for one in shown(lab.daemon, roots)] == [
        (str(roots[0]), False),
        (str(roots[1]), True),
    ]
    lab.close()
