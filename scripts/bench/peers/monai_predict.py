"""A whole slide predicted by MONAI's own pipeline: ``monai_predict.py SLIDE MODEL.pt TILE_PX OVERLAP_PX LABELS.npy``.

Run by the Python of the environment ``monai``: its splitter of slides read by OpenSlide, a TorchScript network, and its
merger that averages where tiles overlap. The labels of the slide are written; seconds and peak memory are answered as
JSON.
"""

import json
import sys
import time

import numpy as np
import torch
from monai.inferers import AvgMerger, PatchInferer, WSISlidingWindowSplitter


class Counted(torch.nn.Module):
    """A network that counts its tiles; pixels are whole numbers."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.net = torch.jit.load(path).eval()
        self.tiles = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return probabilities."""
        self.tiles += len(pixels)
        return self.net(torch.as_tensor(pixels).float())


def main() -> None:
    """Parse, predict, answer."""
    slide, model, tile_px, overlap_px, labels = sys.argv[1:6]
    side = int(tile_px)
    network = Counted(model)
    start = time.perf_counter()
    splitter = WSISlidingWindowSplitter(
        (side, side), overlap=int(overlap_px) / side, pad_mode="constant", reader="OpenSlide", level=0
    )
    with torch.inference_mode():
        merged = PatchInferer(splitter, AvgMerger, batch_size=1)(slide, network)
    found = merged[0].argmax(dim=0).numpy()
    seconds = time.perf_counter() - start
    np.save(labels, found.astype(np.uint8))
    print(json.dumps({"seconds": seconds, "tiles": network.tiles, "peak_bytes": peak_bytes()}))


def peak_bytes() -> int:
    """Return what this process held at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
