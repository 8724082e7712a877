"""What the bench of prediction does in processes of its own: ours from file to bands or outlines, and bare forwards."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.onnx_library import load_onnxruntime
from scripts.bench.measuring import repeated
from scripts.bench.networks import MPP, TILE_PX
from scripts.bench.rows import Figure

if TYPE_CHECKING:  # torch comes with it: loaded where it is used
    from models.inference import PredictionCost, PredictionOptions, SlidePredictor

OVERLAP_PX = 64


@dataclass(frozen=True, slots=True)
class Predicted:
    """One slide predicted: opening the network, which comes once a process, is left out."""

    seconds: float
    cost: PredictionCost

    @property
    def note(self) -> str:
        """Return where the time goes, in milliseconds a tile."""
        cost = self.cost
        parts = {
            "read": cost.read,
            "network": cost.network,
            "glue": cost.stitch,
            "outlines": cost.vectorize,
            "network waits for pixels": cost.waited_for_read,
        }
        each = ", ".join(f"{name} {1e3 * seconds / cost.tiles:.1f}" for name, seconds in parts.items())
        return f"ms per tile: {each}"


def slide_to_bands(slide: Path, checkpoint: Path, labels: Path) -> Predicted:
    """Predict a slide band by band, down to its labels; they are kept after the clock has stopped."""
    from bridge.slides import TissueOptions, TissueRule, open_slide, tissue_mask
    from models.inference import Stopwatch

    predictor, options = _predictor(checkpoint)
    watch = Stopwatch(time.perf_counter)
    found: list[NDArray[np.uint8]] = []
    with open_slide(slide, mpp=(MPP, MPP)) as opened:
        tissue = tissue_mask(opened, TissueOptions(rule=TissueRule.WHOLE))
        for band in predictor.predict(opened, tissue, options, watch=watch):
            found.append(band.most_probable().labels)
    cost = watch.cost()
    np.save(labels, np.concatenate(found))
    return Predicted(cost.wall, cost)


def slide_to_outlines(slide: Path, checkpoint: Path) -> Predicted:
    """Predict a slide as the loop does, scores for boxes included."""
    from bridge.slides import TissueOptions, TissueRule
    from scripts.loop.drawing import PredictorBands
    from scripts.loop.slide_work import predict_slide
    from scripts.options import PredictOptions, ProposeOptions

    predictor, options = _predictor(checkpoint)
    whole = TissueOptions(rule=TissueRule.WHOLE)
    bands = PredictorBands(predictor, options)
    found = predict_slide(slide, (MPP, MPP), bands, MPP, PredictOptions(), ProposeOptions(), whole)
    assert found is not None and found.cost is not None, "nobody stops it, and there is a network"
    return Predicted(found.cost.wall, found.cost)


def bare_onnxruntime(model: Path, count: int) -> Figure:
    """Run the network on pixels in memory, one tile at a time, all else as ONNX Runtime has it."""
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    tile = _pixels()
    session.run(None, {"pixels": tile})  # memory is taken once
    return repeated(lambda: [session.run(None, {"pixels": tile}) for _ in range(count)], runs=1)[0]


def bare_torch(checkpoint: Path, count: int) -> Figure:
    """Run the network on pixels in memory by torch as it comes, one tile at a time."""
    import torch

    from models.checkpoints import load_checkpoint
    from scripts.bench.networks import segmenter

    net, tile = segmenter(load_checkpoint(checkpoint)), torch.from_numpy(_pixels()).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        net(tile)
        return repeated(lambda: [net(tile) for _ in range(count)], runs=1)[0]


def _predictor(checkpoint: Path) -> tuple[SlidePredictor, PredictionOptions]:
    from models.checkpoints import load_checkpoint
    from models.inference import PredictionOptions, open_predictor

    predictor = open_predictor(load_checkpoint(checkpoint), device="cpu")
    return predictor, PredictionOptions(tile_px=TILE_PX, overlap_px=OVERLAP_PX)


def _pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (1, TILE_PX, TILE_PX, 3), np.uint8)
