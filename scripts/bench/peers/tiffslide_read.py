"""Tiles read by tiffslide: ``tiffslide_read.py SLIDE SIDE X,Y X,Y …``; run by the Python of ``tiffslide``.

Seconds are answered as JSON, and the sum of all pixels.
"""

import json
import sys
import time

import numpy as np
import tiffslide


def main() -> None:
    """Parse, read, answer."""
    path, side, *places = sys.argv[1:]
    size = (int(side), int(side))
    slide = tiffslide.TiffSlide(path)
    total = 0
    start = time.perf_counter()
    for place in places:
        x, y = place.split(",")
        total += int(np.asarray(slide.read_region((int(x), int(y)), 0, size))[0, 0, 0])
    print(json.dumps({"seconds": time.perf_counter() - start, "sum": total}))


if __name__ == "__main__":
    main()
