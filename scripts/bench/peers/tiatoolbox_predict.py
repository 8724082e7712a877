"""A whole slide predicted by TIAToolbox: ``tiatoolbox_predict.py SLIDE MODEL.pt TILE_PX OVERLAP_PX LABELS.npy``.

Run by the Python of the environment ``tiatoolbox``: its engine with a TorchScript network. The labels of the slide are
written; seconds and peak memory are answered as JSON.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import zarr
from tiatoolbox.models.engine.io_config import IOSegmentorConfig
from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
from tiatoolbox.models.models_abc import ModelABC


class Network(ModelABC):
    """A TorchScript network as the engine wants it."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.net = torch.jit.load(path).eval()
        self.tiles = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return probabilities."""
        return self.net(pixels)

    @staticmethod
    def infer_batch(model: torch.nn.Module, batch_data: torch.Tensor, *, device: str) -> np.ndarray:
        """Return (n, y, x, classes) of (n, y, x, colours)."""
        model.tiles += len(batch_data)
        pixels = torch.as_tensor(batch_data).to(device).float().permute(0, 3, 1, 2).contiguous()
        with torch.inference_mode():
            return model(pixels).permute(0, 2, 3, 1).numpy()

    @staticmethod
    def postproc(image: np.ndarray) -> np.ndarray:
        """Return each pixel's class (y, x); left as they are, the engine would cast probabilities to whole numbers."""
        return image.argmax(axis=-1)


def main() -> None:
    """Parse, predict, answer."""
    slide, model, tile_px, overlap_px, labels = sys.argv[1:6]
    side, step = int(tile_px), int(tile_px) - int(overlap_px)
    whole = {"units": "baseline", "resolution": 1.0}
    network = Network(model)
    with tempfile.TemporaryDirectory() as scratch:
        start = time.perf_counter()
        config = IOSegmentorConfig(
            input_resolutions=[whole],
            output_resolutions=[whole],
            save_resolution=whole,
            patch_input_shape=(side, side),
            patch_output_shape=(side, side),
            stride_shape=(step, step),
        )
        engine = SemanticSegmentor(model=network, batch_size=1, num_workers=0, device="cpu", verbose=False)
        engine.run(
            images=[Path(slide)],
            patch_mode=False,
            ioconfig=config,
            save_dir=Path(scratch) / "out",
            output_type="zarr",
            auto_get_mask=False,
        )
        seconds = time.perf_counter() - start
        (written,) = Path(scratch, "out").glob("*.zarr")
        np.save(labels, np.asarray(zarr.open(str(written), mode="r")["predictions"]).astype(np.uint8))
    print(json.dumps({"seconds": seconds, "tiles": network.tiles, "peak_bytes": peak_bytes()}), flush=True)
    os._exit(0)  # threads that its engine leaves behind would keep the process


def peak_bytes() -> int:
    """Return what this process held at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
