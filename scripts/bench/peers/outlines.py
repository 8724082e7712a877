"""Outlines of a label map by OpenCV: run by the environment ``outlines``, imports nothing of ours.

``python outlines.py MAP.npy RUNS OUT.wkb`` times contours with their hierarchy, made into shapely polygons with holes;
one line of JSON has the seconds, and how many polygons were dropped for having fewer than three corners.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import shapely


def main(source: str, runs: str, target: str) -> None:
    """Measure, and write the polygons of the last run."""
    labels = np.load(source)
    seconds: list[float] = []
    found: list[shapely.Polygon] = []
    dropped = 0
    for _ in range(int(runs)):
        start = time.perf_counter()
        found, dropped = outlines(labels)
        seconds.append(time.perf_counter() - start)
    Path(target).write_bytes(shapely.to_wkb(shapely.GeometryCollection(found)))
    print(json.dumps({"seconds": seconds, "dropped": dropped}))


def outlines(labels: Any) -> tuple[list[shapely.Polygon], int]:
    """Return polygons with holes, and how many contours are no polygon; vertices are centres of pixels."""
    contours, hierarchy = cv2.findContours(labels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    parents = hierarchy[0][:, 3].tolist() if hierarchy is not None else []
    rings = [contour[:, 0] + 0.5 for contour in contours]
    shells: dict[int, tuple[Any, list[Any]]] = {
        number: (ring, [])
        for number, (ring, parent) in enumerate(zip(rings, parents, strict=True))
        if parent < 0 and len(ring) > 2
    }
    for ring, parent in zip(rings, parents, strict=True):
        if parent in shells and len(ring) > 2:
            shells[parent][1].append(ring)
    kept = sum(1 + len(holes) for _, holes in shells.values())
    return [shapely.Polygon(shell, holes) for shell, holes in shells.values()], len(rings) - kept


if __name__ == "__main__":
    main(*sys.argv[1:])
