"""The daemon's lines: each holds its facts, reads as one line, and lets a name be hidden."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.annotations import SlideEntry
from bridge.annotations.writing import WriteSummary
from bridge.store import JobKind, JobRecord, JobState
from lab_support import Lab, labelled
from scripts.daemon import happenings
from scripts.daemon import wording as said
from scripts.loop.learn import Learned
from scripts.loop.pull import read_entry
from scripts.loop.push import SlidePushed
from scripts.naming.slide_names import SlideNames
from scripts.project import open_project, open_store

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_ENTRY = SlideEntry("7", "B 1", Path("/scans/B 1.svs"), Path("/scans/B 1.xml"))
_PUSHED = SlidePushed("B 1", WriteSummary(120, 20, 3, 2, 1), (), 4, "no tissue is left", key="7")
_LEARNED = Learned(5, True, "the new model is used from now on; it scores 0.812", 0.8123, 0.79, 150)


def _job(kind: JobKind, attempts: int = 2) -> JobRecord:
    return JobRecord(1, kind, "7", "input", JobState.RUNNING, attempts, _NOW, _NOW)


def _holds(line: str, *facts: str) -> bool:
    return all(f" {fact} " in f"{line} " or f" {fact};" in line for fact in facts)


def test_write_tells_what_it_brought() -> None:
    line = said.written(_PUSHED, 5)
    assert _holds(line, "slide='B 1'", "predictions=120", "of_them_as_detections=20", "proposals=0", "training=5"), line
    assert "answers_made_plain=4" in line and "no tissue is left" in line
    first = said.written(SlidePushed("B 1", WriteSummary(0, 0, 0, 0, 0), (), 0), 0)
    assert "training" not in first and "predictions" not in first


def test_training_tells_what_is_in_use_now() -> None:
    judged = "the model before stays in use; the new one is worse"
    line = said.training_ended(Learned(5, False, judged, 0.8123, 0.79, 150), 34.567)
    assert line.startswith(f"training ended, {judged} ")
    assert _holds(line, "training=5", "score=0.812", "score_before=0.79", "steps=150", "seconds=34.6"), line


def test_training_without_a_score_or_a_number_says_so() -> None:
    assert "score=" not in said.training_ended(Learned(1, True, "the first"), 1.0)
    assert "score=none" in said.training_ended(Learned(1, True, "the first", math.nan), 1.0)
    assert said.training_ended(Learned(None, False, "nothing\nnew"), 1.0) == "training was not done: nothing new"


def test_beginning_tells_what_it_goes_on_from() -> None:
    assert _holds(said.training_begins(3, parent=4), "labelled_slides=3", "goes_on_from='training 4'")
    assert "goes_on_from='the start'" in said.training_begins(3, parent=None)
    assert "from everything" in said.training_begins(3, parent=None, is_nightly=True)


def test_failure_tells_why_and_when_it_is_tried_again() -> None:
    again = _NOW + timedelta(minutes=4)
    line = said.failed(_job(JobKind.WRITE), "disk\nfull", again, slide="B 1")
    assert f"tried again at {again.astimezone():%H:%M:%S}" in line and ": disk full" in line
    assert _holds(line, "slide='B 1'", "attempts=2")


def test_save_tells_what_it_holds_and_what_became_of_ours(lab: Lab) -> None:
    lab.write(labelled())
    project = open_project(lab.root)
    (entry,) = project.source.slides()
    with open_store(project, is_dry_run=True) as store:
        line = said.read(entry, read_entry(project, store, entry))
        assert _holds(line, "slide=case", "annotations=21", "labelled_areas=2") and "predictions" not in line
        lab.write({})
        assert _holds(said.read(entry, read_entry(project, store, entry)), "slide=case", "objects=0")


_LINES: dict[str, Callable[[], str]] = {
    "watching": lambda: said.watching(Path("/study"), 12, "polling"),
    "waiting": lambda: said.waiting_for(_ENTRY, "the viewer to save again"),
    "doubted": lambda: said.doubted(_ENTRY, "it lost\nmuch"),
    "begins": lambda: said.training_begins(3, parent=None),
    "ended": lambda: said.training_ended(_LEARNED, 3.0),
    "predicted": lambda: said.predicted(_ENTRY, 120, 5, 2.345),
    "written": lambda: said.written(_PUSHED, 5),
    "failed": lambda: said.failed(_job(JobKind.READ), "cut", _NOW, slide=_ENTRY.name),
    "taken up": lambda: said.taken_up(3),
    "stopping": lambda: said.stopping(["train"]),
    "stopped": said.stopped,
}


@pytest.mark.parametrize("name", _LINES)
def test_every_line_is_one_line_and_hides_even_a_short_name(name: str) -> None:
    line = _LINES[name]()
    assert line and "\n" not in line and "None" not in line and "JobKind" not in line
    hidden = SlideNames([_ENTRY], b"k" * 32).hide(line)
    assert "B 1" not in hidden and ("slide-" in hidden) is ("slide=" in line)


def test_facts_for_people_s_commands_say_the_same() -> None:
    told = happenings.slide_written("B 1", _PUSHED, iteration=5, marker="m")
    assert told == {
        "slide": "B 1",
        "predictions": 120,
        "proposals": 0,
        "made_plain": 4,
        "iteration": 5,
        "marker": "m",
    }
    trained = happenings.training_ended(_LEARNED, 3.21)
    assert trained["iteration"] == 5 and trained["promoted"] is True and trained["seconds"] == 3.2
    assert (trained["score"], trained["champion_score"], trained["steps"]) == (0.8123, 0.79, 150)
    failed = happenings.failure(_job(JobKind.TRAIN), ValueError("no\nGPU"), _NOW, slide=None)
    assert failed == {"what": "train", "slide": None, "error": "no GPU", "attempts": 2, "next_try": _NOW}
