"""What the report says of a project: the same numbers as the other commands, whatever state the project is in."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab_support import Lab
from scripts.report.as_json import to_json
from scripts.report.facts import Mood
from scripts.report.gather import ReportRequest, gather, plain_text, worth_seeing
from scripts.report.page import render
from scripts.web.layers import Layer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def files_of(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix not in (".db-wal", ".db-shm")
    }


def test_numbers_are_those_of_status_validate_and_effort(told) -> None:
    said = to_json(told.facts)
    status = json.loads(told.lab.run("status", "--json").stdout)
    assert said["prediction"] == status["prediction"]
    assert [(run["iteration"], run["score"], run["cost"]) for run in said["iterations"]] == [
        (run["iteration"], run["metrics"]["score"], run["cost"]) for run in reversed(status["iterations"])
    ]
    by_name = {slide["name"]: slide for slide in status["slides"]}
    for slide in said["slides"]:
        there = by_name[slide["slide"]]
        assert slide["objects_of_people"] == there["objects_of_people"]
        assert slide["labelled_mm2"] == pytest.approx(there["labelled_um2"] / 1e6, abs=1e-6)
        assert slide["predictions"] == there["last_write"]["predictions"]
        assert slide["seconds"] == there["prediction"]["seconds"]
    judged = json.loads(told.lab.run("validate", "--json").stdout)
    assert judged["judged_now"] == 0
    for curve in said["learning"]:
        points = {point["iteration"]: point for point in curve["held_out"]}
        for iteration in judged["iterations"]:
            of_class = iteration["classes"][curve["class"]]
            assert points[iteration["iteration"]]["f1"] == of_class["f1"]
            assert points[iteration["iteration"]]["mean"] == of_class["per_slide"]["f1"]["mean"]
            assert points[iteration["iteration"]]["sd"] == of_class["per_slide"]["f1"]["sd"]
    assert [run["design"] for run in said["iterations"]] == ["deepzoom"]
    assert said["confusion"]["counts"] == judged["iterations"][-1]["confusion"]["counts"]
    assert said["unjudged"] == []
    effort = json.loads(told.lab.run("effort", "--json").stdout)
    assert all(said["effort"][name] == effort[name] for name in said["effort"])


def test_slides_have_pictures_with_their_outlines(told) -> None:
    for row in told.facts.slides:
        assert row.picture is not None and row.problem is None and row.picture_problem is None
        assert row.picture.jpeg.startswith(b"\xff\xd8") and b"Exif" not in row.picture.jpeg
        assert row.picture.counts is not None and row.picture.counts[Layer.EXPERT] > 0
        drawn = sum(shape.count for shape in row.picture.shapes)
        assert drawn + row.picture.undrawn == sum(row.picture.counts.values())


def test_area_is_recorded_and_ends_with_what_is_labelled_now(told) -> None:
    last = told.facts.area[-1]
    assert last.mm2 == pytest.approx(sum(row.labelled_mm2 or 0.0 for row in told.facts.slides))
    assert last.mm2 == pytest.approx(3 * 2 * (160 * 12) ** 2 / 1e6)  # two boxes on each of three slides
    assert len(told.facts.area) >= 2, "no reading recorded its area"


def test_worst_comes_first_with_its_place_on_the_slide(told) -> None:
    found = told.facts.disagreements
    assert [one.score for one in found] == sorted(one.score for one in found)
    (area,) = [one for one in found if one.at is not None]
    assert area.score == pytest.approx(2 * 20 / (50 + 30 + 2 * 20))
    assert area.centre_um == pytest.approx((100 * 12, 100 * 12))
    assert any("held-out" in one.kind for one in found)


def test_news_tell_of_training_saves_predictions_and_writes(told) -> None:
    topics = [one.topic for one in told.facts.news]
    assert {"Training", "Saves", "Predictions", "Written", "Compared"} <= set(topics)
    late = gather(told.lab.root, ReportRequest(told.now + timedelta(days=3), pictures=0))
    assert late.news == ()


def test_project_stays_as_it_is(told) -> None:
    before = files_of(told.lab.root)
    render(gather(told.lab.root, ReportRequest(told.now)))
    assert files_of(told.lab.root) == before


def everything_of(root: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(root.rglob("*"))}


def make_older(root: Path) -> None:
    """Make of a project's store one that the version before this one wrote."""
    (path,) = root.rglob("store.sqlite")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE seen")
        connection.execute("UPDATE alembic_version SET version_num = '0005'")


@pytest.mark.parametrize("command", ["report", "status", "effort"])
def test_reading_leaves_an_older_store_as_it_is_and_tells_what_is_in_it(told, tmp_path: Path, command: str) -> None:
    lab = Lab(Path(shutil.copytree(told.lab.root, tmp_path / "copy")))
    make_older(lab.root)
    before = everything_of(lab.root)
    out = ["--out", str(tmp_path / "report.html")] if command == "report" else []
    found = lab.run(command, "--json", *out)
    assert found.exit_code == 0, found.output
    assert len(json.loads(found.stdout)["iterations"]) >= 1
    assert everything_of(lab.root) == before


@pytest.mark.parametrize("command", ["report", "status", "effort"])
def test_reading_makes_no_key_for_names_and_no_folder(bare: Lab, tmp_path: Path, command: str) -> None:
    bare.set("\n[privacy]\nhash_names = true\n")
    before = everything_of(bare.root)
    out = ["--out", str(tmp_path.with_suffix(".html"))] if command == "report" else []
    found = bare.run(command, *out)
    assert found.exit_code == 0, found.output
    assert everything_of(bare.root) == before
    assert "case" not in found.stdout


def test_fewer_pictures_are_those_most_worth_seeing(told) -> None:
    one = gather(told.lab.root, ReportRequest(told.now, pictures=1))
    (pictured,) = [row.anchor for row in one.slides if row.picture is not None]
    assert pictured == told.facts.disagreements[0].anchor == worth_seeing(one.slides, one.news)[0]


def test_judgement_on_other_labels_does_not_count(told, tmp_path: Path) -> None:
    lab = Lab(Path(shutil.copytree(told.lab.root, tmp_path / "copy")))
    name = next(row.name for row in told.facts.slides if row.part == "judges")
    path = lab.root / f"{name.removesuffix('.tif')}.xml"
    path.write_text(path.read_text("utf-8").replace('X="20"', 'X="40"'), "utf-8")  # its first box is smaller now
    found = gather(lab.root, ReportRequest(told.now, pictures=0))
    assert found.learning.unjudged == (1,)
    assert "slidebridge validate" in (found.learning.gap or "")
    assert all(not curve.held_out for curve in found.learning.curves)
    assert found.mistakes is not None and "before people labelled them" in found.mistakes.origin


def test_new_project_says_what_is_missing(bare: Lab) -> None:
    found = gather(bare.root, ReportRequest(NOW))
    assert found.missing is not None and "nothing is labelled yet" in found.missing
    assert found.runs == () and found.news == () and found.disagreements == () and found.mistakes is None
    assert found.slides[0].picture is not None
    assert "There is no model yet" in (found.learning.gap or "")
    assert "Nothing was trained yet" in render(found)


def test_project_without_slides_gives_a_report(bare: Lab) -> None:
    bare.slide.unlink()
    assert "The project has no slides yet" in render(gather(bare.root, ReportRequest(NOW)))


def test_slide_that_cannot_be_opened_is_a_row_with_the_reason(bare: Lab) -> None:
    bare.slide.write_bytes(b"II*\0 no slide")
    (bare.root / "other.tif").write_bytes(b"")
    found = gather(bare.root, ReportRequest(NOW))
    assert [row.picture for row in found.slides] == [None, None]
    for row in found.slides:
        assert row.problem and str(bare.root) not in row.problem
    assert found.news[0].mood is Mood.BAD and "2 slides can't be read" in found.news[0].text
    assert render(found).count("can’t be read: ") == 2


def test_file_that_cannot_be_read_leaves_the_picture_and_says_why(bare: Lab) -> None:
    bare.xml.write_bytes(b"<Annotations><Annotation")
    (row,) = gather(bare.root, ReportRequest(NOW)).slides
    assert row.picture is not None and row.picture.shapes == ()
    assert row.picture.note and "case.xml" in row.picture.note and str(bare.root) not in row.picture.note


def test_hidden_names_are_hidden_everywhere(told, tmp_path: Path) -> None:
    lab = Lab(Path(shutil.copytree(told.lab.root, tmp_path / "copy")))
    for path in lab.root.glob("s2.*"):
        path.rename(path.with_name(f"Mustermann_Erika{path.suffix}"))
    (lab.root / "Mustermann_Erika.xml").write_bytes(b"<broken")
    lab.set("\n[privacy]\nhash_names = true\n")
    found = gather(lab.root, ReportRequest(told.now))
    for text in (render(found), json.dumps(to_json(found), default=str)):
        assert "Mustermann" not in text and "Erika" not in text
    assert all(row.name.startswith("slide-") for row in found.slides)


def test_messages_lose_the_folders_of_this_machine(told) -> None:
    from scripts.naming.slide_names import SlideNames

    plain = plain_text(SlideNames(()), Path("/home/ann/lab"), Path("/home/ann"))
    assert plain("/home/ann/lab/a.svs is not at /home/ann/slides") == "./a.svs is not at ~/slides"
    text = render(told.facts) + json.dumps(to_json(told.facts), default=str)
    assert str(told.lab.root) not in text


def test_neither_gathering_nor_rendering_brings_torch() -> None:
    heavy = "{'torch', 'monai', 'onnxruntime'}"
    code = (
        "import sys, scripts.commands.report, scripts.report.gather, scripts.report.page, scripts.report.as_json;"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
