"""``slidebridge convert`` from the command line: pairs of formats."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from convert_lab import AREAS, BLUE, GREEN, RED, SIZE, xml_of
from mask_support import read_label_mask
from shapely.geometry import box

from bridge.annotations import Annotation, Shape
from bridge.annotations.diff import diff_annotations
from bridge.qupath import (
    QuPathProject,
    read_geojson,
    read_qpdata,
    write_geojson,
)

DROPPED_BY_QUPATH = "5b1d0000-0000-4000-8000-000000700002"  # see the README of the sample projects: bigroi_070


def areas_by_class(annotations: Sequence[Annotation]) -> dict[str | None, float]:
    areas: dict[str | None, float] = {}
    for annotation in annotations:
        areas[annotation.path_class] = areas.get(annotation.path_class, 0.0) + annotation.geometry.area
    return areas


def test_xml_to_geojson_to_xml_keeps_every_object(xml: Path, tmp_path: Path, facts) -> None:
    there = facts(xml, tmp_path / "a.geojson")
    back = facts(tmp_path / "a.geojson", tmp_path / "b.xml")
    assert (there["read"], there["objects"], there["written"]) == (6, 5, 5)
    assert there["lost"] == {"arrow head": 1} and there["verbatim"] == {"arrow": 1}
    assert there["classes"] == {"Tumor": 3, "Stroma": 1, "": 1}
    assert back["written"] == 5 and not back["left_out"]
    difference = diff_annotations(xml_of(xml), xml_of(tmp_path / "b.xml"))
    assert not difference.added and not difference.removed
    assert {(a.name, a.color) for a in xml_of(tmp_path / "b.xml")} == {(a.name, a.color) for a in xml_of(xml)}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_xml_to_mask_to_geojson_keeps_areas(xml: Path, slide: Path, tmp_path: Path, facts, suffix: str) -> None:
    mask = tmp_path / f"mask{suffix}"
    there = facts(xml, mask, "--slide", slide)
    assert (there["written"], there["left_out"], there["off_slide"]) == (4, {"arrow": 1}, 0)
    written = read_label_mask(mask)
    assert written.labels.shape == SIZE[::-1]
    assert written.names == ("Background", "Tumor", "Stroma", "Annotation")
    assert written.info.colors == ((0, 0, 0), RED, BLUE, GREEN)
    assert (written.downsample, written.mask_mpp) == (1.0, (0.5, 0.5))
    facts(mask, tmp_path / "c.geojson")
    found = areas_by_class(read_geojson((tmp_path / "c.geojson").read_bytes()).annotations)
    assert (found["Tumor"], found["Annotation"]) == (AREAS["Tumor"], AREAS[None])
    assert found["Stroma"] == pytest.approx(AREAS["Stroma"], rel=0.01)


def test_a_coarse_mask_goes_back_to_its_place(xml: Path, slide: Path, tmp_path: Path, facts) -> None:
    facts(xml, tmp_path / "coarse.tif", "--slide", slide, "--downsample", 10)
    assert read_label_mask(tmp_path / "coarse.tif").labels.shape == (50, 70)
    facts(tmp_path / "coarse.tif", tmp_path / "d.xml")
    drawn = next(a for a in xml_of(tmp_path / "d.xml") if a.path_class == "Annotation")
    assert drawn.geometry.bounds == (300, 20, 420, 90)
    assert facts(tmp_path / "coarse.tif", tmp_path / "same.png")["notes"] == []
    same = read_label_mask(tmp_path / "same.png")
    assert np.array_equal(same.labels, read_label_mask(tmp_path / "coarse.tif").labels)
    assert same.info == read_label_mask(tmp_path / "coarse.tif").info


def test_xml_to_qupath_and_back(xml: Path, project: Path, tmp_path: Path, facts) -> None:
    there = facts(xml, f"{project}#1")
    assert (there["written"], there["lost"]) == (5, {"arrow head": 1})
    data = QuPathProject(project).slides()[0].annotation_path
    assert [a.name for a in read_qpdata(data.read_bytes()).annotations] == [a.name for a in xml_of(xml)]
    summary = json.loads(data.with_name("summary.json").read_text("utf-8"))
    assert summary["hierarchy"]["annotationClassificationCounts"] == {"Tumor": 3, "Stroma": 1, "Unclassified": 1}
    back = facts(f"{project}#slide.png", tmp_path / "back.xml")
    assert (back["read"], back["off_slide"], back["written"]) == (5, 0, 5)
    difference = diff_annotations(xml_of(xml), xml_of(tmp_path / "back.xml"))
    assert not difference.added and not difference.removed


def test_qupath_to_a_mask_needs_no_slide(xml: Path, project: Path, tmp_path: Path, facts) -> None:
    facts(xml, f"{project}#twin")
    (tmp_path / "slide.png").unlink()  # the project knows the size
    assert facts(f"{project}#2", tmp_path / "q.png")["written"] == 4
    assert read_label_mask(tmp_path / "q.png").labels.shape == SIZE[::-1]


def test_appending_again_keeps_what_is_there(xml: Path, project: Path, tmp_path: Path, facts, refusal) -> None:
    facts(xml, f"{project}#1")
    data = QuPathProject(project).slides()[0].annotation_path
    first = data.read_bytes()
    assert "--force" in refusal(xml, f"{project}#1")
    assert data.read_bytes() == first
    again = facts(xml, f"{project}#1", "--force")
    found = read_qpdata(data.read_bytes()).annotations
    assert found[:5] == read_qpdata(first).annotations
    assert len({a.object_id for a in found}) == len(found) == 10
    backup = next(line for line in again["notes"] if "as it was" in line).partition(": ")[2]
    assert Path(backup).read_bytes() == first
    assert Path(backup).is_relative_to(project.parent / ".slidebridge" / "backups")
    assert sorted(p.name for p in data.parent.iterdir()) == ["data.qpdata", "server.json", "summary.json"]


def test_qupath_to_geojson_equals_qupaths_own_export(shared_data: Path, tmp_path: Path, facts) -> None:
    projects = shared_data / "qupath_projects"
    for expected in sorted((projects / "expected").glob("*_[12].geojson")):
        name, _, image = expected.stem.rpartition("_")
        source = projects / name / "project.qpproj"
        target = tmp_path / f"{expected.stem}.geojson"
        written = facts(f"{source}#{image}", target)
        assert not written["left_out"]
        ours = read_geojson(target.read_bytes()).annotations
        theirs = read_geojson(expected.read_bytes()).annotations
        _assert_same_export(ours, theirs, expected.stem)


def _assert_same_export(ours: Sequence[Annotation], theirs: Sequence[Annotation], where: str) -> None:
    by_id = {a.object_id: a for a in ours}
    assert theirs and by_id.keys() >= {a.object_id for a in theirs}, where
    for expected in theirs:
        found = by_id[expected.object_id]
        kept = ("path_class", "kind", "name", "is_locked", "plane")
        assert [getattr(found, key) for key in kept] == [getattr(expected, key) for key in kept], where
        assert found.measurements.keys() == expected.measurements.keys()
        assert found.metadata == {key: value for key, value in expected.metadata.items() if key != "slidebridge"}
        assert np.allclose(found.geometry.bounds, expected.geometry.bounds, atol=0.0101), where
        # QuPath draws an ellipse with other vertices, and drops half of one polygon whose sides are below 0.3 px.
        if expected.shape is not Shape.ELLIPSE and expected.object_id != DROPPED_BY_QUPATH:
            assert found.geometry.hausdorff_distance(expected.geometry) <= 0.0145, where


def test_real_projects_and_files_go_everywhere(shared_data: Path, tmp_path: Path, facts) -> None:
    source = f"{shared_data / 'qupath_projects/shapes_070/project.qpproj'}#1"
    to_xml = facts(source, tmp_path / "s.xml")
    assert (to_xml["read"], to_xml["written"], to_xml["left_out"]) == (13, 11, {"points": 1, "polyline": 1})
    assert to_xml["lost"]["object type"] == 3
    to_mask = facts(source, tmp_path / "s.tif")
    assert to_mask["left_out"] == {"points": 1, "line": 1, "polyline": 1, "detection": 1, "tile": 1, "cell": 1}
    assert any("lie in several classes" in note for note in to_mask["notes"])
    # The rectangle around everything doesn't cover what lies in it.
    assert set(np.unique(read_label_mask(tmp_path / "s.tif").labels)) == {1, 2, 3, 4, 5, 6}


def test_gzip_depends_on_the_content_alone(xml: Path, tmp_path: Path, facts) -> None:
    facts(xml, tmp_path / "a.geojson.gz")
    facts(xml, tmp_path / "b.geojson.gz")
    data = (tmp_path / "a.geojson.gz").read_bytes()
    assert data == (tmp_path / "b.geojson.gz").read_bytes()
    assert len(read_geojson(gzip.decompress(data))) == 5


def test_predictions_go_out_as_plain_objects_but_not_into_masks(tmp_path: Path, slide: Path, facts) -> None:
    ours = [
        Annotation("p", box(0, 0, 50, 50), "Tumor: Predicted", is_ours=True, color=RED, metadata={"slidebridge": "7"}),
        Annotation("q", box(60, 0, 90, 50), "Proposed", Shape.RECTANGLE, is_ours=True, color=GREEN),
        Annotation("r", box(100, 0, 150, 50), "Tumor", color=RED),
    ]
    (tmp_path / "ours.geojson").write_bytes(write_geojson(ours, write_marker="7"))
    facts(tmp_path / "ours.geojson", tmp_path / "plain.geojson")
    assert b"slidebridge" not in (tmp_path / "plain.geojson").read_bytes()
    plain = read_geojson((tmp_path / "plain.geojson").read_bytes()).annotations
    assert [a.path_class for a in plain] == [a.path_class for a in ours]
    assert facts(tmp_path / "ours.geojson", tmp_path / "plain.xml")["written"] == 3
    into_mask = facts(tmp_path / "ours.geojson", tmp_path / "m.png", "--slide", slide)
    assert (into_mask["written"], into_mask["left_out"]) == (1, {"prediction": 1, "proposal": 1})
