from __future__ import annotations

import json
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from export_lab import CARDS, crown, make_lab
from numpy.typing import NDArray

from bridge.slides import open_slide
from lab_support import Lab
from models.checkpoints import Card, Checkpoint
from models.inference import Predictor, Runtime, torchscript

# WSInfer's model zoo, spec 1.0, as its documentation lists the keys of config.json.
SCHEMA = {
    "type": "object",
    "required": [
        "spec_version",
        "architecture",
        "num_classes",
        "patch_size_pixels",
        "spacing_um_px",
        "class_names",
        "transform",
    ],
    "properties": {
        "spec_version": {"const": "1.0"},
        "architecture": {"type": "string"},
        "num_classes": {"type": "integer", "minimum": 1},
        "patch_size_pixels": {"type": "integer", "minimum": 1},
        "spacing_um_px": {"type": "number", "exclusiveMinimum": 0},
        "class_names": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "transform": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"enum": ["Resize", "ToTensor", "Normalize"]},
                    "arguments": {"type": "object"},
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("wsinfer") / "project")


def export(lab: Lab, out: Path, *more: str) -> dict[str, object]:
    result = lab.run("export", "wsinfer", "--out", str(out), "--json", *more)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def read_by_wsinfer(folder: Path, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Do what WSInfer and QuPath do with the folder: the listed transforms, the network, softmax over the classes."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    jsonschema.validate(config, SCHEMA)
    assert len(config["class_names"]) == config["num_classes"]
    values = tiles.astype(np.float32)
    for step in config["transform"]:
        if step["name"] == "Resize":
            assert tiles.shape[1:3] == (step["arguments"]["size"],) * 2, "tiles of the right side are as they were"
        elif step["name"] == "ToTensor":
            values = values.transpose(0, 3, 1, 2) / 255
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the readers have TorchScript all the same
        module = torch.jit.load(folder / "torchscript_model.pt", map_location="cpu")
    with torch.inference_mode():
        logits = module(torch.from_numpy(np.ascontiguousarray(values))).numpy()
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def tiles_of(lab: Lab, side: int, count: int) -> NDArray[np.uint8]:
    with open_slide(lab.slide) as slide:
        return np.stack([slide.read_level(0, 30 * i, 20 * i, side, side) for i in range(count)])


def network(checkpoint: Checkpoint, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
    return Predictor(checkpoint, device="cpu", runtime=Runtime.TORCH).probabilities(tiles)


@pytest.mark.parametrize("design", ["deepzoom", "patchwise", "hybrid", "weak"])
@pytest.mark.parametrize("count", [1, 3])
def test_wsinfer_finds_what_the_model_finds(lab: Lab, tmp_path: Path, design: str, count: int) -> None:
    checkpoint = crown(lab, CARDS[design])
    export(lab, tmp_path / "out")
    tiles = tiles_of(lab, checkpoint.card.tile_px, count)
    expected = network(checkpoint, tiles)
    expected = expected if expected.ndim == 2 else expected.mean(axis=(2, 3))
    found = read_by_wsinfer(tmp_path / "out", tiles)
    assert found.shape == (count, 2) and np.abs(found - expected).max() < 1e-4


def test_label_head_that_labels_have_taught_says_the_class(lab: Lab, tmp_path: Path) -> None:
    checkpoint = crown(lab, CARDS["weak_with_labels"])
    notes = export(lab, tmp_path / "out")["notes"]
    tiles = tiles_of(lab, 64, 3)
    net = checkpoint.build()
    with torch.inference_mode():
        pixels = (torch.from_numpy(tiles).permute(0, 3, 1, 2).float() - 127) / 128
        expected = net.classify(pixels).softmax(dim=1).numpy()
    assert np.abs(read_by_wsinfer(tmp_path / "out", tiles) - expected).max() < 1e-4
    assert np.abs(expected - network(checkpoint, tiles).mean(axis=(2, 3))).max() > 1e-3, "the two ways differ"
    assert any("your patch labels taught it" in note for note in notes)  # type: ignore[attr-defined]


@pytest.mark.parametrize("design", ["deepzoom", "patchwise", "weak_with_labels"])
def test_copy_that_sees_other_brightness_is_not_handed_over(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, design: str
) -> None:
    crown(lab, CARDS[design])
    monkeypatch.setattr(torchscript, "_BRIGHTEST", 2.0)
    result = lab.run("export", "wsinfer", "--out", str(tmp_path / "out"))
    assert "differs from the model" in str(result.exception) and list(tmp_path.iterdir()) == []


def test_config_says_classes_in_the_models_order_and_its_resolution(lab: Lab, tmp_path: Path) -> None:
    crown(lab, CARDS["one_network"])
    notes = export(lab, tmp_path / "out", "--tile-px", "128")["notes"]
    config = json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))
    assert config["class_names"] == ["Background", "Blob"] and config["spacing_um_px"] == 1.0
    assert config["patch_size_pixels"] == 128
    readme = (tmp_path / "out" / "README.md").read_text("utf-8")
    for said in (readme, " ".join(notes)):  # type: ignore[arg-type]
        assert "the mean of its pixels'" in said


@pytest.mark.parametrize(("design", "side"), [("one_network", "130"), ("one_network", "8"), ("patchwise", "64")])
def test_tiles_that_are_not_the_models_are_refused(lab: Lab, tmp_path: Path, design: str, side: str) -> None:
    crown(lab, CARDS[design])
    result = lab.run("export", "wsinfer", "--out", str(tmp_path / "out"), "--tile-px", side)
    assert f"--tile-px {side}" in str(result.exception) and not (tmp_path / "out").exists()


def test_file_is_code_and_tensors_and_no_class_of_ours(lab: Lab, tmp_path: Path) -> None:
    crown(lab, CARDS["one_network"])
    export(lab, tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / "torchscript_model.pt") as archive:
        names = archive.namelist()
        code = b"".join(archive.read(name) for name in names if name.endswith(".py"))
    assert any(name.endswith("constants.pkl") for name in names) and b"import" not in code


def test_quiet_probabilities_are_numbers_too(lab: Lab, tmp_path: Path) -> None:
    card = CARDS["one_network"]
    loud = replace(card.nets[0].normalization, scale=(1e-6, 1e-6, 1e-6))
    crown(lab, Card("deepzoom", (replace(card.nets[0], normalization=loud),)))
    export(lab, tmp_path / "out")
    assert np.isfinite(read_by_wsinfer(tmp_path / "out", tiles_of(lab, 64, 2))).all()
