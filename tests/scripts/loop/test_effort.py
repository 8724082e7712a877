from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import shapely

from bridge.annotations import MachineRole, SlideEntry
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Fate, Outcome
from bridge.errors import ConfigError
from bridge.store import Backups, Store
from lab_support import Lab, labelled
from scripts.loop.effort import Effort, _finder, read_effort
from scripts.loop.effort_account import Account, IterationEffort, SlideEffort
from scripts.loop.effort_figures import time_table
from scripts.loop.effort_work import Work
from scripts.loop.pull import pull, saved_at
from scripts.naming.slide_names import SlideNames
from scripts.project import open_project

BEGUN = datetime(2026, 3, 2, 9, tzinfo=UTC)


def facts(lab: Lab, *arguments: str) -> dict[str, Any]:
    result = lab.run("effort", "--json", *arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    return dict(json.loads(result.stdout))


def save(store: Store, number: int, minutes: float, iteration: int, added: int) -> datetime:
    at = BEGUN + timedelta(minutes=minutes)
    store.record_added("case.tif", iteration, added, f"r{number}")
    store.record_read("case.tif", f"r{number}", at, human_count=1)
    return at


@pytest.fixture
def worked(lab: Lab) -> Lab:
    """A project in which somebody drew 20 objects in 20 minutes, and then, with predictions, 60 in 15."""
    with Store.open(lab.root / ".slidebridge") as store:
        for number in range(5):
            save(store, number, 1 + number * 5, 0, 5 if number else 0)
        items = [
            WrittenObject(f"p{i}", MachineRole.PREDICTION, "Blob: Predicted", shapely.box(0, 0, 9, 9), None, 1)
            for i in range(25)
        ]
        path = lab.xml
        revisions = {"base_revision": "r4", "new_revision": "ours"}
        store.begin_write(
            "case.tif", "m", **revisions, target=path, temp_name="t", iteration=1, written=items, closes=(), now=BEGUN
        )
        store.finish_write("m", BEGUN)
        for number in range(5, 8):
            at = save(store, number, 21 + (number - 4) * 5, 1, 15)
            fate = Fate.ACCEPTED if number < 7 else Fate.REJECTED
            gone = [Outcome(item, fate) for item in items[(number - 5) * 8 : (number - 4) * 8]]
            store.record_outcomes("case.tif", gone, f"r{number}", at)
    return lab


def test_project_that_nobody_worked_on_says_what_is_missing(lab: Lab) -> None:
    result = lab.run("effort")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "nothing is annotated yet: annotate, save, and let SlideBridge read it (`slidebridge watch`, or `sync`)"
    ]
    assert facts(lab)["model"] is None
    assert not (lab.root / ".slidebridge").exists(), "asking left a trace"


def test_times_and_outcomes_by_iteration(worked: Lab) -> None:
    found = facts(worked)
    first, second = found["iterations"]
    assert (first["iteration"], first["added"], first["regions"], first["seconds_per_region"]) == (0, 20, 20, 60)
    counts = (second["added"], second["accepted"], second["rejected"], second["regions"])
    assert counts == (45, 16, 8, 61)
    assert second["seconds_per_region"] == pytest.approx(900 / 61, abs=1e-4)
    assert second["normalized"] == pytest.approx(15 / 61, abs=1e-4)
    assert found["minutes_saved"]["counted"] == pytest.approx(61 - 15, abs=1e-3)
    model = found["model"]
    assert model["decays"] and model["regions"] == 81
    assert 0 < model["savings_percent"] < 100
    assert model["normalized_time"] == pytest.approx(81 * (1 - model["savings_percent"] / 100), rel=1e-4)


def test_people_read_a_table(worked: Lab) -> None:
    lines = worked.run("effort").stdout.splitlines()
    assert lines[1].split()[:3] == ["training", "accepted", "corrected"]
    assert lines[2].split()[0] == "0" and lines[2].split()[-2:] == ["60.0", "1.000"]
    assert lines[4].split()[0] == "all" and "81" in lines[4].split()
    assert "% of the time saved" in lines[5] and lines[6].startswith("counted, without a model: 46 minutes fewer")


def test_stopwatch_wins(worked: Lab) -> None:
    times = worked.root / "times.csv"
    times.write_text("slide;iteration;regions;seconds\ncase;0;20;400,0\n", "utf-8")
    first, second = facts(worked, "--times", str(times))["iterations"]
    assert (first["seconds_per_region"], first["measured"]) == (20, True)
    assert not second["measured"]
    assert "20.0*" in worked.run("effort", "--times", str(times)).stdout


def test_unknown_slide_is_one_line(worked: Lab) -> None:
    times = worked.root / "times.csv"
    times.write_text("slide;iteration;regions;seconds\ncase;0;20;400\ncasse;1;1;1\n", "utf-8")
    result = worked.run("effort", "--times", str(times))
    assert result.exit_code == 1
    assert str(result.exception).endswith("times.csv: line 3: no slide 'casse' in the project; there are case")


def test_written_times_give_the_same_effort_again(worked: Lab, tmp_path: Path) -> None:
    before = facts(worked, "--out", str(tmp_path / "out"))
    after = facts(worked, "--times", str(tmp_path / "out" / "effort_times.csv"))
    assert after["model"] == pytest.approx(before["model"])
    assert [i["seconds_per_region"] for i in after["iterations"]] == [
        i["seconds_per_region"] for i in before["iterations"]
    ]


def test_tables_and_figures_are_written(worked: Lab, tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    written = facts(worked, "--out", str(out))["written"]
    names = ["effort.csv", "effort_times.csv", "time_per_region.svg", "time_per_region.png"]
    names += ["time_savings.svg", "time_savings.png"]
    assert written == [str(out / name) for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    with (out / "effort.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["iteration"], row["added"], float(row["seconds_per_region"])) for row in rows] == [
        ("0", "20", 60.0),
        ("1", "45", pytest.approx(900 / 61)),
    ]
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    facts(worked, "--out", str(out))
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first


def test_nothing_known_writes_tables_only(lab: Lab, tmp_path: Path) -> None:
    assert [Path(p).name for p in facts(lab, "--out", str(tmp_path / "out"))["written"]] == [
        "effort.csv",
        "effort_times.csv",
    ]


def test_hidden_names_stay_hidden_and_are_understood(worked: Lab, tmp_path: Path) -> None:
    worked.set("\n[privacy]\nhash_names = true\n")
    text = json.dumps(facts(worked, "--out", str(tmp_path / "out"))["iterations"])
    times = tmp_path / "out" / "effort_times.csv"
    assert "case" not in text and "case" not in times.read_text("utf-8")
    assert facts(worked, "--times", str(times))["iterations"][0]["measured"]


def measured_on(lab: Lab, called: str, tmp_path: Path) -> list[str]:
    """Return the slides of iteration 0 to which a line of a CSV is counted."""
    times = tmp_path / "times.csv"
    times.write_text(f"slide;iteration;regions;seconds\n{called};0;20;400\n", "utf-8")
    project = open_project(lab.root)
    read = read_effort(project.root, times).account.iterations[0]
    return [slide.slide_key or "" for slide in read.slides if slide.is_measured]


def test_slide_is_found_by_its_name_before_another_s_key(lab: Lab, tmp_path: Path) -> None:
    # QuPath's keys are 1, 2, 3 …, and so are the names that people give.
    for name in ("case.tif.tif", "x.tif"):
        shutil.copy(lab.slide, lab.root / name)
    assert measured_on(lab, "case.tif", tmp_path) == ["case.tif.tif"]
    assert measured_on(lab, "x.tif", tmp_path) == ["x.tif"]


def test_written_times_of_slides_of_one_name_give_the_same_effort_again(tmp_path: Path) -> None:
    names = SlideNames(SlideEntry(key, name, tmp_path / key, tmp_path) for key, name in (("k1", "a"), ("k2", "a")))
    slides = tuple(SlideEffort(key, 0, 0, 3, 3, 9.0, is_measured=False) for key in ("k1", "k2"))
    table = time_table(Effort(tmp_path, Account((IterationEffort(0, Work(added=6), slides),)), names))
    assert [row[0] for row in table.rows] == ["k1", "k2"]


def test_slides_of_one_name_stay_hidden_when_asked_which(tmp_path: Path) -> None:
    entries = [SlideEntry(f"Smith {n}.svs", "case", tmp_path / "s", tmp_path) for n in (1, 2)]
    for key in (None, b"k" * 32):
        names = SlideNames(entries, key)
        with pytest.raises(ConfigError, match="2 slides are called 'case'; say which") as caught:
            _finder(entries, names)("case")
        assert ("Smith" in str(caught.value)) == (key is None)
        ways = str(caught.value).partition("say which: ")[2].split(", ")
        assert [_finder(entries, names)(way) for way in ways] == ["Smith 1.svs", "Smith 2.svs"]


def test_slide_that_left_the_project_still_counts(worked: Lab, new_lab: Callable[[str], Lab]) -> None:
    (worked.root / "case.tif").rename(worked.root / "other.tif")
    assert facts(worked)["total"]["regions"] == 81


def test_time_of_a_save_is_the_file_s(lab: Lab) -> None:
    project = open_project(lab.root)
    backups = Backups(project.data_folder / "backups")
    drawn = labelled()
    with Store.open(project.data_folder) as store:
        for hour, count in ((0, 2), (1, 5), (2, 9)):
            lab.write({"Blob": drawn["Blob"][:count]})
            at = BEGUN + timedelta(hours=hour)
            os.utime(lab.xml, (at.timestamp(), at.timestamp()))
            pull(project, store, backups, at + timedelta(minutes=20))
        saves = store.saves()
    assert [(s.at, dict(s.added)) for s in saves] == [
        (BEGUN, {0: 2}),
        (BEGUN + timedelta(hours=1), {0: 3}),
        (BEGUN + timedelta(hours=2), {0: 4}),
    ]


@pytest.mark.parametrize("modified", [1e13, -1e13], ids=["after all calendars", "before them"])
def test_time_beyond_any_calendar_is_not_believed(modified: float) -> None:
    assert saved_at(modified) is None


def test_a_save_of_hundreds_tells_no_time(lab: Lab) -> None:
    """464 regions that came in at once, after some minutes, are 0.8 s each, and nobody's drawing."""
    with Store.open(lab.root / ".slidebridge") as store:
        save(store, 0, 0, 0, 0)
        save(store, 1, 6, 0, 464)
        for number in range(2, 5):
            save(store, number, 6 + number * 5, 1, 15)
    told = lab.run("effort").stdout
    assert "time without predictions isn't told" in told
    assert "0.8" not in told and "H-AI-L" not in told and "counted, without a model" not in told
