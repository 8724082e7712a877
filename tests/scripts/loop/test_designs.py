"""Every design through the whole loop: labels and patch labels in, a champion, predictions and proposals out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import pytest
import shapely
from learn_support import classroom

from bridge.annotations.labels import patch_key
from bridge.imagescope import read_imagescope
from lab_support import SETTINGS, SIDE, Lab
from models.checkpoints import Checkpoint, load_checkpoint
from scripts.loop.training_run import data_hash
from scripts.options import Design

_MODELS: Mapping[Design, str] = {
    Design.DEEPZOOM: "one_network = true\nlabel_head = 'mean'",
    Design.PATCHWISE: "patch_px = 32\npatch_stride_px = 16",
    Design.HYBRID: "patch_px = 32\npatch_stride_px = 16\nrefine_mpp = 2.0\nrefine_px = 64",
    Design.WEAK: "",
}
_WHOLE = shapely.box(0, 0, SIDE, SIDE)
ANY_DESIGN = pytest.mark.parametrize("design", list(Design))


def settings_for(design: Design, more: str = "") -> str:
    """Return the settings of a tiny project of a design, two classes, little training."""
    text = SETTINGS.replace("one_network = true", f"design = '{design.value}'\n{_MODELS[design]}\n{more}")
    text = text.replace('Blob = "#c80000"', 'Blob = "#c80000"\nStroma = "#0000c8"')
    return text if design in (Design.DEEPZOOM, Design.WEAK) else text.replace("tile_px = 64\n", "")


def halves() -> dict[str, list[tuple[shapely.Polygon, str]]]:
    """Return an expert's work: two boxes that are ROIs, the left half of each a Blob, large enough for patches."""
    rois = [shapely.box(20, 20, 180, 180), shapely.box(200, 200, 360, 360)]
    left = [shapely.box(r.bounds[0], r.bounds[1], r.bounds[0] + 80, r.bounds[3]) for r in rois]
    return {"Blob": [(half, "") for half in left], "ROI": [(roi, "") for roi in rois]}


def set_design(lab: Lab, design: Design, more: str = "") -> None:
    (lab.root / "slidebridge.toml").write_text(settings_for(design, more), "utf-8")


def answer(lab: Lab, *words: str) -> None:
    """Type words into the Text of the first proposals, as an expert does."""
    text = lab.xml.read_text("utf-8")
    for word in words:
        text, count = re.subn(r'Text="#\d+ [^"]*"', f'Text="{word}"', text, count=1)
        assert count == 1
    lab.xml.write_text(text, "utf-8", newline="")


def sync(lab: Lab, command: str = "sync") -> dict[str, object]:
    result = lab.run(command, "--json")
    assert result.exit_code == 0, result.output
    facts: dict[str, object] = json.loads(result.stdout)
    return facts


def newest(lab: Lab) -> Checkpoint:
    with classroom(lab) as room:
        run = room.store.runs()[-1]
        assert run.checkpoint_id is not None, run.reason
        return load_checkpoint(room.project.checkpoints / run.checkpoint_id)


def outlines(lab: Lab) -> Iterator[shapely.Polygon]:
    for annotation in read_imagescope(lab.xml.read_bytes()).annotations:
        if annotation.is_ours and (annotation.path_class or "") in ("Predicted: Blob", "Predicted: Stroma"):
            yield annotation.geometry


@ANY_DESIGN
def test_labels_and_patch_labels_train_end_to_end(lab: Lab, design: Design) -> None:
    set_design(lab, design)
    lab.write(halves())
    first = sync(lab)
    assert first["learned"]["promoted"], first["learned"]["reason"]  # type: ignore[index]
    assert newest(lab).card.design == design.value
    answer(lab, "Blob", "Stroma")
    second = sync(lab)
    assert second["learned"]["iteration"] == 2, second["learned"]["reason"]  # type: ignore[index]
    assert second["warnings"] == []
    (written,) = second["written"]  # type: ignore[misc]
    assert len(written["proposals"]) == 3 and all(" uncertain " in box for box in written["proposals"])
    assert all(outline.is_valid and _WHOLE.covers(outline) for outline in outlines(lab))
    with classroom(lab) as room:
        state = room.pull().slides[0]
        assert len(state.plan.patch_labels) == 2
        assert {patch_key(patch) for patch in state.plan.patch_labels} <= set(room.store.learned(state.key))
    assert newest(lab).card.lineage[state.key].patch_labels == 2


@pytest.mark.parametrize("design", [Design.DEEPZOOM, Design.PATCHWISE, Design.WEAK])
def test_patch_labels_alone_are_enough_for_a_design_that_learns_from_them(lab: Lab, design: Design) -> None:
    set_design(lab, design)
    sync(lab)
    answer(lab, "Blob", "Stroma")
    learned = sync(lab, "train")["learned"]
    assert learned["promoted"], learned["reason"]  # type: ignore[index]
    (lineage,) = newest(lab).card.lineage.values()
    assert (lineage.areas, lineage.patch_labels) == (0, 2)


@pytest.mark.parametrize(
    ("design", "way_out"), [(Design.DEEPZOOM, 'label_head = "mean"'), (Design.HYBRID, 'design = "patchwise" or "weak"')]
)
def test_patch_labels_that_are_not_enough_are_named_with_the_way_out(lab: Lab, design: Design, way_out: str) -> None:
    set_design(lab, design)
    _without_head(lab)
    sync(lab)
    answer(lab, "Blob", "Stroma")
    learned = sync(lab)["learned"]
    assert learned["iteration"] is None  # type: ignore[index]
    status = json.loads(lab.run("status", "--json").stdout)
    for said in (learned["reason"], status["missing"]):  # type: ignore[index]
        assert "patch labels" in said and way_out in said


def test_patch_labels_that_teach_nothing_set_nothing_off_and_count_once_they_do(lab: Lab) -> None:
    set_design(lab, Design.DEEPZOOM)
    _without_head(lab)
    lab.write(halves())
    sync(lab)
    answer(lab, "Stroma")
    again = sync(lab)
    assert again["learned"]["reason"] == "nothing new is labelled since the last training"  # type: ignore[index]
    (warning,) = again["warnings"]  # type: ignore[misc]
    assert warning.startswith("case: 1 patch label is not learned from by design deepzoom")
    set_design(lab, Design.DEEPZOOM)
    with_head = sync(lab)
    assert (with_head["learned"]["iteration"], with_head["warnings"]) == (2, [])  # type: ignore[index]
    (lineage,) = newest(lab).card.lineage.values()
    assert lineage.patch_labels == 1


def _without_head(lab: Lab) -> None:
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("label_head = 'mean'\n", ""), "utf-8")


def test_a_champion_of_another_design_predicts_on_until_a_better_one_is_trained(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    set_design(lab, Design.DEEPZOOM)
    lab.write(halves())
    sync(lab)
    before = newest(lab)
    set_design(lab, Design.PATCHWISE)
    (written,) = json.loads(lab.run("predict", "--json", "--force").stdout)["written"]
    assert written["written"]
    learned = sync(lab)["learned"]
    assert learned["iteration"] == 2 and learned["champion_score"] is not None  # type: ignore[index]
    assert (newest(lab).card.design, newest(lab).card.parent) == ("patchwise", None)
    (line,) = [r.getMessage() for r in caplog.records if "another design" in r.getMessage()]
    assert "begins with transfer weights" in line and f"model={before.id}" in line


def test_a_training_can_be_told_its_design_once(lab: Lab) -> None:
    lab.write(halves())
    refused = lab.run("train", "--design", "weak")
    assert 'one_network is of design "deepzoom"' in str(refused.exception)
    done = lab.run("train", "--design", "weak", "--two-networks")
    assert done.exit_code == 0, done.output
    assert "the next training follows slidebridge.toml again" in done.output
    assert newest(lab).card.design == "weak"


def test_weights_are_named_relative_to_the_settings_or_on_the_command_line(lab: Lab) -> None:
    set_design(lab, Design.WEAK, "weights = 'r18.pth'")
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace('encoder = "plain"', 'encoder = "resnet18"'), "utf-8")
    lab.write(halves())
    failed = json.loads(lab.run("train", "--json").stdout)["learned"]["reason"]
    assert f"there is no weights file at {lab.root / 'r18.pth'}" in failed
    named = json.loads(lab.run("train", "--json", "--weights", str(lab.root / "other.pth")).stdout)["learned"]["reason"]
    assert f"there is no weights file at {lab.root / 'other.pth'}" in named


def test_what_decides_a_training_decides_whether_one_is_due(lab: Lab) -> None:
    lab.write(halves())
    hashes = []
    for lines in ("", "hot_spot_threshold = 0.4", "label_head = 'mean'", "encoder = 'efficientnet_lite0'"):
        (lab.root / "slidebridge.toml").write_text(
            SETTINGS.replace('encoder = "plain"\n' if "encoder" in lines else "\n\n\n", "").replace(
                "[model]", f"[model]\n{lines}"
            ),
            "utf-8",
        )
        with classroom(lab) as room:
            hashes.append(data_hash(room.project, room.pull()))
    assert hashes[0] == hashes[1], "how a model is used doesn't change what is learned"
    assert len(set(hashes)) == 3
