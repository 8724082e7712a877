"""What happened, told from records made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.annotations import SlideEntry
from bridge.annotations.roles import Fate
from bridge.store import (
    CostRecord,
    JobKind,
    JobRecord,
    JobState,
    PrequentialRecord,
    RunRecord,
    RunState,
    SaveRecord,
)
from bridge.store.split_records import Split
from bridge.store.write_overview import LastWrite
from scripts.loop.status_daemon import DaemonStatus
from scripts.naming.slide_names import SlideNames
from scripts.report.anchors import anchor_of
from scripts.report.disagreeing import disagreements, worst_areas
from scripts.report.facts import Mood
from scripts.report.happened import mood_of, news_of
from scripts.report.kept import models_of
from scripts.report.records import Records

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)
EVENING, MORNING = NOW - timedelta(hours=12), NOW - timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=9)
NAMES = SlideNames(SlideEntry(key, f"case {key}", Path(f"{key}.svs"), Path(f"{key}.xml")) for key in "abc")
USED = "the new model is used from now on; it scores 0.9"
RUN = RunRecord(3, "nightly", "c2", "d", EVENING, RunState.FINISHED, MORNING, "c3", True, USED)
COST = CostRecord("a", "c3", MORNING, 10.0, 4.0, 8.0, 0.5, 0.25, 1.0, 200, 20e6, "onnxruntime on cpu")
NOTHING = Records((), (), None, {}, {}, {}, {}, (), Split({}, {}, {}), {})
IDLE = DaemonStatus(NOW, NAMES, None, False, None, (), None, None)


def told(records: Records, daemon: DaemonStatus = IDLE, problems: dict[str, str] | None = None) -> dict[str, str]:
    return {one.topic: one.text for one in news_of(records, daemon, problems or {}, NAMES, EVENING, lambda text: text)}


def test_quiet_night_has_no_news() -> None:
    old = replace(
        NOTHING,
        runs=(replace(RUN, started_at=LONG_AGO, ended_at=LONG_AGO),),
        saves=(SaveRecord("a", "r", LONG_AGO, {}, {0: 3}),),
        costs={"a": replace(COST, predicted_at=LONG_AGO)},
        writes={"a": LastWrite("a", "m", LONG_AGO, 1, 5, 2)},
    )
    assert told(old) == {}


def test_night_is_told_in_numbers() -> None:
    fates = {(2, Fate.ACCEPTED): 2, (2, Fate.CORRECTED): 1, (1, Fate.ACCEPTED): 1, (2, Fate.OVERWRITTEN): 9}
    busy = replace(
        NOTHING,
        runs=(RUN, replace(RUN, iteration=4, state=RunState.RUNNING, ended_at=None, checkpoint_id=None)),
        saves=(
            SaveRecord("a", "r", MORNING, fates, {2: 3, 1: 1}),
            SaveRecord("a", "s", MORNING),
            SaveRecord("b", "r", NOW),
        ),
        costs={"a": COST, "b": replace(COST, slide_key="b"), "c": replace(COST, slide_key="c", checkpoint_id="t")},
        writes={"a": LastWrite("a", "m", MORNING, 3, 1, 2), "b": LastWrite("b", "n", MORNING, 3, 0, 1)},
    )
    found = news_of(busy, IDLE, {}, NAMES, EVENING, lambda text: text)
    assert [(one.topic, one.text) for one in found] == [
        ("Training", f"training 3, on all labels: {USED}"),
        ("Training", "training 4, on all labels: not ended yet"),
        ("Saves", "3 saves of 2 slides read: 4 drawn by hand, 3 predictions accepted, 1 corrected"),
        ("Predictions", "2 slides predicted by training 3"),
        ("Predictions", "1 slide predicted by the weights that were taken over"),
        ("Written", "2 annotation files written to: 1 prediction, 3 proposed boxes"),
    ]
    assert found[2].slides == ((anchor_of("a"), "case a"), (anchor_of("b"), "case b"))


def test_failures_come_first_and_say_why() -> None:
    job = JobRecord(1, JobKind.PREDICT, "b", "h", JobState.WAITING, 2, NOW, NOW, error="disk\nfull")
    daemon = replace(IDLE, jobs=(job, replace(job, kind=JobKind.NIGHTLY, slide_key=None, attempts=1)))
    found = news_of(replace(NOTHING, runs=(RUN,)), daemon, {"c": "gone"}, NAMES, EVENING, lambda text: text)
    assert [one.mood for one in found] == [Mood.BAD, Mood.BAD, Mood.BAD, Mood.GOOD]
    assert found[0].text == "predicting the slide: disk full (tried 2 times, and tried again)"
    assert found[1].text == "the nightly training: disk full (tried 1 time, and tried again)"
    assert found[2].slides == ((anchor_of("c"), "case c"),)


@pytest.mark.parametrize(
    ("run", "mood"),
    [
        (RUN, Mood.GOOD),
        (replace(RUN, promoted=False), Mood.PLAIN),
        (replace(RUN, state=RunState.FAILED, reason="the disk is full"), Mood.BAD),
        (replace(RUN, state=RunState.FAILED, reason="stopped: newer labels came"), Mood.PLAIN),
    ],
    ids=["used", "not used", "failed", "stopped"],
)
def test_mood_of_a_training(run: RunRecord, mood: Mood) -> None:
    assert mood_of(run) is mood


def area(iteration: int, key: str, right: int, wrong: int) -> PrequentialRecord:
    return PrequentialRecord("a", key, iteration, NOW, ("Background", "T"), ((50, wrong), (0, right)))


def test_only_the_newest_two_models_count_among_disagreements() -> None:
    records = [area(1, "k1", 1, 99), area(2, "k2", 50, 50), area(4, "k4", 90, 10), area(0, "k0", 0, 9)]
    found = disagreements((), records, (), NAMES, {("a", "k4"): (1.0, 2.0)})
    assert [(one.iteration, round(one.score, 4)) for one in found] == [(2, round(2 / 3, 4)), (4, round(18 / 19, 4))]
    assert [one.centre_um for one in found] == [None, (1.0, 2.0)]
    assert [record.area_key for record in worst_areas(records)] == ["k2", "k4"]


def test_area_without_any_object_disagrees_about_nothing() -> None:
    assert disagreements((), [area(1, "k", 0, 0)], (), NAMES, {}) == ()


def test_models_are_the_champions_and_the_weights_taken_over(tmp_path: Path) -> None:
    (tmp_path / "c3").mkdir()
    (tmp_path / "c3" / "card.json").write_text("{}")
    runs = [
        replace(RUN, iteration=1, parent="taken", checkpoint_id="c1"),
        replace(RUN, iteration=2, parent="c1", checkpoint_id="c2", promoted=False),
        RUN,
        replace(RUN, iteration=4, state=RunState.FAILED, checkpoint_id=None),
    ]
    found = models_of(runs, tmp_path)
    assert [(m.iteration, m.checkpoint_id, m.is_there) for m in found] == [
        (0, "taken", False),
        (1, "c1", False),
        (3, "c3", True),
    ]
