"""The nightly training inside the daemon: once a night, and never in the way of a save."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.store import JobKind, JobState
from daemon_lab import SETTLE, DaemonLab
from lab_support import labelled

SCHEDULE = '\n[schedule]\nnightly = "02:00"\ntimezone = "Europe/Berlin"\nmax_steps = 4\n'
DONE = JobState.DONE


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[DaemonLab]:
    lab = DaemonLab.with_slides(tmp_path, settings=SCHEDULE)
    lab.start()
    lab.save(labelled())
    lab.run()
    yield lab
    lab.close()


def to(lab: DaemonLab, moment: datetime) -> None:
    lab.clock.pass_by((moment - lab.clock.wall).total_seconds())
    lab.run(4 * SETTLE)


def test_a_night_is_trained_once_and_its_model_predicts_every_slide(lab: DaemonLab) -> None:
    to(lab, datetime(2026, 3, 3, 0, 59, tzinfo=UTC))
    assert lab.jobs(JobKind.NIGHTLY) == []
    to(lab, datetime(2026, 3, 3, 1, 1, tzinfo=UTC))
    (night,) = lab.jobs(JobKind.NIGHTLY, DONE)
    runs = lab.store.runs()
    assert [run.kind for run in runs] == ["incremental", "nightly"]
    assert runs[-1].parent is None  # from the transfer weights
    lab.run(600.0, step=30.0)
    assert lab.jobs(JobKind.NIGHTLY) == [night]
    assert ("nightly", 2) in [(name, facts.get("iteration")) for name, facts in lab.events]


def test_the_night_when_clocks_go_back_is_one_night(lab: DaemonLab) -> None:
    lab.clock.wall = datetime(2026, 10, 24, 12, 0, tzinfo=UTC)
    lab.store.mark("nightly", lab.clock.wall)
    lab.clock.pass_by(12 * 3600.0)  # 02:00 in Berlin, summer time
    lab.run(3 * 3600.0, step=120.0)
    assert len(lab.jobs(JobKind.NIGHTLY)) == 1


def test_a_night_that_nobody_was_there_for_is_skipped(lab: DaemonLab) -> None:
    lab.close()
    lab.clock.pass_by(timedelta(days=3).total_seconds())
    lab.start()
    lab.run()
    assert lab.jobs(JobKind.NIGHTLY) == []


def test_a_project_with_no_new_labels_is_not_trained_again_every_night(lab: DaemonLab) -> None:
    for day in (3, 4, 5):
        to(lab, datetime(2026, 3, day, 1, 1, tzinfo=UTC))
    assert len(lab.jobs(JobKind.NIGHTLY, DONE)) == 3
    assert [run.kind for run in lab.store.runs()] == ["incremental", "nightly"]
