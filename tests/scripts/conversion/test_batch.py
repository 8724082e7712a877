"""Whole folders and projects: every file is converted, refused or passed over, and the report says which."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from mask_support import read_label_mask
from PIL import Image
from shapely.geometry import LineString, box

from bridge.annotations import Annotation, Shape
from bridge.errors import BridgeError, ConfigError
from bridge.formats import MaskInfo, write_label_mask
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import NewImage, QuPathProject, create_project, read_geojson, read_qpdata, write_geojson
from scripts.conversion.jobs import TargetFormat, plan_jobs

SIZE = (120, 90)
RED = (200, 0, 0)
OBJECTS = (
    Annotation("a", box(10, 10, 40, 30), "Tumor", Shape.RECTANGLE, color=RED, name="a"),
    Annotation("b", LineString([(1, 1), (5, 5), (9, 1)]), "Tumor", Shape.POLYLINE, color=RED),
)
ASAP = (
    '<ASAP_Annotations><Annotation Name="x" Type="Dot" PartOfGroup="None" Color="#FF0000"><Coordinates>'
    '<Coordinate Order="0" X="5" Y="6"/></Coordinates></Annotation></ASAP_Annotations>'
)
SECTRA = '[{"id": "1", "type": "Area", "rowVersion": 1, "slideId": "x", "content": []}]'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of every kind, some good, some not."""
    made = tmp_path / "in"
    (made / "deeper" / ".slidebridge").mkdir(parents=True)
    Image.new("RGB", SIZE).save(made / "case 1.png")
    (made / "case 1.xml").write_bytes(write_imagescope(OBJECTS[:1], None))
    (made / "drawn.json").write_bytes(write_geojson(OBJECTS))
    (made / "deeper" / "asap.xml").write_text(ASAP)
    (made / "deeper" / ".slidebridge" / "hidden.xml").write_bytes(write_imagescope(OBJECTS, None))
    (made / "cut.xml").write_bytes(write_imagescope(OBJECTS[:1], None)[:-30])
    (made / "sectra.json").write_text(SECTRA)
    (made / "settings.json").write_text('{"a": 1}')
    (made / "notes.md").write_text("read me")
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[10:20, 10:20] = 1
    write_label_mask(made / "mask.tif", labels, MaskInfo(("Background", "Fat"), ((0, 0, 0), RED)))
    Image.fromarray(labels * 9).save(made / "grey.png")
    return made


def project_of(root: Path, *names: str) -> Path:
    root.mkdir()
    Image.new("RGB", SIZE).save(root / "slide.png")
    images = [NewImage(root / "slide.png", n, *SIZE, (SIZE,), None, None, SIZE, is_openslide=False) for n in names]
    return create_project(root / "project", images, {}, now=datetime(2025, 1, 1, tzinfo=UTC)).path


def rows(result: Result) -> dict[str, dict[str, object]]:
    return {Path(str(row["source"])).name: row for row in json.loads(result.stdout)["files"]}


def test_a_folder_is_converted_and_a_failing_file_stops_nothing(folder: Path, tmp_path: Path, run) -> None:
    result = run(folder, tmp_path / "out", "--to", "geojson", "--json")
    assert result.exit_code == 1
    found = rows(result)
    assert {name: row["status"] for name, row in found.items()} == {
        "case 1.png": "passed over",
        "case 1.xml": "converted",
        "cut.xml": "failed",
        "asap.xml": "converted",
        "drawn.json": "converted",
        "grey.png": "passed over",
        "mask.tif": "converted",
        "notes.md": "passed over",
        "sectra.json": "failed",
        "settings.json": "passed over",
    }
    assert "cut off" in str(found["cut.xml"]["reason"]) and "Sectra" in str(found["sectra.json"]["reason"])
    assert (found["drawn.json"]["read"], found["drawn.json"]["written"]) == (2, 2)
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == ["case 1.geojson", "deeper/asap.geojson", "drawn.geojson", "mask.geojson"]
    assert len(read_geojson((tmp_path / "out" / "drawn.geojson").read_bytes())) == 2


def test_the_table_says_what_was_lost_and_why_files_failed(folder: Path, tmp_path: Path, run) -> None:
    text = run(folder, tmp_path / "out", "--to", "xml").stdout
    lines = text.splitlines()
    assert lines[0].split() == ["status", "read", "written", "left", "out", "lost", "repaired", "seconds", "file"]
    assert "    left out: 1 polyline" in lines
    assert any("cut off" in line for line in lines)
    assert "converted 4 files (3 of 5 objects); 2 failed; 4 passed over" in lines
    assert "--from mask" in lines[-1]


def test_nothing_that_is_there_is_replaced_without_force(folder: Path, tmp_path: Path, run) -> None:
    run(folder, tmp_path / "out", "--to", "geojson")
    there = tmp_path / "out" / "drawn.geojson"
    there.write_bytes(write_geojson(OBJECTS[:1]))
    before = there.read_bytes()
    again = rows(run(folder, tmp_path / "out", "--to", "geojson", "--json"))
    assert again["drawn.json"]["status"] == "failed" and "--force" in str(again["drawn.json"]["reason"])
    assert there.read_bytes() == before
    forced = rows(run(folder, tmp_path / "out", "--to", "geojson", "--force", "--json"))
    assert forced["drawn.json"]["status"] == "converted" and there.read_bytes() != before


def test_dry_run_says_the_same_and_writes_nothing(folder: Path, tmp_path: Path, run) -> None:
    planned = rows(run(folder, tmp_path / "out", "--to", "geojson", "--json", "--dry-run"))
    assert not (tmp_path / "out").exists()
    done = rows(run(folder, tmp_path / "out", "--to", "geojson", "--json"))
    same = ("status", "read", "written", "left_out", "lost", "repaired", "reason", "target")
    assert [[row[key] for key in same] for row in planned.values()] == [
        [row[key] for key in same] for row in done.values()
    ]


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_the_report_is_a_file_for_machines(folder: Path, tmp_path: Path, run, suffix: str) -> None:
    path = tmp_path / f"report{suffix}"
    run(folder, tmp_path / "out", "--to", "xml", "--report", path)
    if suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            found = {Path(row["source"]).name: row for row in csv.DictReader(file)}
        assert found["drawn.json"]["left_out"] == "1 polyline"
    else:
        found = {Path(row["source"]).name: row for row in json.loads(path.read_text("utf-8"))["files"]}
        assert found["drawn.json"]["left_out"] == {"polyline": 1}
    assert len(found) == 10 and "Sectra" in found["sectra.json"]["reason"]


def test_one_file_has_a_report_too(folder: Path, tmp_path: Path, run) -> None:
    result = run(folder / "drawn.json", tmp_path / "a.xml", "--report", tmp_path / "r.json")
    assert result.exit_code == 0
    assert json.loads((tmp_path / "r.json").read_text())["files"][0]["left_out"] == {"polyline": 1}


def test_masks_are_made_on_the_slides_beside_the_files(folder: Path, tmp_path: Path, run) -> None:
    found = rows(run(folder, tmp_path / "out", "--to", "png", "--json"))
    assert found["case 1.xml"]["status"] == "converted"
    assert read_label_mask(tmp_path / "out" / "case 1.png").labels.shape == SIZE[::-1]
    assert "--slide" in str(found["drawn.json"]["reason"])
    Image.new("RGB", SIZE).save(tmp_path / "drawn.png")
    elsewhere = rows(run(folder, tmp_path / "out 2", "--to", "mask", "--slide", tmp_path, "--json"))
    assert elsewhere["drawn.json"]["status"] == "converted" and (tmp_path / "out 2" / "drawn.tif").is_file()


def test_only_what_was_asked_for_is_taken(folder: Path, tmp_path: Path, run) -> None:
    masks = rows(run(folder, tmp_path / "out", "--to", "xml", "--from", "mask", "--json"))
    assert {n for n, row in masks.items() if row["status"] == "converted"} == {"grey.png", "mask.tif"}
    asap = rows(run(folder, tmp_path / "out 2", "--to", "xml", "--from", "asap", "--json"))
    assert {n for n, row in asap.items() if row["status"] == "converted"} == {"asap.xml"}


def test_two_files_of_one_name_do_not_overwrite_each_other(folder: Path, tmp_path: Path, run) -> None:
    (folder / "drawn.xml").write_bytes(write_imagescope(OBJECTS[:1], None))
    found = rows(run(folder, tmp_path / "out", "--to", "geojson", "--json"))
    assert found["drawn.json"]["status"] == "converted"
    assert "comes from" in str(found["drawn.xml"]["reason"])


def test_the_target_inside_the_source_is_not_read(folder: Path, run) -> None:
    first = run(folder, folder / "out", "--to", "geojson", "--json")
    again = run(folder, folder / "out", "--to", "geojson", "--force", "--json")
    assert rows(first).keys() == rows(again).keys()


def test_a_folder_goes_into_a_project_by_slide_names(folder: Path, tmp_path: Path, run) -> None:
    project = project_of(tmp_path / "p", "case 1.svs", "Drawn", "other", "mask.tif", "mask.png")
    found = rows(run(folder, project, "--json"))
    assert {name: row["status"] for name, row in found.items() if row["status"] != "passed over"} == {
        "case 1.xml": "converted",
        "drawn.json": "converted",
        "asap.xml": "failed",
        "cut.xml": "failed",
        "mask.tif": "failed",
        "sectra.json": "failed",
    }
    assert "no image of project.qpproj is called 'asap'" in str(found["asap.xml"]["reason"])
    assert "images #4, #5" in str(found["mask.tif"]["reason"])
    data = [entry.annotation_path for entry in QuPathProject(project).slides()]
    assert [path.is_file() for path in data] == [True, True, False, False, False]
    assert len(read_qpdata(data[1].read_bytes())) == 2
    # and out again, and into another project
    out = rows(run(project, tmp_path / "out", "--to", "xml", "--json"))
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["Drawn.xml", "case 1.xml"]
    assert sum(row["status"] == "passed over" for row in out.values()) == 3
    assert len(read_imagescope((tmp_path / "out" / "case 1.xml").read_bytes())) == 1
    twin = project_of(tmp_path / "q", "drawn", "case 1")
    assert run(project, twin, "--json").exit_code == 0
    counts = [len(read_qpdata(entry.annotation_path.read_bytes())) for entry in QuPathProject(twin).slides()]
    assert counts == [2, 1]


def test_an_image_s_name_is_no_way_out_of_the_folder(folder: Path, tmp_path: Path, run) -> None:
    project = project_of(tmp_path / "p", "../../evil", "a/b:c.svs", "same.svs", "same.tif")
    for key in "1234":
        run(folder / "drawn.json", f"{project}#{key}")
    run(project, tmp_path / "out", "--to", "geojson")
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["_.._evil.geojson", "a_b_c.geojson", "same (3).geojson", "same (4).geojson"]


def test_one_file_may_go_into_a_folder(folder: Path, tmp_path: Path, run) -> None:
    assert run(folder / "drawn.json", tmp_path / "out", "--to", "geojson.gz").exit_code == 0
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["drawn.geojson.gz"]


def test_an_empty_folder_is_loud(tmp_path: Path, run) -> None:
    (tmp_path / "in").mkdir()
    assert "no file was found" in run(tmp_path / "in", tmp_path / "out", "--to", "xml").stdout


def test_a_project_inside_a_folder_is_pointed_out(tmp_path: Path, run) -> None:
    project = project_of(tmp_path / "in", "one")
    said = run(project.parent.parent, tmp_path / "out", "--to", "xml").stdout
    assert "1 × QuPath projects, which hold images of their own: name the .qpproj as SRC" in said


def test_misuse_is_refused_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    project = project_of(tmp_path / "p", "one")
    cases = [
        ((str(folder), str(tmp_path / "out"), None), "Say --to"),
        ((str(folder), str(project), TargetFormat.XML), "--to is for folders"),
        ((str(folder), str(folder / "notes.md"), TargetFormat.XML), "is a file"),
        ((str(tmp_path / "no.qpproj"), str(tmp_path), TargetFormat.XML), "no such project"),
        ((str(folder), str(tmp_path / "out"), TargetFormat.PNG, tmp_path / "nowhere"), "no such slide"),
    ]
    for arguments, message in cases:
        with pytest.raises(BridgeError, match=message):
            plan_jobs(*arguments)
    with pytest.raises(ConfigError):
        plan_jobs(str(folder), str(tmp_path), None)


# transforms


def test_a_turn_is_never_silent_and_needs_the_slide(folder: Path, tmp_path: Path, run) -> None:
    arguments = (folder / "case 1.xml", tmp_path / "t.geojson", "--transform", "rotate270", "--offset", "5,-2")
    assert "give --slide" in str(run(*arguments).exception)
    result = run(*arguments, "--slide", folder / "case 1.png")
    assert "turned as asked (rotate270), from a view of 90 x 120" in result.stdout
    assert "moved as asked by (5, -2)" in result.stdout
    (found,) = read_geojson((tmp_path / "t.geojson").read_bytes()).annotations
    # x' = y, y' = h − x, with h = 90 the height of the slide
    assert found.geometry.bounds == (10 + 5, 90 - 40 - 2, 30 + 5, 90 - 10 - 2)
    assert found.name == "a"


def test_a_mask_of_the_turned_view_fits_the_slide(folder: Path, tmp_path: Path, run) -> None:
    labels = np.zeros((120, 90), np.uint8)
    labels[100:110, 3:9] = 1
    write_label_mask(tmp_path / "turned.png", labels, MaskInfo(("Background", "Fat"), ((0, 0, 0), RED)))
    slide = ("--slide", folder / "case 1.png")
    run(tmp_path / "turned.png", tmp_path / "right.png", "--transform", "rotate90", *slide)
    np.testing.assert_array_equal(read_label_mask(tmp_path / "right.png").labels, np.rot90(labels, k=-1))


@pytest.mark.parametrize("text", ["5", "a,b", "1,2,3", "nan,1"])
def test_an_offset_is_two_numbers(folder: Path, tmp_path: Path, run, text: str) -> None:
    assert run(folder / "case 1.xml", tmp_path / "t.geojson", "--offset", text).exit_code == 2


# simplifying


def test_simplifying_says_how_many_pixels_it_changed(tmp_path: Path, run) -> None:
    y, x = np.mgrid[:200, :200]
    labels = (((x - 100) ** 2 + (y - 100) ** 2) < 80**2).astype(np.uint8)
    labels[:, 100:] *= 2
    info = MaskInfo(("Background", "Fat", "Nerve"), ((0, 0, 0), RED, (0, 0, 9)), (0.5, 0.5), 1.0)
    write_label_mask(tmp_path / "m.tif", labels, info)
    result = run(tmp_path / "m.tif", tmp_path / "m.geojson", "--simplify", 2, "--json")
    note = next(n for n in json.loads(result.stdout)["notes"] if n.startswith("simplified by 2 µm (4.00 px)"))
    found = read_geojson((tmp_path / "m.geojson").read_bytes()).annotations
    assert sum(len(a.geometry.exterior.coords) for a in found) < 80
    areas = {a.path_class: a.geometry.area for a in found}
    assert areas == {
        "Fat": pytest.approx((labels == 1).sum(), rel=0.03),
        "Nerve": pytest.approx((labels == 2).sum(), rel=0.03),
    }
    assert found[0].geometry.intersection(found[1].geometry).area < 1
    run(tmp_path / "m.geojson", tmp_path / "back.png", "--slide", tmp_path / "m.tif")
    changed = int(note.split(", ")[-1].split(" ")[0])
    after = read_label_mask(tmp_path / "back.png").labels
    # the file's coordinates are rounded to 0.01 px, which may turn a pixel or two
    assert 0 < changed < 2000 and int((after != labels).sum()) == pytest.approx(changed, abs=5)


def test_a_mask_without_scale_cannot_be_simplified_in_micrometres(tmp_path: Path, run) -> None:
    write_label_mask(tmp_path / "m.png", np.eye(9, dtype=np.uint8), MaskInfo())
    assert "no µm per pixel" in str(run(tmp_path / "m.png", tmp_path / "m.xml", "--simplify", 1).exception)
