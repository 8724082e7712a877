"""``slidebridge new``: from nothing, beside what exists, again, and only to see."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import shapely
from typer.testing import Result

from bridge.errors import BridgeError
from bridge.qupath import QuPathProject
from lab_support import RUNNER, as_points, draw_slide, labelled, xml_of
from scn_support import PART, write_scn


def _new(*arguments: object) -> Result:
    from scripts.cli import app

    return RUNNER.invoke(app, ["new", *(str(argument) for argument in arguments)])


def _error(done: Result) -> str:
    """Return what ``slidebridge`` prints before it exits with 1."""
    assert isinstance(done.exception, BridgeError), done.output
    return str(done.exception)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "Fälle 7" / "case é.tif"
    path.parent.mkdir()
    draw_slide(path)
    return path


def test_a_qupath_project_from_nothing(tmp_path: Path, slide: Path) -> None:
    done = _new("--qupath-create", tmp_path / "study", slide, "--image-type", "he")
    assert done.exit_code == 0, done.output
    assert "made " in done.output
    assert "case é.tif" in done.output
    made = _files(tmp_path / "study")
    folder = "data/1"
    assert set(made) == {
        *("project.qpproj", "slidebridge.toml", "classifiers/classes.json", "data/metadata.json"),
        *(f"{folder}/{name}" for name in ("data.qpdata", "server.json", "summary.json", "thumbnail.jpg")),
    }
    project = QuPathProject(tmp_path / "study" / "project.qpproj")
    (entry,) = project.slides()
    assert (entry.slide_path, entry.name, entry.mpp) == (slide, "case é.tif", (0.5, 0.5))
    assert b"H&E default" in made["data/1/data.qpdata"]
    names = [c["name"] for c in json.loads(made["classifiers/classes.json"])["pathClasses"]]
    assert names == ["ROI", "Proposed"]


def test_next_step_can_be_typed_where_one_stands_and_comes_after_the_classes(slide: Path) -> None:
    folder = slide.parent
    last = _new("--imagescope", folder).output.splitlines()[-1]
    assert "1 slide, 0 with annotations" in _new("--imagescope", folder, "--force").output
    assert "write your classes there, below [classes.colors], then slidebridge sync -p " in last
    assert '# Tumor = "#c80000"' in (folder / "slidebridge.toml").read_text("utf-8")

    slide.with_suffix(".xml").write_bytes(xml_of(labelled()))
    last = _new("--imagescope", folder, "--force").output.splitlines()[-1]
    assert last.endswith(f"next: slidebridge sync -p {shlex.quote(str(folder)) if os.name != 'nt' else str(folder)}")


def test_classes_of_one_colour_are_told(slide: Path) -> None:
    square = [(shapely.box(20, 20, 60, 60), "")]
    slide.with_suffix(".xml").write_bytes(xml_of({"Tumor": square, "Stroma": square}))
    assert "of one colour: Tumor, Stroma; change [classes.colors]" in _new("--imagescope", slide.parent).output


def test_a_dry_run_says_what_it_would_make_and_makes_nothing(tmp_path: Path, slide: Path) -> None:
    done = _new("--qupath-create", tmp_path / "study", slide, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "would make" in done.output
    assert "would write" in done.output
    assert not (tmp_path / "study").exists()
    as_json = json.loads(_new("--qupath-create", tmp_path / "study", slide, "--dry-run", "--json").output)
    assert (as_json["slides"], as_json["dry_run"], len(as_json["created"])) == (1, True, 1)


def test_a_dry_run_finds_what_the_run_would(tmp_path: Path, slide: Path) -> None:
    (tmp_path / "study" / "data").mkdir(parents=True)
    bad = tmp_path / "a.vsi"
    bad.write_bytes(b"?")
    for arguments, words in (
        ((tmp_path / "study", slide), "is there already"),
        ((tmp_path / "other", bad), "--backend paquo"),
        ((tmp_path / "other",), "at least one slide"),
    ):
        for run in ((), ("--dry-run",)):
            done = _new("--qupath-create", *arguments, *run)
            assert words in _error(done)
    assert not (tmp_path / "other").exists()


def test_settings_that_stand_in_the_way_stop_it_before_a_project_is_made(tmp_path: Path, slide: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "slidebridge.toml").write_text("# mine\n")
    assert "--force" in _error(_new("--qupath-create", tmp_path / "study", slide))
    assert list(_files(tmp_path / "study")) == ["slidebridge.toml"]


def test_force_keeps_the_old_settings(tmp_path: Path, slide: Path) -> None:
    folder = slide.parent
    assert _new("--imagescope", folder).exit_code == 0
    (folder / "slidebridge.toml").write_text("# mine\n")
    assert _new("--imagescope", folder).exit_code == 1
    done = _new("--imagescope", folder, "--force")
    assert done.exit_code == 0, done.output
    assert "kept as slidebridge.toml.old" in done.output
    assert (folder / "slidebridge.toml.old").read_text() == "# mine\n"
    (folder / "slidebridge.toml").write_text("# mine again\n")
    assert "slidebridge.toml.old2" in _new("--imagescope", folder, "--force").output
    kept = {p.name: p.read_text() for p in folder.glob("*.old*")}
    assert kept == {"slidebridge.toml.old": "# mine\n", "slidebridge.toml.old2": "# mine again\n"}
    again = _new("--imagescope", folder, "--force")
    assert "kept as" not in again.output, "the same settings need no copy"


def test_classes_of_a_project_are_kept_and_backed_up(tmp_path: Path, slide: Path) -> None:
    _new("--qupath-create", tmp_path / "study", slide)
    path = tmp_path / "study" / "classifiers" / "classes.json"
    own = b'{"pathClasses":[{"name":"Mine","color":-1,"odd":[1]}],"future":2}'
    path.write_bytes(own)
    assert _new("--qupath", tmp_path / "study" / "project.qpproj", "--force").exit_code == 0
    document = json.loads(path.read_bytes())
    assert document["future"] == 2
    assert document["pathClasses"][0] == {"name": "Mine", "color": -1, "odd": [1]}
    backups = tmp_path / "study" / ".slidebridge" / "backups"
    assert [p.read_bytes() for p in backups.rglob("*") if p.is_file()] == [own]
    before = path.stat().st_mtime_ns
    assert _new("--qupath", tmp_path / "study" / "project.qpproj", "--force").exit_code == 0
    assert path.stat().st_mtime_ns == before, "nothing to add: not written"


def test_broken_classes_are_named(tmp_path: Path, slide: Path) -> None:
    _new("--qupath-create", tmp_path / "study", slide)
    path = tmp_path / "study" / "classifiers" / "classes.json"
    path.write_bytes(b"{")
    done = _new("--qupath", tmp_path / "study" / "project.qpproj", "--force")
    assert "classes.json" in _error(done)
    assert path.read_bytes() == b"{"


def test_misuse_is_said(tmp_path: Path, slide: Path) -> None:
    assert _new("--imagescope", slide.parent, slide).exit_code == 2
    assert _new("--qupath-create", tmp_path / "p", slide, "--image-type", "blue").exit_code == 2
    done = _new("--qupath-create", tmp_path / "p", slide, "--backend", "paquo", "--image-type", "he")
    assert "--image-type" in _error(done)
    assert "is a file; name the folder" in _error(_new("--qupath-create", slide, slide))


def test_turned_images_are_named_by_new_and_status(tmp_path: Path, slide: Path) -> None:
    _new("--qupath-create", tmp_path / "study", slide)
    path = tmp_path / "study" / "project.qpproj"
    document = json.loads(path.read_bytes())
    (image,) = document["images"]
    turned = {"builderType": "rotated", "builder": image["serverBuilder"], "rotation": "ROTATE_90"}
    document["images"].append({**image, "entryID": 2, "imageName": "turned", "serverBuilder": turned})
    path.write_text(json.dumps(document), "utf-8")
    assert "image turned of the QuPath project is left out" in _new("--qupath", path, "--force").output
    from scripts.cli import app

    for command in (["status"], ["sync", "pull"]):
        done = RUNNER.invoke(app, [*command, "--project", str(path)])
        assert done.exit_code == 0, done.output
        assert "image turned of the QuPath project is left out" in done.output


def test_boxes_go_where_qupath_shows_them(tmp_path: Path) -> None:
    """On a slide whose scanned part begins inside it: read, proposed, written, and read again."""
    from scripts.cli import app

    write_scn(tmp_path / "a.scn")
    assert _new("--qupath-create", tmp_path / "study", tmp_path / "a.scn").exit_code == 0
    with (tmp_path / "study" / "slidebridge.toml").open("a", encoding="utf-8") as file:
        file.write("\n[watch]\nsettle_seconds = 0.01\n\n[propose]\nregion_um = 20\nk = 3\n")
    done = RUNNER.invoke(app, ["propose", "--project", str(tmp_path / "study")])
    assert done.exit_code == 0, done.output
    project = QuPathProject(tmp_path / "study" / "project.qpproj")
    (entry,) = project.slides()
    boxes = [a.geometry for a in project.parse(entry.annotation_path.read_bytes(), entry).annotations]
    assert len(boxes) == 3
    scanned = shapely.box(0, 0, *PART[2:]).buffer(40)  # a box may reach over the tissue's edge
    assert all(scanned.covers(box) for box in boxes), "tissue is only there, and QuPath counts from its corner"
    again = RUNNER.invoke(app, ["status", "--project", str(tmp_path / "study"), "--json"])
    roles = json.loads(again.output)["slides"][0]["roles"]
    assert roles == {"proposal": 3}, "known again where they are"


def test_an_offset_of_the_settings_is_used_and_said(tmp_path: Path) -> None:
    draw_slide(tmp_path / "case.tif")
    (tmp_path / "case.xml").write_bytes(xml_of(labelled()))
    assert _new("--imagescope", tmp_path).exit_code == 0
    with (tmp_path / "slidebridge.toml").open("a", encoding="utf-8") as file:
        file.write('\n[watch]\nsettle_seconds = 0.01\n\n[slides]\noffset_of = { "case.tif" = [30, 40] }\n')
    from scripts.cli import app

    done = RUNNER.invoke(app, ["sync", "pull", "--project", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "case: annotations are moved by (30, 40) pixels" in done.output
    (tmp_path / "slidebridge.toml").write_text('[slides]\noffset_of = { "case.tif" = "corner" }\n')
    done = RUNNER.invoke(app, ["status", "--project", str(tmp_path)])
    assert "[slides] offset_of" in _error(done)


def test_an_empty_file_has_no_annotations(slide: Path) -> None:
    slide.with_suffix(".xml").write_bytes(xml_of({"Tumor": []}))
    told = _new("--imagescope", slide.parent).output
    assert "1 slide, 0 with annotations, 0 objects" in told
    assert "empty: 1 annotation file without an object" in told


def test_points_are_told_to_be_outlined(slide: Path) -> None:
    slide.with_suffix(".xml").write_bytes(as_points(xml_of({"Mitosis": [(shapely.box(40, 40, 44, 44), "")]})))
    told = _new("--imagescope", slide.parent).output
    assert "only points or lines are of class Mitosis; points and lines have no area to learn from" in told
