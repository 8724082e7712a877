"""The daemon's slides compete for boxes where the project has a total: never more are open, and none less."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.annotations import MachineRole
from bridge.annotations.roles import Fate
from bridge.store import JobKind, JobState
from daemon_lab import RESCAN, DaemonLab
from lab_support import labelled

SLIDES, TOTAL = 3, 2


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[DaemonLab]:
    lab = DaemonLab.with_slides(tmp_path, SLIDES)
    path = tmp_path / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("k = 3", f"k = 3\ntotal = {TOTAL}"), "utf-8")
    lab.start()
    lab.run()
    yield lab
    lab.close()


def open_boxes(lab: DaemonLab) -> list[int]:
    """Return how many boxes lie on each slide that nobody has answered."""
    return [
        sum(box.role is MachineRole.PROPOSAL for box in lab.store.live_objects(f"case{number}.tif"))
        for number in range(SLIDES)
    ]


def without_boxes(lab: DaemonLab, number: int) -> None:
    """Delete a slide's boxes, one a save: all at once is a viewer's doing."""
    while open_boxes(lab)[number]:
        text = lab.xml(number).read_text("utf-8")
        fewer = re.sub(r'\s*<Region [^>]*Text="#\d+ .*?</Region>', "", text, count=1, flags=re.DOTALL)
        assert fewer != text
        lab.save(fewer.encode(), number)
        lab.run()
        if sum(open_boxes(lab)) == TOTAL:  # answered with others
            return


def test_the_total_is_used_up_and_never_passed_and_then_it_is_quiet(lab: DaemonLab) -> None:
    assert sum(open_boxes(lab)) == TOTAL
    before = len(lab.store.jobs())
    lab.run(5 * RESCAN, step=5.0)
    assert len(lab.store.jobs()) == before, "slides without a box don't ask again and again"


def test_what_a_person_frees_comes_back_wherever_the_best_places_are(lab: DaemonLab) -> None:
    number = next(n for n, count in enumerate(open_boxes(lab)) if count)
    without_boxes(lab, number)
    lab.run()
    assert sum(open_boxes(lab)) == TOTAL
    assert lab.store.outcome_counts()[Fate.DECLINED] >= 1


def test_a_slide_whose_boxes_went_to_others_is_left_alone(lab: DaemonLab) -> None:
    number = next(n for n, count in enumerate(open_boxes(lab)) if not count)
    wants, now = lab.watched.loop.wants, lab.clock.wall
    state = wants.slides.state(f"case{number}.tif", now)
    assert state is not None
    before = lab.xml(number).read_bytes()
    job = lab.store.ask_job(JobKind.WRITE, state.key, wants.write_input(state), now)
    lab.run(RESCAN)
    assert lab.store.job(job.id).state is JobState.SUPERSEDED
    assert lab.xml(number).read_bytes() == before


def test_a_new_model_leaves_no_more_open_than_allowed(lab: DaemonLab) -> None:
    counts: dict[int, int] = {}

    def is_passed() -> bool:
        written = len(lab.events)
        if written not in counts:
            counts[written] = sum(open_boxes(lab))
        return counts[written] > TOTAL

    lab.save(labelled())
    lab.run(until=is_passed)
    assert lab.watched.loop.wants.champion_id() is not None
    assert max(counts.values()) <= TOTAL and sum(open_boxes(lab)) == TOTAL
