"""The whole loop with real processes: the daemon at two projects, an expert at each, and a judge at the end.

One QuPath project and one folder with ImageScope files, two slides each. First the experts work, answering boxes and
predictions; then one of them saves a single slide a hundred times in ten seconds; then the daemon is asked to stop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.store import JobKind, JobState
from scripts.bench.daemon.experts import Expert, Habits
from scripts.bench.daemon.judge import Demands
from scripts.bench.daemon.people import read_people
from scripts.bench.daemon.running import Daemon, Rest, experts_at, wait_for
from scripts.bench.daemon.verdict import Verdict, judged
from scripts.bench.daemon.world import Place, Tool, make_world
from scripts.project import open_store

pytestmark = pytest.mark.heavy
SETTLE_SECONDS = 0.8
PATIENCE_SECONDS = 120.0  # for anything that should take seconds: the machine may be busy
ROUNDS = (  # of each expert
    Habits(0.5, 1, most_boxes=1, patience_seconds=PATIENCE_SECONDS),
    Habits(0.5, 5, most_boxes=3, patience_seconds=PATIENCE_SECONDS),
)
SAVES = sum(habits.saves or 0 for habits in ROUNDS)
BURST, BURST_SECONDS = 100, 10.0


@dataclass(frozen=True)
class Counts:
    """What a project's store and its expert's ledger say at one moment."""

    saves: int
    reads: int
    trainings: int


@dataclass(frozen=True)
class Told:
    """What happened."""

    worked: Sequence[Counts]
    before_burst: Counts
    after_burst: Counts
    longest_gap: float
    burst_seconds: float
    exit_status: int | None
    verdict: Verdict
    log: str


def counted(place: Place) -> Counts:
    with open_store(place.project, is_dry_run=False) as store:
        reads = sum(job.kind is JobKind.READ for job in store.jobs(JobState.DONE))
        trainings = sum(run.checkpoint_id is not None for run in store.runs())
    saves = sum(len({save.revision for save in person.saves}) for person in read_people(place).values())
    return Counts(saves, reads, trainings)


def come_to_rest(places: Sequence[Place]) -> None:
    rest = Rest(places)
    assert wait_for(rest.is_reached, PATIENCE_SECONDS, poll_seconds=0.3), rest.why_not


def save_many_times(place: Place) -> float:
    """Save one slide ten times a second; return the longest time between two saves."""
    expert = Expert(place, Habits(seed=7))
    entry = place.project.source.slides()[0]
    began = time.monotonic()
    moments = []
    for number in range(BURST):
        time.sleep(max(0.0, began + number * BURST_SECONDS / BURST - time.monotonic()))
        expert.visit(entry)
        moments.append(time.monotonic())
    return max(after - before for before, after in pairwise(moments))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    world: Path = tmp_path_factory.mktemp("end-to-end") / "world"
    places = make_world(world, slides=2, seed=5, settings={"watch.settle_seconds": SETTLE_SECONDS})
    by_tool = {place.tool: place for place in places}
    daemon = Daemon(places, world / "watch.log")
    daemon.start()
    try:
        daemon.wait_until_watching(PATIENCE_SECONDS)
        for habits in ROUNDS:
            with experts_at(places, habits) as experts:
                assert [expert.wait(PATIENCE_SECONDS) for expert in experts] == [0, 0]
            come_to_rest(places)
        worked = [counted(place) for place in places]
        before, began = counted(by_tool[Tool.IMAGESCOPE]), time.monotonic()
        gap = save_many_times(by_tool[Tool.IMAGESCOPE])
        seconds = time.monotonic() - began
        come_to_rest(places)
        after = counted(by_tool[Tool.IMAGESCOPE])
        status, _ = daemon.stop(PATIENCE_SECONDS)
    finally:
        daemon.kill()
    verdict = judged(places, Demands(replaced_within_seconds=2 * SETTLE_SECONDS, least_dice=0.6))
    yield Told(worked, before, after, gap, seconds, status, verdict, daemon.log.read_text("utf-8"))


def test_nothing_is_lost_doubled_or_left_over_and_the_model_gets_better(told: Told) -> None:
    assert told.verdict.is_good, f"{told.verdict}\n{told.log[-3000:]}"
    assert "Traceback" not in told.log


def test_jobs_are_as_many_as_real_changes(told: Told) -> None:
    for project in told.worked:
        assert project.reads == project.saves == SAVES


def test_boxes_are_worked_off(told: Told) -> None:
    for project in told.verdict.evidence:
        answered = [answer for slide in project.slides for answer in slide.person.answered.values()]
        assert answered.count("roi") >= 3 and project.answers == len(answered)


def test_hundred_saves_in_ten_seconds_make_one_training_with_the_last_labels(told: Told) -> None:
    before, after = told.before_burst, told.after_burst
    assert after.saves - before.saves == BURST
    pauses = int(told.longest_gap / SETTLE_SECONDS)  # a machine so busy that the file did come to rest in between
    assert 1 <= after.reads - before.reads <= 1 + pauses
    assert 1 <= after.trainings - before.trainings <= 1 + pauses
    slides = next(p for p in told.verdict.evidence if p.name == Tool.IMAGESCOPE.value).slides
    assert slides[0].to_learn and slides[0].to_learn <= slides[0].learned


def test_one_signal_stops_the_daemon(told: Told) -> None:
    assert told.exit_status == 0
