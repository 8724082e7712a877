"""What goes wrong at a bad moment costs time, and nothing else: each was a way in which a save was never answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.errors import ProjectBusyError, SlideNotFoundError, StoreError, WriteFailedError
from bridge.store import JobKind, JobState, Store
from bridge.store.lease import Lease
from daemon_lab import SETTLE, DaemonLab
from lab_support import draw_slide, labelled
from scripts.daemon import reading, wanting, watched_project, working
from scripts.daemon.heartbeat import FILE_NAME
from scripts.daemon.slides_now import SlidesNow
from scripts.loop.prediction_cache import PredictionCache
from scripts.loop.pull import reading_of
from scripts.loop.slide_jobs import predict_one

pytestmark = pytest.mark.heavy
DONE = JobState.DONE


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[DaemonLab]:
    lab = DaemonLab.with_slides(tmp_path)
    yield lab
    lab.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[DaemonLab]:
    lab = DaemonLab.with_slides(tmp_path, 2)
    yield lab
    lab.close()


def is_predicted(lab: DaemonLab, number: int = 0) -> bool:
    return "Blob: Predicted" in {written.path_class for written in lab.store.live_objects(f"case{number}.tif")}


def fails_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception) -> None:
    real = getattr(owner, name)
    failed: list[Exception] = []

    def call(*args: Any, **named: Any) -> Any:
        if not failed:
            failed.append(error)
            raise error
        return real(*args, **named)

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize("kind", [JobKind.TRAIN, JobKind.PREDICT, JobKind.WRITE])
def test_a_job_whose_end_could_not_be_recorded_does_not_run_for_ever(
    lab: DaemonLab, monkeypatch: pytest.MonkeyPatch, kind: JobKind
) -> None:
    lab.start()
    lab.run()
    real = Store.finish_job
    failed: list[int] = []

    def finish(store: Store, job_id: int, *args: Any) -> Any:
        if store.job(job_id).kind is kind and not failed:
            failed.append(job_id)
            raise StoreError("the disk is full")
        return real(store, job_id, *args)

    monkeypatch.setattr(Store, "finish_job", finish)
    lab.save(labelled())
    lab.run(60.0, step=1.0)
    assert failed
    assert lab.store.jobs(JobState.RUNNING) == ()
    assert is_predicted(lab)


@pytest.mark.parametrize("step", ["learn", "predict_one", "write_one"])
def test_a_failure_that_could_not_be_recorded_is_tried_again(
    lab: DaemonLab, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    lab.start()
    lab.run()
    fails_once(monkeypatch, working, step, StoreError("the disk is full"))
    fails_once(monkeypatch, Store, "retry_job", StoreError("the disk is full"))
    lab.save(labelled())
    lab.run(60.0, step=1.0)
    assert lab.store.jobs(JobState.RUNNING) == ()
    assert is_predicted(lab)


def test_a_slide_that_comes_while_the_slides_are_listed_is_found(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    loop = lab.watched.loop
    loop.files.is_list_old = True
    found = loop.next_file_work()
    assert found is not None
    draw_slide(lab.root / "case7.tif", seed=7)
    lab.observers.tell(lab.root / "case7.tif")
    loop.tick()  # the list was begun before the slide came, and ends after its event
    loop.files.watch(loop.reader.slides.list_entries()[:1])
    lab.run()
    assert "case7.tif" in loop.reader.slides.entries


def test_a_slide_that_left_and_came_back_holds_nothing_up(two: DaemonLab) -> None:
    two.start()
    two.save(labelled(), 0)
    two.save(labelled(1), 1)
    two.run()
    slide, away = two.root / "case1.tif", two.root / ".away"
    for source, target in ((slide, away), (away, slide)):
        source.rename(target)
        two.watched.loop.files.is_list_old = True
        two.run()
    assert two.watched.loop.reader.slides.unread == ()
    trained = len(two.jobs(JobKind.TRAIN, DONE))
    two.save({**labelled(), "Blob": labelled()["Blob"][:-2]}, 0)
    two.run()
    assert len(two.jobs(JobKind.TRAIN, DONE)) == trained + 1


def test_a_slide_that_is_away_for_a_moment_is_taken_up_again(two: DaemonLab, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_once(monkeypatch, wanting, "key_of", SlideNotFoundError("the share is away"))
    two.start()
    two.run(60.0, step=1.0)
    assert two.watched.loop.reader.slides.pulled(two.clock.wall).problems == ()
    assert len(two.jobs(JobKind.WRITE, DONE)) == 2


def test_a_defect_in_reading_one_slide_stops_no_other(two: DaemonLab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = reading_of

    def read(project: Any, store: Any, entry: Any, *args: Any, **named: Any) -> Any:
        if entry.key == "case1.tif":
            raise ValueError("a defect")
        return real(project, store, entry, *args, **named)

    monkeypatch.setattr(reading, "reading_of", read)
    two.start()
    two.save(labelled(), 0)
    two.run(20.0, step=1.0)
    assert is_predicted(two)


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [
        (Store, "jobs", StoreError("database is locked")),
        (SlidesNow, "list_entries", OSError(112, "Host is down")),
        (watched_project, "observe", OSError(112, "Host is down")),
    ],
)
def test_what_cannot_be_looked_at_for_a_moment_ends_nothing(
    lab: DaemonLab, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception
) -> None:
    lab.start()
    assert lab.daemon is not None
    lab.daemon._look_at = 0.0  # it looks at the settings too
    fails_once(monkeypatch, owner, name, error)
    lab.save(labelled())
    lab.run(20.0, step=1.0)
    assert is_predicted(lab)


def test_what_a_person_asked_for_is_written_though_the_slide_is_just_being_read(lab: DaemonLab) -> None:
    lab.start()
    lab.save(labelled())
    lab.run()
    loop = lab.watched.loop
    loop.reader.wait_for("case0.tif")
    lab.store.ask_job(JobKind.PREDICT, "case0.tif", "forced by hand", lab.clock.wall)
    loop._look_at = None
    lab.tick(3)
    loop._again.append("case0.tif")
    lab.run(20.0, step=1.0)
    assert lab.jobs(JobKind.WRITE, DONE)[-1].input_hash == "forced by hand"


def test_slides_that_can_be_neither_kept_nor_written_are_not_predicted_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted: list[int] = []
    real = predict_one

    def predict(*args: Any, **named: Any) -> Any:
        predicted.append(1)
        return real(*args, **named)

    def write(*args: Any, **named: Any) -> Any:
        raise WriteFailedError("the share is read-only")

    monkeypatch.setattr(working, "predict_one", predict)
    monkeypatch.setattr(working, "write_one", write)
    monkeypatch.setattr(PredictionCache, "save", lambda *args: None)
    lab = DaemonLab.with_slides(tmp_path, 6)  # more than are kept in memory
    lab.start()
    lab.run(120.0, step=5.0, until=lambda: len(predicted) > 40)
    lab.close()
    assert len(predicted) <= 40


def test_a_project_that_another_took_over_is_let_go_of_and_left_alone(
    lab: DaemonLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = lab.start()
    lab.run()
    heartbeat = watched.loop.project.data_folder / FILE_NAME
    monkeypatch.setattr(Lease, "renew", lambda lease: (_ for _ in ()).throw(ProjectBusyError("theirs now")))
    heartbeat.write_text("theirs", "utf-8")
    lab.clock.pass_by(10 * SETTLE)
    lab.tick(2)
    assert watched.loop.world.is_stopping()  # a training under way ends
    assert lab.daemon is not None
    assert lab.daemon.projects == []
    lab.close()
    assert heartbeat.read_text("utf-8") == "theirs"
