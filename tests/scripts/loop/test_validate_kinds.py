"""Validation of designs that decide per patch or on a coarser grid, and of slides in groups."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from learn_support import classroom

from bridge.annotations import Annotation
from bridge.qupath import create_project
from bridge.qupath.plain import append_annotations
from bridge.slides import open_slide
from lab_support import SETTINGS, Lab, blobs, draw_slide, labelled
from models.checkpoints import load_checkpoint
from models.data import TrainingSlide
from models.metrics import Confusion, ObjectCounts, SlideDetections, SlideJudgement
from models.training import evaluate
from scripts.loop.training_run import predictor_of
from scripts.loop.validate import validate
from scripts.loop.validate_results import IterationResult, Judged, SlideResult, Validation, ValidationRequest
from scripts.loop.validate_text import as_json, lines, summaries
from scripts.naming.project_names import project_names
from scripts.project import open_project
from scripts.set_up import new_image

_DESIGNS = {
    "patchwise": "patch_px = 32\npatch_stride_px = 16",
    "hybrid": "patch_px = 32\npatch_stride_px = 16\nrefine_mpp = 2.0\nrefine_px = 64",
    "weak": "",
}
NAMES = ("Background", "Gland", "Vessel")


@pytest.mark.parametrize("design", list(_DESIGNS))
def test_every_design_is_judged_on_its_own_grid_as_for_promotion(lab: Lab, design: str) -> None:
    text = SETTINGS.replace("one_network = true", f"design = '{design}'\n{_DESIGNS[design]}")
    text = text if design == "weak" else text.replace("tile_px = 64\n", "")
    (lab.root / "slidebridge.toml").write_text(text.replace("max_steps = 6", "max_steps = 2"), "utf-8")
    rois = [shapely.box(x, y, x + 150, y + 150) for x in (20, 200) for y in (20, 200)]
    outlines = [shapely.Point(x, y).buffer(2 * r) for x, y, r in blobs(count=12)]
    lab.write({"Blob": [(o, "") for o in outlines], "ROI": [(roi, "") for roi in rois]})
    with classroom(lab) as room:
        assert room.learn().iteration == 1
        (state,) = room.pull().slides
        checkpoint = load_checkpoint(room.project.checkpoints / (room.champion or ""))
        predictor = predictor_of(room.project.settings, checkpoint)
        with open_slide(lab.slide, mpp=state.reading.mpp) as slide:
            expected = evaluate(predictor, [TrainingSlide(slide, state.plan)], room.project.scheme)
    (summary,) = summaries(validate(lab.root, ValidationRequest()))
    assert summary.confusion.pixels > 0
    assert (summary.confusion.counts == expected.confusion.counts).all()


@pytest.mark.parametrize("is_hidden", [False, True], ids=["names", "hashes"])
def test_groups_are_the_metadata_of_a_qupath_project(lab: Lab, tmp_path: Path, is_hidden: bool) -> None:
    images = []
    for number in range(1, 7):
        slide = lab.root / f"Smith {number}.tif"
        draw_slide(slide, number)
        grade = {"grade": "high" if number % 2 else "low"} if number > 2 else {}
        images.append(replace(new_image(slide), metadata=grade))
    project = create_project(lab.root / "study", images, {}, now=datetime(2030, 1, 2, tzinfo=UTC))
    for number, entry in enumerate(project.slides(), 1):
        shapes = [(name, shape) for name, drawn in labelled(number).items() for shape, _ in drawn]
        drawn = [Annotation(str(uuid.UUID(int=i)), s, n, color=(9, 9, 9)) for i, (n, s) in enumerate(shapes)]
        entry.annotation_path.write_bytes(append_annotations(project.create(entry), drawn).data)
    text = SETTINGS.replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    hidden = "\n[privacy]\nhash_names = true\n" if is_hidden else ""
    (lab.root / "slidebridge.toml").write_text(f"{text}\n[holdout]\nfraction = 0.9\n{hidden}", "utf-8")
    with classroom(lab) as room:
        assert room.learn().iteration == 1
    out = tmp_path / "out"
    said = lab.run("validate", "--by", "grade", "--out", str(out), "--json")
    assert said.exit_code == 0, said.output
    (one,) = json.loads(said.stdout)["iterations"]
    names = project_names(open_project(lab.root), project.slides())
    grades = {names.of(entry.key): entry.metadata.get("grade", "") for entry in project.slides()}
    groups = {slide["slide"]: slide["group"] for slide in one["slides"]}
    assert set(groups.values()) == {"high", "low", ""}
    assert groups.items() <= grades.items()
    for group, spreads in one["classes"]["Blob"]["groups"].items():
        f1 = [slide["classes"]["Blob"]["f1"] for slide in one["slides"] if slide["group"] == group]
        known = [value for value in f1 if value is not None]
        assert spreads["f1"]["count"] == len(known)
        assert spreads["f1"]["mean"] == (pytest.approx(np.mean(known), abs=1e-6) if known else None)
    written = [said.stdout, lab.run("validate", "--by", "grade").stdout]
    written += [path.read_text("utf-8") for path in out.iterdir() if path.suffix != ".png"]
    assert any("Smith" in text for text in written) != is_hidden
    refused = lab.run("validate", "--by", "patient")
    assert "there is grade" in str(refused.exception)


def judgement(hits: int, misses: int, falls: int, rest: int, objects: ObjectCounts) -> SlideJudgement:
    counts = np.array([[rest, falls, 0], [misses, hits, 0], [0, 0, 0]], np.int64)
    kinds = dict.fromkeys(("Gland", "Vessel", "any class"), objects)
    detections = {name: SlideDetections(0) for name in kinds}
    return SlideJudgement(Confusion(counts, NAMES), kinds, detections, 0.95, dict.fromkeys(kinds, 9.0))


def made_up() -> Validation:
    slides = (
        SlideResult("a", "high", judgement(80, 20, 0, 900, ObjectCounts(4, 1, 0)), 1.0),
        SlideResult("b", "high", judgement(60, 40, 0, 900, ObjectCounts(3, 2, 0)), 1.0),
        SlideResult("c", "", judgement(50, 0, 50, 900, ObjectCounts(5, 0, 5)), 1.0),
    )
    result = IterationResult(Judged(3, "0123456789abcdef", True, True), slides)
    return Validation(NAMES, "grade", (result,), (), (), (), 3, False)


def test_groups_have_means_of_their_own() -> None:
    (summary,) = summaries(made_up())
    gland = summary.classes[0]
    f1 = [160 / 180, 120 / 160, 100 / 150]
    assert gland.groups["high"]["f1"].mean == pytest.approx(np.mean(f1[:2]))
    assert gland.groups["high"]["f1"].sd == pytest.approx(np.std(f1[:2], ddof=1))
    assert gland.groups[""]["f1"].mean == pytest.approx(f1[2])
    assert gland.spreads["f1"].mean == pytest.approx(np.mean(f1))
    assert gland.pooled.objects == ObjectCounts(12, 3, 5)
    assert gland.spreads["object_f1"].mean == pytest.approx(np.mean([8 / 9, 6 / 8, 10 / 15]))


def test_groups_and_what_cant_be_had_are_said() -> None:
    text = list(lines(made_up()))
    assert any(line.startswith("grade high: Gland") for line in text)
    assert any(line.startswith("grade (none): Gland") for line in text)
    (vessel,) = [line for line in text if line.startswith("3") and "Vessel" in line]
    assert "–" in vessel, "a class that is nowhere has no F1"
    assert any("none of the labelled objects is as long as a lesion" in line for line in text)
    found = json.loads(json.dumps(as_json(made_up()), allow_nan=False))
    assert found["iterations"][0]["classes"]["Vessel"]["f1"] is None
    assert found["iterations"][0]["classes"]["Gland"]["groups"]["high"]["f1"]["count"] == 2


def test_a_candidate_that_lost_is_marked() -> None:
    one = made_up()
    lost = replace(one.iterations[0], model=replace(one.iterations[0].model, is_promoted=False))
    assert any(line.startswith("3 (not used)") for line in lines(replace(one, iterations=(lost,))))
