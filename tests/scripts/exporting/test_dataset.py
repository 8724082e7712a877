from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import tifffile
from export_lab import make_lab
from mask_support import read_label_mask
from monai.data import load_decathlon_datalist
from numpy.typing import NDArray
from PIL import Image

from bridge.qupath import read_geojson
from bridge.slides import open_slide
from lab_support import RUNNER, SIDE, Lab, draw_slide, labelled, xml_of
from scripts.cli import app

BLOB, IGNORE = 1, 2
LEFT, RIGHT = shapely.box(20, 20, 180, 180), shapely.box(200, 200, 360, 360)
ANSWER = shapely.box(40, 50, 120, 130)  # a Blob, in whole pixels of 1 µm: its pixels can be counted by hand


def run(lab: Lab, out: Path, *more: str, status: int = 0) -> dict[str, Any]:
    result = lab.run("export", "dataset", "--out", str(out), "--json", *more)
    assert result.exit_code == status, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """One slide, two boxes with one Blob in the first, and what only a model has said beside them."""
    lab = make_lab(tmp_path_factory.mktemp("dataset") / "project")
    lab.write(
        {
            "Blob": [(ANSWER, "")],
            "ROI": [(LEFT, ""), (RIGHT, "")],
            "Ignore*": [(shapely.box(160, 20, 180, 40), "")],
            "Blob (predicted)": [(shapely.box(220, 220, 300, 300), "")],
        }
    )
    return lab


@pytest.fixture(scope="module")
def made(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "out"
    run(lab, out, "--tile-px", "64")
    return out


def picture(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def record(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "dataset.json").read_text("utf-8"))
    return found


def drawn(size: int, downsample: int) -> NDArray[np.uint8]:
    """Burn the lab's labels by testing every pixel's centre: the rule, and nothing of the program's."""
    centres = (np.arange(size) + 0.5) * downsample
    x, y = np.meshgrid(centres, centres)

    def inside(box: shapely.Polygon) -> NDArray[np.bool_]:
        left, top, right, bottom = box.bounds
        return (x >= left) & (x < right) & (y >= top) & (y < bottom)

    labels = np.full((size, size), IGNORE, np.uint8)
    labels[inside(LEFT) | inside(RIGHT)] = 0
    labels[inside(ANSWER)] = BLOB
    labels[inside(shapely.box(160, 20, 180, 40))] = IGNORE
    return labels


def glued(out: Path, entries: list[dict[str, Any]], side: int, downsample: int) -> NDArray[np.uint8]:
    """Lay the tiles back to where they say they are from."""
    whole = np.full((512, 512), IGNORE, np.uint8)
    for entry in entries:
        x, y, width, height = entry["region"]
        assert (width, height) == (side * downsample, side * downsample)
        left, top = x // downsample, y // downsample
        whole[top : top + side, left : left + side] = picture(out / entry["label"])
    size = SIDE // downsample
    assert (whole[size:] == IGNORE).all() and (whole[:, size:] == IGNORE).all()
    return whole[:size, :size]


def test_label_tiles_are_what_people_drew_pixel_by_pixel(made: Path) -> None:
    facts = record(made)
    both = np.minimum(glued(made, facts["training"], 64, 2), glued(made, facts["validation"], 64, 2))
    assert np.array_equal(both, drawn(SIDE // 2, 2))
    assert facts["pixels"] == {"Background": int((both == 0).sum()), "Blob": 40 * 40}
    assert facts["ignore_index"] == IGNORE and facts["labels"] == {"background": 0, "Blob": 1, "ignore": 2}


def test_pictures_are_the_slide_under_their_labels(lab: Lab, made: Path) -> None:
    facts = record(made)
    with open_slide(lab.slide) as slide:
        for entry in facts["training"]:
            image = picture(made / entry["image"])
            left, top = entry["region"][0] // 2, entry["region"][1] // 2
            window = slide.pyramid.window_at(2.0)
            whole = slide.read_window(window)
            part = whole[top : top + 64, left : left + 64]
            assert np.abs(image[: part.shape[0], : part.shape[1]].astype(int) - part).max() <= 1
    with Image.open(made / facts["training"][0]["label"]) as label:
        assert label.mode == "L", "a palette would become colours in most readers"


def test_every_file_is_listed_with_its_sum_and_none_else_is_there(made: Path) -> None:
    facts = record(made)
    listed = {"dataset.json", "README.txt", "slidebridge-export.json", *(s["geojson"] for s in facts["slides"])}
    for entry in (*facts["training"], *facts["validation"]):
        for kind in ("image", "label"):
            listed.add(entry[kind])
            assert hashlib.sha256((made / entry[kind]).read_bytes()).hexdigest() == entry[f"{kind}_sha256"]
    assert {p.relative_to(made).as_posix() for p in made.rglob("*") if p.is_file()} == listed
    assert facts["numTraining"] == len(facts["training"]) and facts["file_ending"] == ".png"
    assert all(name.endswith("_0000.png") for name in listed if name.startswith("images"))


def test_monai_reads_the_list_as_it_is(made: Path) -> None:
    (first, *_) = load_decathlon_datalist(made / "dataset.json", data_list_key="training")
    assert Path(first["image"]).is_file() and Path(first["label"]).is_file()


def test_outlines_are_what_was_burnt_and_nothing_a_model_said(made: Path) -> None:
    found = read_geojson((made / "geojson" / "case.geojson").read_bytes()).annotations
    by_class = {(a.path_class, tuple(a.geometry.bounds)) for a in found}
    assert by_class == {
        ("Blob", ANSWER.bounds),
        ("ROI", LEFT.bounds),
        ("ROI", RIGHT.bounds),
        ("Ignore*", (160, 20, 180, 40)),
    }
    assert {a.metadata["split"] for a in found} <= {"training", "hold-out", "both"}


def test_same_labels_give_the_same_bytes(lab: Lab, made: Path, tmp_path: Path) -> None:
    run(lab, tmp_path / "out", "--tile-px", "64")
    assert files(tmp_path / "out") == files(made)


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_nothing_is_written_into_the_project(lab: Lab, tmp_path: Path) -> None:
    before = files(lab.root)
    run(lab, tmp_path / "out", "--tile-px", "128", "--format", "tif")
    assert files(lab.root) == before
    (entry, *_) = record(tmp_path / "out")["training"]
    assert tifffile.imread(tmp_path / "out" / entry["image"]).shape == (128, 128, 3)
    assert tifffile.imread(tmp_path / "out" / entry["label"]).shape == (128, 128)


def test_whole_masks_are_the_tiles_glued(lab: Lab, made: Path, tmp_path: Path) -> None:
    run(lab, tmp_path / "out", "--whole")
    facts = record(tmp_path / "out")
    assert facts["ignore_index"] == 255 and "numTraining" not in facts
    parts = [(facts[name], record(made)[name]) for name in ("training", "validation")]
    assert any(entries for entries, _ in parts)
    for entries, tiles in parts:
        for entry in entries:
            mask = read_label_mask(tmp_path / "out" / entry["label"])
            assert mask.names == ("Background", "Blob") and mask.downsample == 2.0
            expected = glued(made, tiles, 64, 2)
            assert np.array_equal(np.where(mask.labels == 255, IGNORE, mask.labels), expected)


@pytest.fixture
def many(tmp_path: Path) -> Callable[..., Lab]:
    def make(*names: str, more: str = "") -> Lab:
        lab = make_lab(tmp_path / "project", more)
        lab.slide.unlink()
        for seed, name in enumerate(names):
            draw_slide(lab.root / f"{name}.tif", seed)
            (lab.root / f"{name}.xml").write_bytes(xml_of(labelled(seed)))
        return lab

    return make


def test_held_out_slides_are_apart(many: Callable[..., Lab], tmp_path: Path) -> None:
    lab = many("a", "b", "c", "d", "e")
    run(lab, tmp_path / "out")
    facts = record(tmp_path / "out")
    training = {entry["slide"] for entry in facts["training"]}
    held = {entry["slide"] for entry in facts["validation"]}
    assert training and held and not training & held and training | held == {"a", "b", "c", "d", "e"}
    assert all(entry["image"].startswith("imagesTs/") for entry in facts["validation"])


def test_hashed_names_are_all_that_is_said_of_a_slide(many: Callable[..., Lab], tmp_path: Path) -> None:
    lab = many("Mrs Example", more="\n[privacy]\nhash_names = true\n")
    run(lab, tmp_path / "out")
    for name, data in files(tmp_path / "out").items():
        assert "Example" not in name and b"Example" not in data
    assert record(tmp_path / "out")["slides"][0]["slide"].startswith("slide-")


def damage_last_tile(path: Path) -> None:
    """Damage a slide where it is read last: by then some of its tiles were written."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert len(page.dataoffsets) > 1
        start, length = page.dataoffsets[-1], page.databytecounts[-1]
    with path.open("r+b") as raw:
        raw.seek(start)
        raw.write(b"\0" * length)


def test_damaged_slide_is_left_out_whole_and_the_others_are_there(many: Callable[..., Lab], tmp_path: Path) -> None:
    lab = many("good", "good_x1_y1", "bad")
    damage_last_tile(lab.root / "bad.tif")
    found = run(lab, tmp_path / "out", "--tile-px", "64", status=1)
    assert len(found["problems"]) == 1 and found["problems"][0].startswith("bad")
    names = {name.rpartition("/")[2] for name in files(tmp_path / "out")}
    assert not any(name.startswith("bad") for name in names) and "good_x1_y1.geojson" in names
    assert {entry["slide"] for part in ("training", "validation") for entry in record(tmp_path / "out")[part]} == {
        "good",
        "good_x1_y1",
    }


def test_what_is_left_out_is_told_without_its_hidden_name(
    many: Callable[..., Lab], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = many("good", "Mrs Example", more="\n[privacy]\nhash_names = true\n")
    damage_last_tile(lab.root / "Mrs Example.tif")
    result = lab.run("export", "dataset", "--out", str(tmp_path / "out"), "--tile-px", "64")
    assert result.exit_code == 1 and "left out: slide-" in result.stdout
    assert "Example" not in f"{result.stdout}{caplog.text}"


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_what_is_told_of_an_export_is_plain_on_a_terminal(many: Callable[..., Lab], tmp_path: Path) -> None:
    lab = many("good", "bad\x1b[2J")
    damage_last_tile(lab.root / "bad\x1b[2J.tif")
    place = ["--out", str(tmp_path / "out"), "--project", str(lab.root)]
    result = RUNNER.invoke(app, ["export", "dataset", *place, "--tile-px", "64"], color=True)
    assert "left out: bad\ufffd[2J" in result.stdout and "\x1b" not in result.stdout


def test_area_that_reaches_off_the_slide_labels_nothing_there(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "project")
    lab.write({"ROI": [(shapely.box(300, 300, 500, 500), "")], "Blob": [(shapely.box(350, 350, 450, 450), "")]})
    run(lab, tmp_path / "out", "--tile-px", "32", "--mpp", "0.5")
    facts = record(tmp_path / "out")
    assert facts["pixels"] == {"Background": 84 * 84 - 34 * 34, "Blob": 34 * 34}


@pytest.fixture
def boxes(tmp_path: Path) -> Lab:
    """A project of which one slide has a box that was given a class, and nothing else."""
    lab = make_lab(tmp_path / "project")
    assert lab.run("propose").exit_code == 0
    text = lab.xml.read_text("utf-8")
    named = re.sub(r'Text="#1 [^"]*"', 'Text="Blob"', text, count=1)
    assert named != text
    lab.xml.write_text(named, "utf-8", newline="")
    return lab


def test_slides_with_nothing_but_boxes_of_one_class_are_named(boxes: Lab, tmp_path: Path) -> None:
    draw_slide(boxes.root / "drawn.tif", seed=1)
    (boxes.root / "drawn.xml").write_bytes(xml_of({"ROI": [(LEFT, "")], "Blob": [(ANSWER, "")]}))
    facts = run(boxes, tmp_path / "out", "--tile-px", "64")
    assert facts["slides"] == 1 and facts["slides_with_boxes_only"] == ["case"] and facts["problems"] == []
    said = boxes.run("export", "dataset", "--out", str(tmp_path / "again"), "--tile-px", "64").stdout
    (line,) = [line for line in said.splitlines() if "nothing but boxes" in line]
    assert line.startswith("left out: 1 slide ") and line.endswith(": case")


def test_boxes_of_one_class_alone_make_no_data_set(boxes: Lab, tmp_path: Path) -> None:
    result = boxes.run("export", "dataset", "--out", str(tmp_path / "out"))
    assert "only boxes that were given one class each" in str(result.exception) and "on case;" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_nothing_labelled_is_one_line(tmp_path: Path) -> None:
    result = make_lab(tmp_path / "project").run("export", "dataset", "--out", str(tmp_path / "out"))
    assert "nothing is labelled yet" in str(result.exception) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--tile-px", "1"), ("--tile-px", "99999"), ("--mpp", "0"), ("--mpp", "-1")]
)
def test_sizes_that_make_no_tiles_are_refused(lab: Lab, tmp_path: Path, option: str, value: str) -> None:
    result = lab.run("export", "dataset", "--out", str(tmp_path / "out"), option, value)
    assert option in str(result.exception) and not (tmp_path / "out").exists()
