"""A whole slide predicted by FAST (pyfast): ``fast_predict.py SLIDE MODEL.onnx TILE_PX OVERLAP_PX LABELS.npy``.

Run by the Python of the environment ``fast``. The labels of the whole slide at level 0 are written; seconds and peak
memory are answered as JSON.
"""

import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import libusb_package
import numpy as np
import pocl_binary_distribution


def main() -> None:
    """Parse, predict, answer."""
    slide, model, tile_px, overlap_px, labels = sys.argv[1:6]
    fast = loaded()
    fast.Reporter.setGlobalReportMethod(fast.Reporter.NONE)
    start = time.perf_counter()
    importer = fast.WholeSlideImageImporter.create(slide)
    side = int(tile_px)
    share = int(overlap_px) / side / 2  # told per side of a patch
    patches = fast.PatchGenerator.create(side, side, level=0, overlapPercent=share).connect(importer)
    network = fast.SegmentationNetwork.create(
        model, scaleFactor=1.0, heatmapOutput=False, threshold=0.0, inferenceEngine="ONNXRuntime"
    ).connect(patches)
    stitcher = fast.PatchStitcher.create().connect(network)
    tiles, stitched = 0, None
    for stitched in fast.DataStream(stitcher):  # noqa: B007 -- the last one is whole
        tiles += 1
    found = np.asarray(stitched)
    seconds = time.perf_counter() - start
    np.save(labels, found.astype(np.uint8))
    print(json.dumps({"seconds": seconds, "tiles": tiles, "peak_bytes": peak_bytes()}))


def loaded() -> Any:  # a module without types
    """Return the library, which wants two others of the system: they come from wheels here."""
    ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)
    folder = Path(pocl_binary_distribution.__file__).parents[1] / "pyopencl" / ".libs"
    os.environ["OCL_ICD_FILENAMES"] = str(next(folder.glob("libpocl*.so")))
    import fast

    return fast


def peak_bytes() -> int:
    """Return what this process held at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
