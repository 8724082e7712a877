"""What ``slidebridge convert`` leaves alone, and every refusal, with its way out."""

from __future__ import annotations

import shutil
from pathlib import Path

from convert_lab import OBJECTS, xml_of
from PIL import Image

from bridge.annotations.transforms import Turn
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import (
    QuPathProject,
)
from scripts.commands import convert

# what is there stays


def test_a_file_that_is_there_is_replaced_by_force_only(xml: Path, tmp_path: Path, facts, refusal) -> None:
    target = tmp_path / "there.xml"
    target.write_bytes(write_imagescope(OBJECTS[:1], None))
    before = target.read_bytes()
    facts(xml, tmp_path / "a.geojson")
    assert "--force" in refusal(tmp_path / "a.geojson", target)
    assert target.read_bytes() == before
    facts(tmp_path / "a.geojson", target, "--force")
    assert len(xml_of(target)) == 5
    (backup,) = [p for p in (tmp_path / ".slidebridge" / "backups").rglob("*") if p.is_file()]
    assert backup.read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".slidebridge-")]


def test_backups_go_to_the_project_around_it(xml: Path, tmp_path: Path, facts) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    (tmp_path / "slidebridge.toml").write_text("[watch]\nsettle_seconds = 0.0\n")
    (folder / "a.xml").write_bytes(write_imagescope(OBJECTS[:1], None))
    facts(xml, folder / "a.xml", "--force")
    assert list((tmp_path / ".slidebridge" / "backups").rglob("*")) and not (folder / ".slidebridge").exists()


def test_a_file_that_is_being_saved_is_left_alone(xml: Path, project: Path, tmp_path: Path, facts, refusal) -> None:
    cut = tmp_path / "cut.xml"
    cut.write_bytes(xml.read_bytes()[:-20])
    assert "not completely written" in refusal(xml, cut, "--force")
    facts(xml, f"{project}#1")
    data = QuPathProject(project).slides()[0].annotation_path
    before = data.read_bytes()
    data.with_name("data.qpdata.bkp").write_bytes(b"")
    assert ".bkp" in refusal(xml, f"{project}#1", "--force")
    assert ".bkp" in refusal(f"{project}#1", tmp_path / "n.xml")
    assert data.read_bytes() == before


def test_a_mask_never_goes_over_a_picture(xml: Path, slide: Path, tmp_path: Path, facts, refusal) -> None:
    before = slide.read_bytes()
    assert "that is the slide" in refusal(xml, slide, "--slide", slide, "--force")
    (tmp_path / "photo.tif").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.tif")
    assert "is a picture" in refusal(xml, tmp_path / "photo.tif", "--slide", slide, "--force")
    for name, mode in (("photo.png", "RGB"), ("drawing.png", "P"), ("grey.png", "L"), ("grey.tif", "L")):
        Image.new(mode, (9, 9)).save(tmp_path / name)
        drawn = (tmp_path / name).read_bytes()
        assert "is a picture" in refusal(xml, tmp_path / name, "--slide", slide, "--force")
        assert (tmp_path / name).read_bytes() == drawn
    (tmp_path / "none.geojson").write_text("[]")
    for name in ("m.tif", "m.png"):
        facts(tmp_path / "none.geojson", tmp_path / name, "--slide", slide)
        facts(xml, tmp_path / name, "--slide", slide, "--force")
    assert slide.read_bytes() == before


# refusals


def test_refusals_name_the_way_out(xml: Path, slide: Path, project: Path, tmp_path: Path, refusal) -> None:
    (tmp_path / "asap.xml").write_text("<ASAP_Annotations/>")
    (tmp_path / "there.xml").write_text("<ASAP_Annotations/>")
    (tmp_path / "halo.xml").write_text('<Annotations><Annotation><Regions><Region Type="Polygon"/>')
    (tmp_path / "coco.json").write_text('{"info": {}, "categories": [{"id": 1}]}')
    (tmp_path / "small.png").write_bytes(b"")
    Image.new("L", (70, 50)).save(tmp_path / "small.png")
    new = tmp_path / "new.geojson"
    cases = [
        ((tmp_path / "absent.xml", new), "no such file"),
        ((tmp_path / "absent.png", new), "no such file"),
        ((xml, tmp_path / "there.xml", "--force"), "an ASAP XML file and stays"),
        ((tmp_path / "halo.xml", new), "export the annotations as GeoJSON from HALO"),
        ((tmp_path / "coco.json", new), "not QuPath's GeoJSON"),
        ((xml, tmp_path / "new.csv"), "'.csv'|.csv is no format"),
        ((xml, tmp_path), "Say --to"),
        ((xml, tmp_path, "--to", "asap"), "read only; --to takes"),
        ((xml, tmp_path, "--to", "docx"), "no format that we write"),
        ((xml, new, "--simplify", 1), "stays as it was drawn"),
        ((xml, new, "--transform", "flip-x"), "give --slide"),
        ((xml, new, "--report", tmp_path / "a.txt"), ".csv, .json"),
        ((xml, xml), "SRC and DST are the same"),
        ((xml, tmp_path / "no" / "a.xml"), "make it first"),
        ((xml, tmp_path / "m.png"), "give --slide"),
        ((xml, tmp_path / "m.png", "--slide", tmp_path), "is a folder; name the slide itself"),
        ((slide, new), "colour picture"),
        ((tmp_path / "small.png", new, "--slide", slide), "--downsample"),
        ((xml, tmp_path / "m.png", "--slide", tmp_path / "absent.svs"), "absent.svs"),
        ((xml, new, "--classes", tmp_path / "absent.toml"), "--classes"),
        ((f"{project}", new), "it has #1 (slide.png), #2 (twin)"),
        ((xml, f"{project}#7"), "the project has #1 (slide.png), #2 (twin)"),
        ((f"{project}#1", new), "no annotations yet"),
        ((xml, f"{tmp_path / 'absent.qpproj'}#1"), "no such project"),
    ]
    for arguments, expected in cases:
        said = refusal(*arguments)
        assert any(part in said for part in expected.split("|")), said
        assert not new.exists()


def test_other_tools_files_are_refused_by_name(shared_data: Path, tmp_path: Path, refusal) -> None:
    folder = shared_data / "qupath" / "wsidicom"
    for path in sorted((folder / "sectra").iterdir()):
        assert "Sectra" in refusal(path, tmp_path / "a.geojson")
    cytomine = tmp_path / "c.geojson"
    shutil.copy(folder / "cytomine" / "cytomine-polygon.txt", cytomine)
    assert "Cytomine" in refusal(cytomine, tmp_path / "a.xml")
    projects = shared_data / "qupath_projects"
    assert ".bkp" in refusal(f"{projects / 'interrupted_save_070/project.qpproj'}#1", tmp_path / "a.xml")
    assert "EOF" in refusal(f"{projects / 'truncated_no_backup_070/project.qpproj'}#1", tmp_path / "a.xml")


def test_the_names_of_turns_are_those_of_the_library() -> None:
    assert [turn.value for turn in convert.TurnName] == [turn.value for turn in Turn]


def test_a_downsample_below_one_is_misuse(xml: Path, tmp_path: Path, run) -> None:
    assert run(xml, tmp_path / "a.png", "--downsample", "0.5").exit_code == 2
