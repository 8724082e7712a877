from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from export_lab import CARDS, crown, make_lab

from bridge.slides import open_slide
from lab_support import Lab
from models.checkpoints import NetRole
from models.nets import Segmenter

FILES = {
    "deepzoom": {"coarse": NetRole.LOW, "fine": NetRole.HIGH},
    "one_network": {"segmentation": NetRole.HIGH},
    "patchwise": {"patches": NetRole.HIGH},
    "hybrid": {"patches": NetRole.HIGH, "refinement": NetRole.REFINEMENT},
    "weak": {"segmentation": NetRole.HIGH},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("onnx") / "project")


Export = Callable[..., dict[str, object]]


@pytest.fixture
def export(lab: Lab, tmp_path: Path) -> Export:
    def run(*more: str) -> dict[str, object]:
        result = lab.run("export", "onnx", "--out", str(tmp_path / "out"), "--json", *more)
        assert result.exit_code == 0, result.output
        found: dict[str, object] = json.loads(result.stdout)
        return found

    return run


def before(lab: Lab) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in lab.root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("design", list(FILES))
def test_every_network_answers_a_foreign_program_as_the_model_does(
    lab: Lab, export: Export, tmp_path: Path, design: str
) -> None:
    checkpoint = crown(lab, CARDS[design])
    was = before(lab)
    found = export()
    assert before(lab) == was, "an export writes nothing into the project"

    card = json.loads((tmp_path / "out" / "card.json").read_text("utf-8"))
    assert [n["network"] for n in card["networks"]] == list(FILES[design])
    with open_slide(lab.slide) as slide:
        picture = slide.read_level(0, 40, 40, 160, 160)
    for entry, role in zip(card["networks"], FILES[design].values(), strict=True):
        path = tmp_path / "out" / entry["file"]
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        stride, channels = entry["stride_px"], len(entry["channels"])
        segmenter = Segmenter(checkpoint.build(role), checkpoint.card.net(role).normalization).eval()
        for count, height, width in ((1, 16 * stride, 8 * stride), (3, 8 * stride, 8 * stride)):
            tiles = np.stack([picture[i : i + height, i : i + width] for i in range(count)])
            tiles = np.concatenate((tiles, tiles), axis=-1)[..., :channels]
            (answer,) = session.run(None, {"pixels": tiles})
            with torch.inference_mode():
                expected = segmenter(torch.from_numpy(tiles)).numpy()
            assert answer.shape == expected.shape and np.abs(answer - expected).max() < 1e-4
            assert np.allclose(answer.sum(axis=1), 1, atol=1e-5)
    assert found["checkpoint"] == checkpoint.id
    assert all(n["checked"]["largest_difference"] < 1e-4 for n in found["networks"])  # type: ignore[attr-defined]
    assert all(n["speed"]["times_as_quick_as_torch"] > 0 for n in found["networks"])  # type: ignore[attr-defined]


def test_file_says_what_it_is(lab: Lab, export: Export, tmp_path: Path) -> None:
    checkpoint = crown(lab, CARDS["one_network"])
    export("--licence", "CC-BY-4.0")
    said = {p.key: p.value for p in onnx.load(tmp_path / "out" / "segmentation.onnx").metadata_props}
    assert said["checkpoint"] == checkpoint.id and said["licence"] == "CC-BY-4.0"
    assert json.loads(said["classes"]) == ["Background", "Blob"] and json.loads(said["colours"]) == [None, "#c80000"]
    assert float(said["mpp"]) == 1.0 and said["tile_px"] == "64"
    assert "uint8 (n, height, width, 3)" in said["input_layout"]
    readme = (tmp_path / "out" / "README.txt").read_text("utf-8")
    assert "1  Blob  #c80000" in readme and "CC-BY-4.0" in readme and "multiple of 4" in readme


def test_one_network_leaves_the_coarse_one_out(lab: Lab, export: Export, tmp_path: Path) -> None:
    crown(lab, CARDS["deepzoom"])
    export("--one-network")
    assert [p.name for p in (tmp_path / "out").glob("*.onnx")] == ["segmentation.onnx"]


def test_same_model_gives_the_same_files(lab: Lab, export: Export, tmp_path: Path) -> None:
    crown(lab, CARDS["patchwise"])
    export()
    first = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    export("--force")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == first


def test_earlier_model_is_named_by_its_first_digits(lab: Lab, export: Export) -> None:
    earlier = crown(lab, CARDS["one_network"], seed=5)
    crown(lab, CARDS["one_network"], seed=6)
    assert export("--checkpoint", earlier.id[:9])["checkpoint"] == earlier.id


@pytest.mark.parametrize("wanted", ["ffffffffffffffff", "../..", "", "zz"])
def test_unknown_model_is_one_line(lab: Lab, tmp_path: Path, wanted: str) -> None:
    crown(lab, CARDS["one_network"])
    result = lab.run("export", "onnx", "--out", str(tmp_path / "out"), "--checkpoint", wanted)
    assert result.exit_code != 0 and not (tmp_path / "out").exists()
    assert "the project has no such model" in str(result.exception) or "several models" in str(result.exception)


def test_project_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    result = make_lab(tmp_path / "bare").run("export", "onnx", "--out", str(tmp_path / "out"))
    assert "slidebridge train" in str(result.exception) and not (tmp_path / "out").exists()


def test_real_slide_is_what_the_check_looks_at(shared_data: Path, tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "project")
    lab.slide.unlink()
    shutil.copy(shared_data / "wsi" / "CMU-1-Small-Region.svs", lab.root)
    crown(lab, CARDS["weak"])
    result = lab.run("export", "onnx", "--out", str(tmp_path / "out"), "--json")
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)["networks"]
    assert found["checked"]["tiles"] == 6 and found["checked"]["slides"] == 1
    assert 0 < found["checked"]["largest_difference"] < 1e-4


def test_hidden_names_of_slides_that_cant_be_read_are_not_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lab = make_lab(tmp_path / "project", "\n[privacy]\nhash_names = true\n")
    crown(lab, CARDS["one_network"])
    lab.slide.rename(lab.root / "Mrs Example.tif").write_bytes(b"no slide")
    result = lab.run("export", "onnx", "--out", str(tmp_path / "out"))
    assert "none can be read" in str(result.exception) and "Example" not in f"{result.exception}{caplog.text}"


def test_model_is_not_handed_over_unchecked_where_no_slide_can_be_read(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "project")
    crown(lab, CARDS["one_network"])
    lab.slide.write_bytes(b"no slide")
    result = lab.run("export", "onnx", "--out", str(tmp_path / "out"))
    assert "checked on tiles of the project's slides" in str(result.exception)
    assert [p.name for p in tmp_path.iterdir()] == ["project"]
