"""The daemon as a whole, driven by hand: saves become labels, labels a model, a model predictions, without a loop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import shapely
from lxml import etree

from bridge.annotations.roles import Fate
from bridge.errors import ProjectBusyError
from bridge.store import JobKind, JobState
from daemon_lab import RESCAN, SETTLE, DaemonLab
from lab_support import labelled
from scripts.loop.confirm import confirm_slide

pytestmark = pytest.mark.heavy
DONE = JobState.DONE


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[DaemonLab]:
    lab = DaemonLab.with_slides(tmp_path)
    yield lab
    lab.close()


def ours(lab: DaemonLab, number: int = 0) -> list[str]:
    """Return the classes of the objects of ours that the store takes to be in a slide's file."""
    return sorted(written.path_class for written in lab.store.live_objects(f"case{number}.tif"))


def test_a_new_project_gets_proposals_and_nothing_is_trained(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    assert ours(lab) == ["Proposed"] * 3
    assert lab.jobs(JobKind.TRAIN) == []
    assert lab.jobs(JobKind.READ) == []  # our own file is no save of a person's


def test_a_save_is_read_once_learned_from_and_answered(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    lab.save(labelled())
    lab.run()
    assert [job.state for job in lab.jobs(JobKind.READ)] == [DONE]
    assert [job.state for job in lab.jobs(JobKind.TRAIN)] == [DONE]
    assert "Blob: Predicted" in ours(lab)
    assert [name for name, _ in lab.events][-2:] == ["training", "predictions"]
    assert lab.events[-1][1]["slide"] == "case0"


def test_a_save_is_read_in_the_moment_in_which_it_came_to_rest(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    lab.save(labelled())
    lab.tick()
    assert lab.daemon is not None and 0.0 < lab.daemon.rest(60.0) <= SETTLE
    lab.clock.pass_by(lab.daemon.rest(60.0))
    lab.tick()
    assert [job.state for job in lab.jobs(JobKind.READ)] == [DONE]
    assert 0.0 < lab.daemon.rest(0.25) <= 0.25


def test_our_own_writes_start_nothing_however_long_we_wait(lab: DaemonLab) -> None:
    lab.start()
    lab.save(labelled())
    lab.run()
    before = len(lab.store.jobs())
    lab.run(20 * RESCAN, step=5.0)
    assert len(lab.store.jobs()) == before


def test_many_saves_in_a_row_are_one_training_with_the_last_labels(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    everything = labelled()
    for count in range(1, len(everything["Blob"]) + 1):
        lab.save({"Blob": everything["Blob"][:count], "ROI": everything["ROI"]})
        lab.tick(3)
        lab.clock.pass_by(SETTLE / 10)
    lab.run()
    assert len(lab.jobs(JobKind.READ)) == 1
    (training,) = lab.jobs(JobKind.TRAIN)
    reading = lab.watched.loop.reader.slides.reading("case0.tif")
    assert training.state is DONE
    assert reading is not None
    assert reading.human_count == len(everything["Blob"]) + len(everything["ROI"])
    assert lab.store.last_trained_data_hash() is not None


def test_a_save_that_no_event_told_of_is_found_by_the_rescan(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    lab.observers.is_deaf = True
    lab.save(labelled())
    lab.run(RESCAN + 3 * SETTLE)
    assert len(lab.jobs(JobKind.READ, DONE)) == 1
    assert lab.observers.missed_paths == [lab.xml()]


def test_our_own_writes_are_not_counted_as_missed(lab: DaemonLab) -> None:
    lab.observers.is_deaf = True
    lab.start()
    lab.run(5 * RESCAN, step=1.0)
    assert ours(lab)
    assert lab.observers.missed_paths == []


def test_a_viewer_that_saves_its_old_view_gets_our_objects_again(lab: DaemonLab) -> None:
    lab.start()
    old = lab.save(labelled())
    lab.run()
    before = ours(lab)
    assert "Blob: Predicted" in before
    lab.save(old)
    lab.run()
    assert ours(lab) == before
    assert lab.store.outcome_counts().get(Fate.REJECTED, 0) == 0
    assert len(lab.jobs(JobKind.READ, DONE)) == 2
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == 1  # the labels are the same
    assert len(lab.jobs(JobKind.PREDICT, DONE)) == 2  # without and with a model; the second write is from what was kept


def without_ours(data: bytes) -> bytes:
    """Return the file after somebody emptied the layers that we wrote, keeping the layers themselves."""
    root = etree.fromstring(data)
    for layer in root.findall("Annotation"):
        if layer.get("Name") in ("Proposed", "Blob (predicted)"):
            for region in layer.findall("Regions/Region"):
                region.getparent().remove(region)
    return etree.tostring(root)


def test_all_of_ours_deleted_at_once_declines_nothing_and_is_written_again(lab: DaemonLab) -> None:
    lab.start()
    lab.save(labelled())
    lab.run()
    before = ours(lab)
    emptied = lab.save(without_ours(lab.xml().read_bytes()))
    lab.run()
    assert lab.xml().read_bytes() != emptied
    assert ours(lab) == before
    outcomes = lab.store.outcome_counts()
    assert outcomes.get(Fate.DECLINED, 0) == outcomes.get(Fate.REJECTED, 0) == 0
    jobs = len(lab.store.jobs())
    lab.run(10 * SETTLE)
    assert len(lab.store.jobs()) == jobs


def test_a_slide_that_fails_every_time_waits_longer_and_longer_and_stops_nobody(tmp_path: Path) -> None:
    lab = DaemonLab.with_slides(tmp_path, 2)
    lab.start()
    lab.run()
    lab.save(b"<Annotations><Annotation></Annotations>", number=1)
    lab.save(labelled(), number=0)
    lab.run(3600.0, step=10.0)
    (broken,) = [job for job in lab.jobs(JobKind.READ) if job.slide_key == "case1.tif"]
    assert broken.state is JobState.WAITING
    assert broken.error is not None
    assert "case1.xml" in broken.error
    assert 5 <= broken.attempts <= 9  # 30 s, doubled each time: some seven tries in an hour
    assert "Blob: Predicted" in ours(lab, 0)
    lab.save(labelled(1), number=1)
    lab.run()
    assert "Blob: Predicted" in ours(lab, 1)
    lab.close()


def test_a_save_that_never_ends_is_told_after_a_while_and_read_once_it_does(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    lab.save(b'<Annotations MicronsPerPixel="0.5"><Annotation')
    lab.run(500.0, step=5.0)
    assert lab.jobs(JobKind.READ) == []
    lab.run(400.0, step=5.0)
    (told,) = lab.jobs(JobKind.READ)
    assert "not completely written" in (told.error or "")
    lab.save(labelled())
    lab.run()
    assert len(lab.jobs(JobKind.READ, DONE)) == 1


def test_a_second_daemon_on_the_same_project_is_refused(lab: DaemonLab) -> None:
    lab.start()
    other = DaemonLab(lab.root)
    with pytest.raises(ProjectBusyError, match="watch"):
        other.start()


@pytest.mark.parametrize("jump", [timedelta(days=2), timedelta(days=-2), timedelta(hours=-1)])
def test_a_clock_that_jumps_changes_nothing(lab: DaemonLab, jump: timedelta) -> None:
    lab.start()
    lab.run()
    lab.clock.wall += jump
    lab.save(labelled())
    lab.run()
    lab.clock.wall -= jump
    lab.save({**labelled(), "Blob": labelled()["Blob"][:-2]})
    lab.run(4 * SETTLE)
    assert len(lab.jobs(JobKind.READ, DONE)) == 2
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == 2
    assert list(lab.store.jobs(JobState.WAITING)) == []


def test_a_restart_goes_on_without_doing_anything_again(lab: DaemonLab) -> None:
    lab.start()
    lab.save(labelled())
    lab.run()
    jobs, objects = [job.id for job in lab.store.jobs()], ours(lab)
    lab.restart()
    lab.run(2 * RESCAN, step=1.0)
    assert [job.id for job in lab.store.jobs()] == jobs
    assert ours(lab) == objects


def test_a_save_made_while_nothing_was_running_is_answered_at_the_start(lab: DaemonLab) -> None:
    lab.start()
    lab.run()
    lab.close()
    lab.save(labelled())
    lab.start()
    lab.run()
    assert len(lab.jobs(JobKind.READ, DONE)) == 1
    assert "Blob: Predicted" in ours(lab)


def test_a_slide_that_comes_later_is_watched_too(lab: DaemonLab) -> None:
    from lab_support import draw_slide

    lab.start()
    lab.run()
    draw_slide(lab.root / "case7.tif", seed=7)
    lab.observers.tell(lab.root / "case7.tif")
    lab.run()
    assert ours(lab, 7) == ["Proposed"] * 3


def let_grow(lab: DaemonLab, *, most_pages: int | None) -> None:
    """Bound the database, None at its size now: then SQLite says what it says of a full disk."""
    with lab.store._engine.connect() as connection:  # the one that all in this thread share
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() if most_pages is None else most_pages
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def test_a_disk_that_is_full_stops_nothing_for_good(lab: DaemonLab, caplog: pytest.LogCaptureFixture) -> None:
    lab.start()
    lab.run()
    let_grow(lab, most_pages=None)
    lab.save(labelled())
    lab.run(30.0, step=2.0)
    assert "disk is full" in caplog.text
    let_grow(lab, most_pages=1_000_000)
    lab.run(600.0, step=5.0, until=lambda: "Blob: Predicted" in ours(lab))
    assert len(lab.jobs(JobKind.READ, DONE)) == 1
    assert "Blob: Predicted" in ours(lab)


def test_a_person_who_goes_back_to_earlier_labels_is_learned_from_again(lab: DaemonLab) -> None:
    lab.start()
    first = labelled()
    lab.save(first)
    lab.run()
    lab.save({**first, "Blob": first["Blob"][:-5]})
    lab.run()
    lab.save(first)
    lab.run()
    assert len(lab.jobs(JobKind.READ, DONE)) == 3
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == 3


def test_suspicious_save_is_doubted_until_the_next_one(lab: DaemonLab) -> None:
    lab.start()
    lab.save(labelled())
    lab.run()
    lab.save({"Blob": [(shapely.box(30, 30, 40, 40), "")]})
    lab.run()
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == 1
    assert lab.watched.loop.reader.slides.pulled(lab.clock.wall).slides[0].is_suspicious
    lab.restart()
    lab.run()
    assert lab.watched.loop.reader.slides.pulled(lab.clock.wall).slides[0].is_suspicious


def test_a_person_confirms_a_save_while_the_daemon_watches(lab: DaemonLab) -> None:
    lab.start()
    lab.save(labelled())
    lab.run()
    lab.save({"Blob": [(shapely.box(30, 30, 40, 40), "")], "ROI": [(shapely.box(20, 20, 60, 60), "")]})
    lab.run()
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == 1
    assert "the daemon" in confirm_slide(lab.root, "case0", is_dry_run=False)
    lab.run()
    assert not lab.watched.loop.reader.slides.pulled(lab.clock.wall).slides[0].is_suspicious
    assert len(lab.jobs(JobKind.TRAIN, DONE)) == 2
