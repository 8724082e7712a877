"""The whole arrow, on a synthetic slide and a small net: what is drawn comes back as predictions and proposals."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import shapely

from bridge.annotations import Annotation
from bridge.imagescope import read_imagescope
from bridge.qupath import create_project, read_geojson, read_qpdata, write_geojson
from bridge.qupath.plain import append_annotations
from lab_support import MPP, SIDE, Lab, labelled, xml_of

_PREDICTED = "Blob: Predicted"


def _synced(lab: Lab) -> dict[str, Any]:
    result = lab.run("sync", "--json")
    assert result.exit_code == 0, result.output + str(result.exception)
    return dict(json.loads(result.stdout))


def _objects(lab: Lab, path_class: str) -> list[Annotation]:
    return [a for a in read_imagescope(lab.xml.read_bytes()).annotations if a.path_class == path_class]


def _region_bytes(data: bytes) -> list[bytes]:
    return re.findall(rb"<Region .*?</Region>", data, re.DOTALL)


def test_first_sync_proposes_boxes_and_trains_nothing(lab: Lab) -> None:
    facts = _synced(lab)
    assert facts["learned"]["iteration"] is None
    assert len(_objects(lab, "Proposed")) == 3
    assert not _objects(lab, _PREDICTED)


def test_labels_come_back_as_predictions_and_proposals(lab: Lab) -> None:
    original = lab.write(labelled())
    facts = _synced(lab)
    assert facts["learned"]["iteration"] == 1 and facts["learned"]["promoted"]
    after = lab.xml.read_bytes()
    assert all(region in after for region in _region_bytes(original)), "a human region changed its bytes"
    assert len(_objects(lab, "Proposed")) == 3
    rois = shapely.union_all([box for box, _ in labelled()["ROI"]])
    assert all(p.geometry.intersection(rois).area < 1 for p in _objects(lab, "Proposed"))
    for prediction in _objects(lab, _PREDICTED):
        assert prediction.geometry.intersection(rois).area < 0.5 * prediction.geometry.area


def test_second_sync_without_a_save_changes_nothing(lab: Lab) -> None:
    lab.write(labelled())
    _synced(lab)
    before = lab.xml.read_bytes()
    facts = _synced(lab)
    assert facts["learned"]["reason"] == "nothing new is labelled since the last training"
    assert lab.xml.read_bytes() == before


def test_taking_our_layers_away_gives_the_original_file(lab: Lab) -> None:
    from imagescope_support import remove_ours

    original = lab.write(labelled())
    _synced(lab)
    assert remove_ours(lab.xml.read_bytes()) == original


def test_dry_run_writes_nothing(lab: Lab) -> None:
    original = lab.write(labelled())
    for command in ("sync", "train", "predict", "propose"):
        assert lab.run(command, "--dry-run").exit_code == 0
    assert lab.xml.read_bytes() == original
    assert not (lab.root / ".slidebridge" / "checkpoints").exists()


def _resave(lab: Lab, change: Callable[[str], str]) -> None:
    """Save as a person would: change something in the text of the file."""
    text = lab.xml.read_text("utf-8")
    changed = change(text)
    assert changed != text
    lab.xml.write_text(changed, "utf-8", newline="")


def test_declined_box_is_not_proposed_again(lab: Lab) -> None:
    _synced(lab)
    box = _objects(lab, "Proposed")[0].geometry
    _resave(lab, lambda text: re.sub(r'\s*<Region [^>]*Text="#1 .*?</Region>', "", text, count=1, flags=re.DOTALL))
    assert len(_objects(lab, "Proposed")) == 2
    _synced(lab)
    now = _objects(lab, "Proposed")
    assert len(now) == 3
    assert all(p.geometry.intersection(box).area == 0 for p in now)
    assert json.loads(lab.run("status", "--json").stdout)["outcomes"]["declined"] == 1


def test_class_name_as_text_of_a_box_is_a_patch_label(lab: Lab) -> None:
    _synced(lab)
    _resave(lab, lambda text: re.sub(r'Text="#1 [^"]*"', 'Text="Blob"', text, count=1))
    _synced(lab)
    slide = json.loads(lab.run("status", "--json").stdout)["slides"][0]
    assert slide["roles"]["patch label"] == 1
    assert slide["roles"]["proposal"] == 3


def test_box_set_to_roi_counts_as_labelled_and_is_replaced(lab: Lab) -> None:
    _synced(lab)
    _resave(lab, lambda text: re.sub(r'Text="#1 [^"]*"', 'Text="ROI"', text, count=1))
    _synced(lab)
    slide = json.loads(lab.run("status", "--json").stdout)["slides"][0]
    assert slide["roles"]["roi"] == 1 and slide["roles"]["proposal"] == 3
    assert slide["labelled_um2"] > 0


def test_viewer_that_saves_over_our_write_loses_nothing_of_its_own(lab: Lab) -> None:
    original = lab.write(labelled())
    _synced(lab)
    lab.xml.write_bytes(original)  # it had the image open, and knows nothing of what we wrote
    _synced(lab)
    _synced(lab)
    after = lab.xml.read_bytes()
    assert all(region in after for region in _region_bytes(original))
    assert len(_objects(lab, "Proposed")) == 3
    counted = json.loads(lab.run("status", "--json").stdout)["outcomes"]
    assert counted.get("declined", 0) == counted.get("rejected", 0) == 0


def test_save_that_loses_everything_is_not_believed_until_confirmed(lab: Lab) -> None:
    lab.write(labelled())
    _synced(lab)
    empty = xml_of({"Blob": []})
    lab.xml.write_bytes(empty)
    result = lab.run("sync")
    assert "lost more than half" in result.output
    assert lab.xml.read_bytes() == empty, "a suspicious file is not written to"
    assert lab.run("confirm", "case.tif").exit_code == 0
    assert "lost more than half" not in lab.run("sync").output


def test_file_that_is_gone_is_not_taken_for_an_unlabelled_slide(lab: Lab) -> None:
    lab.write(labelled())
    _synced(lab)
    lab.xml.unlink()
    result = lab.run("sync")
    assert "that was read before is gone" in result.output
    assert not lab.xml.exists()
    assert lab.run("confirm", "case").exit_code == 0
    assert "is gone" not in lab.run("sync").output
    assert len(_objects(lab, "Proposed")) == 3


def test_nudged_rois_stay_in_their_part(lab: Lab) -> None:
    boxes = [shapely.box(x, y, x + 90, y + 90) for x in (10, 140, 270) for y in (10, 200)]
    blobs = labelled()["Blob"]
    lab.set("\n[holdout]\nfraction = 0.5\n")
    lab.write({"Blob": blobs, "ROI": [(box, "") for box in boxes]})
    _synced(lab)
    before = json.loads(lab.run("status", "--json").stdout)["slides"][0]["hold_out_areas"]
    assert 0 < before < len(boxes)
    lab.write({"Blob": blobs, "ROI": [(shapely.box(*box.buffer(1).bounds), "") for box in boxes]})
    assert lab.run("sync", "pull").exit_code == 0
    assert json.loads(lab.run("status", "--json").stdout)["slides"][0]["hold_out_areas"] == before


def test_looking_at_a_project_leaves_no_trace(lab: Lab) -> None:
    lab.write(labelled())
    for command in (("status",), ("sync", "--dry-run"), ("sync", "pull", "--dry-run")):
        assert lab.run(*command).exit_code == 0
    assert not (lab.root / ".slidebridge").exists()


def test_champion_predicts_at_its_own_resolution_whatever_is_set_since(lab: Lab) -> None:
    lab.write(labelled())
    _synced(lab)
    settings = lab.root / "slidebridge.toml"
    settings.write_text(settings.read_text("utf-8").replace("mpp = 1.0", "mpp = 2.0"), "utf-8")
    assert lab.run("propose", "--force").exit_code == 0
    assert lab.run("predict", "--force").exit_code == 0


def test_damaged_champion_is_mended_by_a_forced_training(lab: Lab) -> None:
    lab.write(labelled())
    _synced(lab)
    for weights in (lab.root / ".slidebridge" / "checkpoints").glob("*/*.safetensors"):
        weights.write_bytes(b"damaged")
    assert lab.run("predict", "--force").exit_code == 1
    assert lab.run("train", "--force").exit_code == 0
    assert lab.run("predict", "--force").exit_code == 0


def test_slide_that_fails_does_not_stop_the_others(lab: Lab) -> None:
    lab.write(labelled())
    (lab.root / "broken.tif").write_bytes(b"no slide")
    result = lab.run("sync")
    assert result.exit_code == 1
    assert "failed: " in result.output and "broken.tif" in result.output
    assert len(_objects(lab, "Proposed")) == 3


def _people(seed: int = 0) -> list[Annotation]:
    return [
        Annotation(f"{i:08x}-0000-4000-8000-000000000000", shape, name, color=(200, 0, 0))
        for i, (name, shape) in enumerate(
            ((name, shape) for name, shapes in labelled(seed).items() for shape, _ in shapes), start=1
        )
    ]


def test_geojson_folder_closes_the_loop_too(lab: Lab) -> None:
    settings = lab.root / "slidebridge.toml"
    settings.write_text(settings.read_text("utf-8").replace('"imagescope"', '"geojson"'), "utf-8")
    path = lab.root / "case.geojson"
    path.write_bytes(write_geojson(_people()))
    before = read_geojson(path.read_bytes())
    _synced(lab)
    found = read_geojson(path.read_bytes()).annotations
    assert sum(a.path_class == "Proposed" for a in found) == 3
    assert found[: len(before)] == before.annotations


def test_qupath_project_closes_the_loop_too(lab: Lab) -> None:
    from scripts.set_up import new_image

    project = create_project(lab.root / "study", [new_image(lab.slide)], {}, now=datetime.now(UTC))
    entry = project.slides()[0]
    assert entry.mpp == pytest.approx((MPP, MPP))
    entry.annotation_path.write_bytes(append_annotations(project.create(entry), _people()).data)
    before = read_qpdata(entry.annotation_path.read_bytes()).annotations
    settings = lab.root / "slidebridge.toml"
    text = settings.read_text("utf-8").replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    settings.write_text(text, "utf-8")
    facts = _synced(lab)
    assert facts["learned"]["promoted"]
    found = read_qpdata(entry.annotation_path.read_bytes()).annotations
    assert found[: len(before)] == before
    proposals = [a for a in found if a.path_class == "Proposed"]
    assert len(proposals) == 3 and all(p.is_locked for p in proposals)
    assert all(p.geometry.bounds[0] >= 0 and p.geometry.bounds[2] <= SIDE for p in proposals)
    summary = json.loads((entry.annotation_path.parent / "summary.json").read_text("utf-8"))
    assert summary["hierarchy"]["nObjects"] == len(found) + 1
