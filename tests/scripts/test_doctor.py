"""``slidebridge doctor``: sound and unsound projects, and QuPath's own reading of them (with a stand-in for QuPath)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qupath_lab import STAND_IN, draw_picture, new_project

from bridge.errors import BridgeError
from bridge.qupath.project import QuPathProject
from bridge.store import Backups
from lab_support import RUNNER, Lab, labelled, xml_of
from scripts.cli import app
from scripts.set_up import Beginning, set_up


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Put the stand-in where QuPath would be."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    monkeypatch.setenv("PAQUO_QUPATH_DIR", "/QuPath")
    return monkeypatch


@pytest.fixture
def sound(lab: Lab) -> Lab:
    """A project with one labelled slide."""
    (lab.root / "case.xml").write_bytes(xml_of(labelled()))
    return lab


@pytest.fixture
def project(tmp_path: Path, shared_data: Path) -> QuPathProject:
    """A QuPath project of two images, the first with real objects."""
    made = new_project(tmp_path, "a.png", "b.png")
    real = shared_data / "qupath_projects" / "cells_070" / "data" / "1" / "data.qpdata"
    made.slides()[0].annotation_path.write_bytes(real.read_bytes())
    return made


def _doctor(*arguments: str) -> tuple[int, dict]:
    result = RUNNER.invoke(app, ["doctor", "--json", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout)


def _levels(report: dict) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in report["findings"]:
        found.setdefault(finding["check"], set()).add(finding["level"])
    return found


def test_a_sound_project_passes(sound: Lab, stand_in: object) -> None:
    code, report = _doctor("--project", str(sound.root))
    assert code == 0 and report["problems"] == 0
    levels = _levels(report)
    assert {"python", "qupath", "source", "slides", "mpp", "classes", "files", "saves", "write access"} <= levels.keys()
    assert all(levels[check] == {"ok"} for check in ("source", "slides", "mpp", "files", "qupath"))


@pytest.mark.parametrize(("text", "check"), [("<Annotations><Annotation>", "saves"), ("<html></html>", "files")])
def test_what_is_broken_is_found_and_left_alone(sound: Lab, stand_in: object, text: str, check: str) -> None:
    (sound.root / "case.xml").write_text(text)
    (sound.root / ".slidebridge-1.tmp").write_text("left over")
    code, report = _doctor("--project", str(sound.root))
    levels = _levels(report)
    assert code == 1
    assert levels[check] == {"problem"} and levels["stray files"] == {"warning"}
    assert (sound.root / ".slidebridge-1.tmp").read_text() == "left over"
    shown = RUNNER.invoke(app, ["doctor", "--project", str(sound.root)])
    assert shown.exit_code == 1 and shown.stdout.splitlines()[-1].startswith("1 problem, ")


def test_a_slide_that_is_gone_is_a_problem(sound: Lab, stand_in: object, tmp_path: Path, shared_data: Path) -> None:
    made = new_project(tmp_path / "q", "a.png", "b.png")
    set_up(Beginning("qupath", made.path))
    made.slides()[1].slide_path.unlink()
    code, report = _doctor("--project", str(made.root))
    (found,) = [f for f in report["findings"] if f["check"] == "slides"]
    assert code == 1 and "b.png" in found["text"] and "[slides] search" in found["text"]


def test_outside_of_a_project_the_machine_is_checked(tmp_path: Path, stand_in: object) -> None:
    code, report = _doctor("--project", str(tmp_path))
    assert code == 0 and _levels(report)["project"] == {"ok"}


def test_wrong_settings_are_a_finding(sound: Lab, stand_in: object) -> None:
    (sound.root / "slidebridge.toml").write_text("[nonsense]\na = 1\n")
    code, report = _doctor("--project", str(sound.root))
    assert code == 1 and _levels(report)["project"] == {"problem"}


def test_the_doctor_writes_nothing(sound: Lab, stand_in: object) -> None:
    before = {path: path.read_bytes() for path in sound.root.rglob("*") if path.is_file()}
    _doctor("--project", str(sound.root))
    assert {path: path.read_bytes() for path in sound.root.rglob("*") if path.is_file()} == before


# --verify


def test_verify_compares_object_by_object(project: QuPathProject, stand_in: object) -> None:
    code, report = _doctor("--verify", "--project", str(project.path))
    (image,) = report["images"]
    assert code == 0 and report["equal"]
    assert (image["image"], image["ours"], image["qupath"], image["differences"]) == ("1", 25, 25, [])


def test_verify_prints_what_differs(project: QuPathProject, stand_in: pytest.MonkeyPatch) -> None:
    stand_in.setenv("STAND_IN", "renames")
    code, report = _doctor("--verify", "--project", str(project.path), "--image", "a.png")
    differences = report["images"][0]["differences"]
    assert code == 1 and {d["field"] for d in differences} == {"name"} and len(differences) == 25
    shown = RUNNER.invoke(app, ["doctor", "--verify", "--project", str(project.path)]).stdout
    assert "name: we read 'parent', QuPath reads 'wrong'" in shown and "and 5 more" in shown


def test_verify_leaves_cut_files_out_and_reads_the_others(project: QuPathProject, stand_in: object) -> None:
    whole, cut = (entry.annotation_path for entry in project.slides())
    cut.write_bytes(whole.read_bytes()[:-7])
    code, report = _doctor("--verify", "--project", str(project.path))
    assert code == 1 and [image["equal"] for image in report["images"]] == [True, False]
    assert "EOF" in report["images"][1]["problem"]


def test_verify_tells_what_qupath_reads_of_a_file_that_we_refuse(project: QuPathProject, stand_in: object) -> None:
    path = project.slides()[0].annotation_path
    path.write_bytes(path.read_bytes().replace(b"Data file version 3", b"Data file version 4", 1))
    code, report = _doctor("--verify", "--project", str(project.path))
    assert code == 1
    assert "QuPath reads 25 objects; we refuse the file" in (said := report["images"][0]["problem"])
    assert "data version '4' is unknown" in said


def test_verify_without_qupath_is_one_line(project: QuPathProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAQUO_QUPATH_DIR", "/nowhere")
    result = RUNNER.invoke(app, ["doctor", "--verify", "--project", str(project.path)])
    assert isinstance(result.exception, BridgeError) and "set PAQUO_QUPATH_DIR" in str(result.exception)


@pytest.mark.parametrize(("image", "what"), [("7", "no image '7'"), ("b.png", "never saved")])
def test_an_image_that_cant_be_compared_is_named(project: QuPathProject, image: str, what: str) -> None:
    result = RUNNER.invoke(app, ["doctor", "--verify", "--project", str(project.path), "--image", image])
    assert isinstance(result.exception, BridgeError) and what in str(result.exception)


def test_verify_needs_a_qupath_project(sound: Lab) -> None:
    result = RUNNER.invoke(app, ["doctor", "--verify", "--project", str(sound.root)])
    assert isinstance(result.exception, BridgeError) and "no QuPath project" in str(result.exception)


# --resave


def test_resave_keeps_a_backup(project: QuPathProject, stand_in: pytest.MonkeyPatch, shared_data: Path) -> None:
    path = project.slides()[0].annotation_path
    known = path.read_bytes()
    path.write_bytes(before := known.replace(b"Data file version 3", b"Data file version 4", 1))
    result = RUNNER.invoke(app, ["doctor", "--resave", "--image", "1", "--project", str(project.path), "--json"])
    assert result.exit_code == 0, result.exception
    (line,) = json.loads(result.stdout)["resaved"]
    (kept,) = [p for p in (project.root / ".slidebridge" / "backups").rglob("*") if p.is_file()]
    assert kept.name in line and path.read_bytes() == known
    assert Backups(project.root / ".slidebridge" / "backups").load(kept.name) == before
    assert json.loads(path.with_name("summary.json").read_text())["hierarchy"]["nObjects"] == 26


def test_a_resave_that_fails_leaves_the_file(project: QuPathProject, stand_in: pytest.MonkeyPatch) -> None:
    stand_in.setenv("STAND_IN", "opens an empty image")
    path = project.slides()[0].annotation_path
    before = path.read_bytes()
    result = RUNNER.invoke(app, ["doctor", "--resave", "--image", "1", "--project", str(project.path)])
    assert isinstance(result.exception, BridgeError) and path.read_bytes() == before


@pytest.mark.parametrize("options", [["--resave"], ["--image", "1"], ["--verify", "--resave", "--image", "1"]])
def test_options_that_make_no_sense_together_are_refused(options: list[str], tmp_path: Path) -> None:
    assert RUNNER.invoke(app, ["doctor", *options, "--project", str(tmp_path)]).exit_code == 2


# new --backend paquo


def test_a_project_can_be_made_by_qupath(tmp_path: Path, stand_in: object) -> None:
    slide = draw_picture(tmp_path / "a b.png")
    arguments = ["new", "--qupath-create", str(tmp_path / "made"), str(slide), "--backend", "paquo", "--json"]
    result = RUNNER.invoke(app, arguments)
    assert result.exit_code == 0, result.exception
    assert json.loads(result.stdout)["slides"] == 1
    (entry,) = QuPathProject(tmp_path / "made" / "project.qpproj").slides()
    assert entry.slide_path == slide
