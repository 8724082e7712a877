"""What ``status`` says, with a daemon and without one; this process plays the daemon."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bridge.store import JobKind, JobRecord, PrequentialRecord, Store
from bridge.store.holders import this_host
from bridge.store.lease import Lease
from lab_support import Lab, labelled
from scripts.daemon.heartbeat import FILE_NAME, Beat, Doing, Heartbeat
from scripts.daemon.schedule import NIGHTLY_MARK
from scripts.project import open_project, open_store

_NOW = datetime.now(UTC)


@pytest.fixture
def store(lab: Lab) -> Iterator[Store]:
    with open_store(open_project(lab.root), is_dry_run=False) as opened:
        yield opened


@pytest.fixture
def heart(lab: Lab) -> Heartbeat:
    return Heartbeat(lab.root / ".slidebridge", (str(lab.root),), "1.2.3", lambda: datetime.now(UTC))


def _lines(lab: Lab, *more: str) -> str:
    result = lab.run("status", *more)
    assert result.exit_code == 0, result.output
    return result.stdout


def _facts(lab: Lab, *more: str) -> dict[str, Any]:
    return dict(json.loads(_lines(lab, "--json", *more)))


def _failing(store: Store, kind: JobKind, slide: str | None, error: str | None, wait: timedelta) -> JobRecord:
    job = store.start_job(store.ask_job(kind, slide, "input", _NOW).id, _NOW)
    return store.retry_job(job.id, _NOW, error, _NOW + wait)


def test_without_a_daemon_it_says_so_and_reads_the_files(lab: Lab) -> None:
    lab.write(labelled())
    said = _lines(lab)
    assert "no daemon is watching; `slidebridge watch` starts one" in said
    assert "slides, read now:" in said and "2 ROIs" in said
    facts = _facts(lab)
    assert facts["daemon"]["watching"] is False and facts["slides_read"] == "now"


def test_daemon_at_work_is_told_with_how_far_it_is(lab: Lab, heart: Heartbeat) -> None:
    began = _NOW - timedelta(minutes=2)
    beat = Beat(
        (Doing(JobKind.TRAIN, began, None, "loss 0.123", 0.456), Doing(JobKind.WRITE, began, "case 2")),
        observing="polling",
    )
    heart.write(beat)
    said = _lines(lab)
    assert "a daemon is watching since" in said and "1.2.3" in said and "looking at the files" in said
    assert f"now: training, since {began.astimezone():%Y-%m-%d %H:%M:%S}, 46% done (loss 0.123)" in said
    assert "now: writing to the slide's annotation file slide='case 2'" in said
    facts = _facts(lab)["daemon"]
    assert facts["watching"] and facts["alive"] and facts["observing"] == "polling"
    assert [(d["kind"], d["progress"], d["slide"]) for d in facts["doing"]] == [
        ("train", 0.456, None),
        ("write", None, "case 2"),
    ]
    assert 0 <= facts["age_seconds"] < 60


def test_with_a_daemon_its_last_reads_suffice_and_read_forces(lab: Lab, heart: Heartbeat) -> None:
    lab.write(labelled())
    assert lab.run("sync", "pull").exit_code == 0
    heart.write(Beat())
    lab.xml.write_bytes(b"<Annotations>cut")
    said = _lines(lab)
    assert "slides, as the daemon read them last:" in said and "23 objects of people's, as of" in said
    assert _facts(lab)["slides"][0]["objects_of_people"] == 23
    again = _facts(lab, "--read")
    assert again["slides_read"] == "now" and "case" in again["problems"]


def test_what_waits_and_what_failed_is_told_with_why_and_when(lab: Lab, store: Store, heart: Heartbeat) -> None:
    heart.write(Beat())
    store.ask_job(JobKind.PREDICT, lab.slide.name, "p", _NOW)
    later = timedelta(minutes=10)
    _failing(store, JobKind.READ, lab.slide.name, "the file\nis cut", later)
    _failing(store, JobKind.TRAIN, None, "no GPU", later)
    store.start_job(store.ask_job(JobKind.TRAIN, None, "input", _NOW).id, _NOW + later)
    stopped = _failing(store, JobKind.WRITE, lab.slide.name, None, timedelta())
    said = _lines(lab)
    assert "waits: predicting the slide slide=case" in said
    again = f"{(_NOW + later).astimezone():%Y-%m-%d %H:%M:%S}"
    assert f"slide=case: the file is cut (1 attempt, tried again at {again})" in said
    assert "failed: training: no GPU (2 attempts, being tried again)" in said
    facts = _facts(lab)
    assert [j["error"] for j in facts["daemon"]["failed"]] == ["the file is cut", "no GPU"]
    assert [j["kind"] for j in facts["daemon"]["waiting"]] == ["predict", "write"]
    assert facts["daemon"]["waiting"][1]["id"] == stopped.id, "a job that was put off has not failed"
    assert facts["problems"] == {"case": "the file\nis cut"}


def test_job_that_a_killed_daemon_was_at_waits(lab: Lab, store: Store) -> None:
    store.start_job(store.ask_job(JobKind.TRAIN, None, "t", _NOW).id, _NOW)
    assert "waits: training" in _lines(lab)


def test_many_jobs_are_a_few_lines(lab: Lab, store: Store) -> None:
    for number in range(30):
        store.ask_job(JobKind.PREDICT, f"slide {number}.svs", "p", _NOW)
    said = _lines(lab)
    assert said.count("waits:") == 10 and "and 20 more" in said
    assert len(_facts(lab)["daemon"]["waiting"]) == 30


def _change(lab: Lab, change: Callable[[dict[str, Any]], None]) -> None:
    path = lab.root / ".slidebridge" / FILE_NAME
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def test_daemon_that_was_killed_is_told_from_one_that_was_stopped(lab: Lab, heart: Heartbeat) -> None:
    heart.write(Beat((Doing(JobKind.TRAIN, _NOW),)))
    _change(lab, lambda found: found["process"].update(started_at=1.0, started_after_boot=1.0))
    said = _lines(lab)
    assert "the last one ended without a word after" in said and "  now:" not in said
    assert _facts(lab)["daemon"]["doing"] == []
    heart.stop()
    assert "no daemon is watching since" in _lines(lab)


@pytest.mark.parametrize(("age", "is_watching"), [(timedelta(seconds=20), True), (timedelta(hours=5), False)])
def test_daemon_on_another_machine_is_told_with_its_age(
    lab: Lab, heart: Heartbeat, age: timedelta, is_watching: bool
) -> None:
    heart.write(Beat())

    def move(found: dict[str, Any]) -> None:
        found["process"]["host"] = "other-room"
        found["at"] = (datetime.now(UTC) - age).isoformat()

    _change(lab, move)
    said = _lines(lab)
    assert "other-room" in said and ("a daemon is watching" in said) is is_watching
    assert ("2" in said.split("heard ")[1].split(" ago")[0]) is is_watching
    assert _facts(lab)["daemon"]["alive"] is None


def test_another_command_at_work_is_named(lab: Lab) -> None:
    with Lease.take(lab.root / ".slidebridge", "nightly", host=this_host()):
        assert "slidebridge nightly (process" in _lines(lab)


def test_damaged_heartbeat_and_lease_do_not_hide_the_rest(lab: Lab) -> None:
    folder = lab.root / ".slidebridge"
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"\x00{")
    (folder / "lease.json").write_bytes(b"\x00{")
    assert "no daemon is watching" in _lines(lab) and "slides, read now:" in _lines(lab)


def test_nights_are_told(lab: Lab, store: Store, heart: Heartbeat) -> None:
    heart.write(Beat())
    store.mark(NIGHTLY_MARK, datetime(2026, 3, 1, 2, tzinfo=UTC))
    lab.set('\n[schedule]\nnightly = "02:00"\ntimezone = "UTC"\n')
    said = _lines(lab)
    assert "last nightly training: " in said and "next nightly training: " in said
    facts = _facts(lab)["daemon"]
    assert facts["last_nightly"] == "2026-03-01T02:00:00+00:00"
    assert facts["next_nightly"].endswith("T02:00:00+00:00")


def test_what_was_foreseen_is_one_line(lab: Lab, store: Store) -> None:
    for iteration, right in ((1, 50), (2, 90)):
        matrix = ((100, 0), (100 - right, right))
        store.record_prequential(
            PrequentialRecord("case", f"area {iteration}", iteration, _NOW, ("Background", "Blob"), matrix)
        )
    assert "0.67 by training 1 (1 area), 0.95 by training 2 (1 area)" in _lines(lab)
    assert [s["iteration"] for s in _facts(lab)["foreseen"]] == [1, 2]


def test_last_write_of_a_slide_is_told(lab: Lab) -> None:
    assert lab.run("sync").exit_code == 0
    assert " ago): 3 proposals" in _lines(lab)
    write = _facts(lab)["slides"][0]["last_write"]
    assert (write["predictions"], write["proposals"], write["iteration"]) == (0, 3, 0)
    assert abs(datetime.fromisoformat(write["at"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_hidden_names_are_in_no_line_and_the_table_tells_them(lab: Lab, store: Store, heart: Heartbeat) -> None:
    lab.slide.rename(lab.root / "Meyer, Anna.tif")
    lab.set("\n[privacy]\nhash_names = true\n")
    (lab.root / "Meyer, Anna.xml").write_bytes(b"<Annotations>cut")
    key = "Meyer, Anna.tif"
    _failing(store, JobKind.READ, key, f"{lab.root / 'Meyer, Anna.xml'}: cut", timedelta(minutes=1))
    for is_watched in (False, True):
        if is_watched:
            heart.write(Beat((Doing(JobKind.READ, _NOW, "Meyer, Anna", "Meyer, Anna"),)))
        for said in (_lines(lab), _lines(lab, "--json")):
            assert "Meyer" not in said and "Anna" not in said and "slide-" in said
    table = dict(line.split("  ") for line in _lines(lab, "--names").splitlines())
    assert list(table.values()) == ["Meyer, Anna"]
    assert next(iter(table)) in _lines(lab)
    assert _facts(lab, "--names") == table
    lab.write({})
    (lab.root / "Meyer, Anna.xml").write_bytes(lab.xml.read_bytes())
    assert lab.run("confirm", next(iter(table))).exit_code == 0


def test_plain_names_need_no_table(lab: Lab) -> None:
    assert _lines(lab, "--names").splitlines() == ["case"]
    assert not (lab.root / ".slidebridge").exists()


def test_busy_database_is_waited_for_and_nothing_is_written(lab: Lab, store: Store, heart: Heartbeat) -> None:
    heart.write(Beat())
    before = sorted(p.name for p in (lab.root / ".slidebridge").iterdir())
    with store.writing() as connection:
        connection.execute(text("delete from jobs"))
        timer = threading.Timer(0.3, connection.commit)
        timer.start()
        said = _lines(lab)
        timer.join()
    assert "a daemon is watching" in said
    assert sorted(p.name for p in (lab.root / ".slidebridge").iterdir()) == before


def test_project_whose_source_is_away_for_a_moment_is_told_from_the_store(
    lab: Lab, store: Store, heart: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bridge.errors import QuPathFormatError
    from bridge.imagescope import ImageScopeFolder

    store.record_read("case.tif", "r" * 64, _NOW, human_count=7, name="case")
    heart.write(Beat())

    def cut(self: ImageScopeFolder) -> None:
        raise QuPathFormatError("cut", path=Path("project.qpproj"))

    monkeypatch.setattr(ImageScopeFolder, "slides", cut)
    said = _lines(lab)
    assert "case: 7 objects of people's" in said and "note: project.qpproj: cut" in said
