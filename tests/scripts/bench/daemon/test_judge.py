"""The judge must be able to find fault: evidence with one thing wrong each, and a whole world where it is found."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridge.store import JobKind, JobRecord, JobState
from scripts.bench.daemon.evidence import Evidence, SlideEvidence
from scripts.bench.daemon.judge import Demands, Fault, judge, summary
from scripts.bench.daemon.people import Person, Save

NOW = datetime(2030, 1, 2, tzinfo=UTC)
FIRST, SECOND, OWN = "1" * 64, "2" * 64, "f" * 64
A, B = "Blob\taaa", "Blob\tbbb"


def person() -> Person:
    return Person(
        wanted={A, B},
        saves=[Save(FIRST, 100.0), Save(SECOND, 110.0)],
        answered={"0 0 9 9": "roi", "9 9 18 18": "declined"},
        deleted={"1 1 2 2"},
    )


def slide() -> SlideEvidence:
    return SlideEvidence(
        name="case",
        person=person(),
        revision=OWN,
        there=Counter({A: 1, B: 1, "Blob\tpredicted": 1}),
        in_backups=frozenset(),
        repeated_ids=(),
        overlapping=0,
        reads=Counter({FIRST: 1, SECOND: 1}),
        known_revisions=frozenset({FIRST, SECOND, OWN}),
        own_revisions=frozenset({OWN}),
        declined=frozenset({"9 9 18 18"}),
        rejected=frozenset({"1 1 2 2"}),
        to_learn=frozenset({"k"}),
        learned=frozenset({"k", "older"}),
    )


def job(state: JobState) -> JobRecord:
    return JobRecord(1, JobKind.WRITE, "case", "x", state, 1, NOW, NOW, error="disk full")


def faults(changed: SlideEvidence, demands: Demands = Demands(), **of_project: object) -> set[Fault]:  # noqa: B008
    evidence = replace(Evidence("lab", (changed,), (), answers=2, trainings=1), **of_project)
    return {finding.fault for finding in judge([evidence], demands)}


def test_all_is_well() -> None:
    assert faults(slide()) == set()


def test_label_that_is_neither_in_the_file_nor_in_a_backup_is_lost() -> None:
    lacking = replace(slide(), there=Counter({B: 1}))
    assert faults(lacking) == {Fault.LOST}
    assert faults(replace(lacking, in_backups=frozenset({A}))) == set()


@pytest.mark.parametrize(
    "changed",
    [
        replace(slide(), there=Counter({A: 1, B: 1, "Blob\tpredicted": 2})),
        replace(slide(), there=Counter({A: 2, B: 1})),
        replace(slide(), repeated_ids=("L0R1",)),
        replace(slide(), overlapping=1),
    ],
)
def test_doubled_object_is_found(changed: SlideEvidence) -> None:
    assert faults(changed) == {Fault.DOUBLED}


@pytest.mark.parametrize("strange", [OWN, "e" * 64])
def test_job_too_many_is_an_event_loop(strange: str) -> None:
    assert faults(replace(slide(), reads=Counter({FIRST: 1, SECOND: 1, strange: 1}))) == {Fault.EVENT_LOOP}


def test_save_read_twice_is_found() -> None:
    assert faults(replace(slide(), reads=Counter({FIRST: 2, SECOND: 1}))) == {Fault.READ_TWICE}


@pytest.mark.parametrize(("unread", "read"), [(FIRST, SECOND), (SECOND, FIRST)])
def test_save_that_nobody_read_is_found(unread: str, read: str) -> None:
    assert faults(replace(slide(), reads=Counter({read: 1}), known_revisions=frozenset({read}))) == {Fault.UNANSWERED}


def test_save_that_was_replaced_before_it_settled_need_not_be_read_but_the_last_one_must() -> None:
    at_once = Person(saves=[Save(FIRST, 100.0), Save(SECOND, 100.5)])
    only_last = replace(slide(), person=at_once, reads=Counter({SECOND: 1}), known_revisions=frozenset())
    assert Fault.UNANSWERED not in faults(only_last)
    assert Fault.UNANSWERED in faults(replace(only_last, reads=Counter({FIRST: 1})))


def test_slide_that_nobody_saved_is_no_fault() -> None:
    untouched = replace(slide(), person=Person(), reads=Counter(), declined=frozenset(), rejected=frozenset())
    assert faults(untouched, answers=0) == set()


def test_save_that_a_write_met_and_read_counts_as_read() -> None:
    assert faults(replace(slide(), reads=Counter({FIRST: 1}))) == set()


@pytest.mark.parametrize("name", ["declined", "rejected"])
def test_deletion_that_nobody_made_is_found(name: str) -> None:
    assert faults(replace(slide(), **{name: frozenset({"7 7 8 8"})})) == {Fault.FALSE_DELETION}


def test_box_that_was_set_to_roi_may_not_count_as_declined() -> None:
    assert faults(replace(slide(), declined=frozenset({"0 0 9 9"}))) == {Fault.FALSE_DELETION}


def test_labels_that_no_training_saw_are_found_where_that_is_asked() -> None:
    unlearned = replace(slide(), learned=frozenset({"older"}))
    assert faults(unlearned) == {Fault.NOT_LEARNED}
    assert faults(unlearned, Demands(must_learn=False)) == set()


def test_answers_that_were_not_counted_are_found() -> None:
    assert faults(slide(), answers=1) == {Fault.UNANSWERED_BOX}
    assert faults(slide(), Demands(least_answered=0.5), answers=1) == set()


@pytest.mark.parametrize("state", [JobState.WAITING, JobState.RUNNING])
def test_job_left_over_is_found(state: JobState) -> None:
    assert faults(slide(), jobs=(job(state),)) == {Fault.UNFINISHED}
    assert faults(slide(), jobs=(job(JobState.DONE),)) == set()


@pytest.mark.parametrize("dice", [(), (0.8,), (0.8, 0.7), (0.1, 0.5)])
def test_dice_that_did_not_rise_far_enough_is_found_where_that_is_asked(dice: tuple[float, ...]) -> None:
    assert faults(slide(), Demands(least_dice=0.6), dice=dice) == {Fault.NO_PROGRESS}
    assert faults(slide(), dice=dice) == set()
    assert faults(slide(), Demands(least_dice=0.6), dice=(0.5, 0.9)) == set()


def test_what_others_told_is_passed_on() -> None:
    assert faults(slide(), problems=("doctor --store: a write without an end",)) == {Fault.PROBLEM}


def test_summary_names_the_figures() -> None:
    (line,) = summary([Evidence("lab", (slide(),), (job(JobState.DONE),), answers=2, trainings=3)])
    assert "2 saves; 2 READ jobs done; 2 objects of people's; 0 lost" in line and "3 trainings" in line
