"""``slidebridge convert`` of images that show a part of their slide: everything lands where it lies."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from convert_lab import RED, xml_of
from mask_support import read_label_mask
from shapely.geometry import box

from bridge.annotations import Annotation
from bridge.annotations.diff import diff_annotations
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import (
    NewImage,
    QuPathProject,
    create_project,
    read_geojson,
    read_qpdata,
)
from scn_support import PART, WHOLE, write_scn


def test_a_cropped_image_is_moved_to_where_it_lies(project: Path, xml: Path, tmp_path: Path, facts) -> None:
    document = json.loads(project.read_text("utf-8"))
    image = document["images"][0]
    region = {"x": 100, "y": 50, "width": 600, "height": 450, "z": 0, "t": 0}
    inner = image["serverBuilder"]
    metadata = {**inner["metadata"], "width": 600, "height": 450}
    image["serverBuilder"] = {"builderType": "cropped", "region": region, "builder": inner, "metadata": metadata}
    project.write_text(json.dumps(document), "utf-8")
    into = facts(xml, f"{project}#1")
    assert any("moved by (-100, -50)" in note for note in into["notes"])
    data = QuPathProject(project).slides()[0].annotation_path.read_bytes()
    assert read_qpdata(data).annotations[0].geometry.bounds == (-80, -20, 120, 130)
    facts(f"{project}#1", tmp_path / "back.xml")
    difference = diff_annotations(xml_of(xml), xml_of(tmp_path / "back.xml"))
    assert not difference.added and not difference.removed
    as_shown = facts(f"{project}#1", tmp_path / "shown.geojson")
    assert any("nothing was moved" in note for note in as_shown["notes"])
    assert read_geojson((tmp_path / "shown.geojson").read_bytes()).annotations[0].geometry.bounds[0] == -80
    facts(f"{project}#1", tmp_path / "cropped.png")
    assert read_label_mask(tmp_path / "cropped.png").labels[30:180, 20:220].min() == 1


@pytest.fixture
def cropped(tmp_path: Path) -> Path:
    """A project of a slide of which QuPath shows the scanned part only."""
    write_scn(tmp_path / "a.scn")
    size = PART[2:]
    image = NewImage(tmp_path / "a.scn", "a.scn", *size, (size,), (0.5, 0.5), 20.0, (64, 64), is_openslide=True)
    return create_project(tmp_path / "study", [image], {}, now=datetime(2030, 1, 2, tzinfo=UTC)).path


def test_what_qupath_shows_of_a_scanned_part_lies_where_it_was_scanned(cropped: Path, tmp_path: Path, facts) -> None:
    drawn = [Annotation("a", box(10 + PART[0], 20 + PART[1], 60 + PART[0], 70 + PART[1]), "Tumor", color=RED)]
    (tmp_path / "a.xml").write_bytes(write_imagescope(drawn, None))
    into = facts(tmp_path / "a.xml", f"{cropped}#1")
    assert any(f"QuPath shows the slide from ({PART[0]}, {PART[1]}) on" in note for note in into["notes"])
    (shown,) = read_qpdata(QuPathProject(cropped).slides()[0].annotation_path.read_bytes()).annotations
    assert shown.geometry.bounds == (10, 20, 60, 70)
    facts(f"{cropped}#1", tmp_path / "back.xml")
    assert xml_of(tmp_path / "back.xml")[0].geometry.bounds == drawn[0].geometry.bounds
    facts(f"{cropped}#1", tmp_path / "back.png")
    mask = read_label_mask(tmp_path / "back.png").labels
    assert mask.shape == WHOLE[::-1] and mask[20 + PART[1] : 70 + PART[1], 10 + PART[0] : 60 + PART[0]].all()
    assert facts(f"{cropped}#1", tmp_path / "shown.geojson")["off_slide"] == 0


def test_where_a_part_lies_is_never_guessed(cropped: Path, xml: Path, tmp_path: Path, facts, refusal) -> None:
    facts(xml, f"{cropped}#1")
    document = json.loads(cropped.read_text("utf-8"))
    document["images"][0]["serverBuilder"]["metadata"]["width"] -= 12  # the slide is another than QuPath knows
    cropped.write_text(json.dumps(document), "utf-8")
    assert "offset_of" in refusal(f"{cropped}#1", tmp_path / "out.xml")
    assert "offset_of" in refusal(xml, f"{cropped}#1", "--force")
    assert facts(f"{cropped}#1", tmp_path / "as_shown.geojson")["written"] == 5
    (cropped.parent / "slidebridge.toml").write_text('[slides.offset_of]\n"a.scn" = [300, 200]\n')
    assert any("moved by (300, 200)" in note for note in facts(f"{cropped}#1", tmp_path / "out.xml")["notes"])
