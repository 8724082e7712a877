"""``python -m scripts.bench``: every benchmark, one after another."""

from __future__ import annotations

from scripts.bench import codecs, objects, raster, selection
from scripts.bench.daemon import latency

if __name__ == "__main__":
    for bench in (raster, selection, objects, codecs, latency):
        bench.main()
