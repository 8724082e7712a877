from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tifffile
from export_lab import CARDS, CLASSES, UNET, crown, make_lab, net
from hypothesis import given
from hypothesis import strategies as st

from bridge.slides import TissueOptions, TissueRule, open_slide, tissue_mask
from lab_support import SIDE, Lab, draw_slide
from models.checkpoints import Card, Checkpoint, NetRole
from models.inference import PredictionOptions, Predictor, Runtime, open_predictor
from scripts.bench.peers import ENVIRONMENTS, LOCKS
from scripts.exporting.fast_pipeline import FastPipeline, fits, fitting_overlap, magnification

RUNNER = Path(__file__).resolve().parents[2] / "support" / "fast_pipeline_run.py"
PREDICT = "\n[predict]\ntile_px = 128\noverlap_px = 32\n"


@dataclass
class Block:
    """One ProcessObject or Renderer of a pipeline."""

    kind: str
    name: str
    attributes: dict[str, list[str]] = field(default_factory=dict)
    inputs: dict[int, str] = field(default_factory=dict)


@dataclass
class Parsed:
    """A pipeline, read by the rules of FAST's documentation and nothing else."""

    head: dict[str, str]
    attributes: dict[str, str]
    blocks: dict[str, Block]


def parse(text: str) -> Parsed:
    """Read a text pipeline; whatever FAST would stumble over raises."""
    parsed, block = Parsed({}, {}, {}), None
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        assert line.isprintable() and line.count('"') % 2 == 0 and "@@" not in line
        key, _, rest = line.partition(" ")
        if key.startswith("Pipeline"):
            assert block is None
            parsed.head[key] = rest.strip('"')
        elif key in ("ProcessObject", "Renderer"):
            name, kind = rest.split(" ")
            assert name not in parsed.blocks
            block = parsed.blocks[name] = Block(kind, name)
        elif key == "Attribute":
            name, _, value = rest.partition(" ")
            assert value
            if block is None:
                parsed.attributes[name] = value.strip('"')
            else:
                assert not block.inputs, "FAST ends a block's attributes at its first input"
                quoted = value.startswith('"')
                block.attributes[name] = value.strip('"').split('" "') if quoted else value.split(" ")
        else:
            assert key == "Input" and block is not None
            words = rest.split(" ")
            known = {"WSI"} if len(words) == 2 else set(parsed.blocks) - {block.name}
            assert words[1] in known, "an input stands before what takes it"
            block.inputs[int(words[0])] = words[1]
    return parsed


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return make_lab(tmp_path_factory.mktemp("fast") / "project", PREDICT)


def export(lab: Lab, out: Path, *more: str) -> dict[str, object]:
    result = lab.run("export", "fast", "--out", str(out), "--json", *more)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def pipeline_of(out: Path) -> tuple[Path, Parsed]:
    (path,) = (out / "pipelines").iterdir()
    return path, parse(path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("design", "network", "renderer"),
    [
        ("deepzoom", "SegmentationNetwork", "SegmentationRenderer"),
        ("weak", "SegmentationNetwork", "SegmentationRenderer"),
        ("patchwise", "NeuralNetwork", "HeatmapRenderer"),
        ("hybrid", "NeuralNetwork", "HeatmapRenderer"),
    ],
)
def test_pipeline_names_a_model_beside_it_that_takes_its_tiles(
    lab: Lab, tmp_path: Path, design: str, network: str, renderer: str
) -> None:
    checkpoint = crown(lab, CARDS[design])
    found = export(lab, tmp_path / "out")
    path, parsed = pipeline_of(tmp_path / "out")

    assert parsed.blocks["network"].kind == network and parsed.blocks["result"].kind == renderer
    assert parsed.attributes["classes"] == "Background;Blob"
    side = int(parsed.blocks["patch"].attributes["patch-size"][0])
    assert parsed.blocks["patch"].attributes["patch-magnification"] == ["10"]
    output = parsed.head["PipelineOutputData"].split(" ")
    assert parsed.blocks[output[1]].kind == "PatchStitcher"
    (model,) = parsed.blocks["network"].attributes["model"]
    model_path = Path(model.replace("$CURRENT_PATH$", str(path.parent))).resolve()
    session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
    (given_input,) = session.get_inputs()
    assert given_input.shape[1:] == [3, side, side] and given_input.type == "tensor(float)"
    with open_slide(lab.slide) as slide:
        tile = slide.read_level(0, 0, 0, side, side)
    (answer,) = session.run(None, {given_input.name: tile.transpose(2, 0, 1)[None].astype(np.float32)})
    predictor = open_predictor(checkpoint, one_network=True, device="cpu")
    high = getattr(predictor, "high", None) or getattr(predictor, "net", None) or predictor.patches.net  # type: ignore[attr-defined]
    assert np.abs(answer - high.probabilities(tile[None])).max() < 1e-4
    left_out = [note for note in found["notes"] if "left out" in note]  # type: ignore[attr-defined]
    assert len(left_out) == (design in ("deepzoom", "hybrid"))


HOSTILE = st.text(min_size=1, max_size=30) | st.sampled_from(
    ['a"b', "a;b", "@@x@@", "$CURRENT_PATH$", "a\nProcessObject x Y", "#", "a\u2028b", '" "']
)


@given(HOSTILE, st.lists(HOSTILE, min_size=1, max_size=4), st.booleans())
def test_hostile_names_stay_names(name: str, classes: list[str], says_one_class: bool) -> None:
    every = ("Background", *classes)
    text = FastPipeline(
        name, name, every, (None,) * len(every), "m.onnx", 0.5, 256, 0, says_one_class=says_one_class
    ).text()
    parsed = parse(text)
    assert set(parsed.blocks) == {"tissue", "patch", "network", "stitcher", "slide", "result"}
    assert len(parsed.attributes["classes"].split(";")) == len(every)
    assert text.count("$CURRENT_PATH$") == 1


@given(st.integers(2, 64), st.integers(0, 400))
def test_overlap_is_one_that_fast_takes_and_not_less_than_asked(sixteens: int, overlap: int) -> None:
    tile_px = 16 * sixteens
    found = fitting_overlap(tile_px, min(overlap, tile_px - 16))
    assert found >= min(overlap, tile_px - 16) and found < tile_px and fits(tile_px - found)
    assert found - min(overlap, tile_px - 16) < 16


@pytest.mark.parametrize(("mpp", "times"), [(0.25, 40), (0.5, 20), (1.0, 10), (2.0, 5), (8.0, 1.25)])
def test_magnifications_are_fasts(mpp: float, times: float) -> None:
    assert magnification(mpp) == times


def test_model_that_needs_slides_stained_alike_is_refused_unless_forced(lab: Lab, tmp_path: Path) -> None:
    from dataclasses import replace

    from models.checkpoints import StainReference

    stains = StainReference((0.65, 0.704, 0.286), (0.09, 0.99, 0.108), (1.9, 1.0))
    crown(lab, Card("weak", (replace(CARDS["weak"].nets[0], stains=stains),)))
    refused = lab.run("export", "fast", "--out", str(tmp_path / "out"))
    assert "stain was matched" in str(refused.exception) and not (tmp_path / "out").exists()
    assert any("stain was matched" in note for note in export(lab, tmp_path / "out", "--force")["notes"])  # type: ignore[attr-defined]


def draw_svs(path: Path) -> None:
    """Write the lab's slide as a file of Aperio's, which says its magnification: FAST wants one."""
    draw_slide(path.with_suffix(".tif"))
    pixels = tifffile.imread(path.with_suffix(".tif"))
    said = f"Aperio Image Library v1\r\n{SIDE}x{SIDE} (128x128) JPEG/RGB Q=95|AppMag = 20|MPP = 0.5"
    tifffile.imwrite(
        path, pixels, tile=(128, 128), photometric="rgb", compression="jpeg", description=said, metadata=None
    )


def fast_python() -> Path:
    """Return the Python of the bench environment, which is not made here."""
    python = ENVIRONMENTS / "fast" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (python.exists() and (ENVIRONMENTS / "fast" / "made-from").exists()):
        pytest.skip("FAST isn't here; `python -m scripts.bench prediction` installs it")
    return python


def run_by_fast(pipeline: Path, slide: Path, output: str, scratch: Path) -> tuple[Mapping[str, str], np.ndarray]:  # type: ignore[type-arg]
    command = [str(fast_python()), str(RUNNER), str(LOCKS / "fast_predict.py"), str(pipeline), str(slide), output]
    found = scratch / "found.npy"
    done = subprocess.run([*command, str(found)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1]), np.load(found)


def evening_lift(checkpoint: Checkpoint, slide_path: Path) -> float:
    """Return what makes a drawn network find both of its classes, each on half of a slide."""
    high = Predictor(checkpoint, device="cpu", runtime=Runtime.TORCH)
    with open_slide(slide_path) as slide:
        (shares,) = high.probabilities(slide.read_level(0, 0, 0, SIDE, SIDE)[None].copy())
    return float(np.median(np.log(shares[0]) - np.log(shares[1])))


def labels_of(checkpoint: Checkpoint, slide_path: Path) -> np.ndarray:  # type: ignore[type-arg]
    predictor = open_predictor(checkpoint, one_network=True, device="cpu")
    with open_slide(slide_path) as slide:
        whole = tissue_mask(slide, TissueOptions(rule=TissueRule.WHOLE))
        bands = predictor.predict(slide, whole, PredictionOptions(tile_px=128, overlap_px=32))
        return np.concatenate([band.probabilities.argmax(axis=0) for band in bands], axis=0)


def test_fast_itself_loads_the_pipeline_and_finds_what_we_find(lab: Lab, tmp_path: Path) -> None:
    fast_python()
    draw_svs(tmp_path / "slide.svs")
    card = Card("deepzoom", (net(NetRole.HIGH, UNET, 0.5),))
    checkpoint = crown(lab, card, lift=evening_lift(crown(lab, card), tmp_path / "slide.svs"))
    export(lab, tmp_path / "out")
    path, parsed = pipeline_of(tmp_path / "out")
    said, found = run_by_fast(path, tmp_path / "slide.svs", "segmentation", tmp_path)
    ours = labels_of(checkpoint, tmp_path / "slide.svs")
    assert said == {"name": parsed.head["PipelineName"], "classes": ";".join(CLASSES)}
    theirs = found.reshape(found.shape[:2])[: ours.shape[0], : ours.shape[1]]
    assert theirs.shape == ours.shape and 0.4 < ours.mean() < 0.6
    assert (theirs == ours).mean() > 0.98


def test_fast_itself_makes_a_heat_map_of_patches(lab: Lab, tmp_path: Path) -> None:
    fast_python()
    crown(lab, Card("patchwise", (net(NetRole.HIGH, CARDS["patchwise"].nets[0].options, 0.5, 32),)))
    export(lab, tmp_path / "out")
    draw_svs(tmp_path / "slide.svs")
    _, found = run_by_fast(pipeline_of(tmp_path / "out")[0], tmp_path / "slide.svs", "heatmap", tmp_path)
    assert found.shape == (12, 12, 2) and np.allclose(found.sum(axis=-1), 1, atol=1e-4)
