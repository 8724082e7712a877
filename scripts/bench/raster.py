"""How fast the raster room is, beside plain rasterio and shapely in the same run.

``python -m scripts.bench.raster`` prints one row per work: ours, theirs, the ratio, and how many pixels differ.
``--large`` does the 20,000² map in bands instead, alone, so that the peak of memory is its own.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import rasterio.features
import shapely
from numpy.typing import NDArray
from rasterio.transform import Affine
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from bridge.coords import Window
from bridge.raster import LabelMask, ShapeIndex, vectorize, vectorize_bands

SIDE = 20_000
TILE = 500
MAP = 4096
HOLES = 666
NAMES = ("Background", "Tumor")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; seconds."""

    work: str
    ours: float
    theirs: float
    differing: int

    def __str__(self) -> str:
        ratio = self.theirs / self.ours
        return (
            f"{self.work:<58} {self.ours:7.2f} s  {self.theirs:7.2f} s  {ratio:6.1f} ×  {self.differing:9d} px differ"
        )


def main() -> None:
    """Print the table."""
    if "--large" in sys.argv:
        print(large_map())
        return
    print(f"{'work':<58} {'ours':>9}  {'rasterio':>9}  {'ratio':>8}")
    shapes = draw_shapes(500, 278, np.random.default_rng(0))
    print(whole_mask(shapes))
    print(all_tiles(shapes))
    print(round_trip(map_with_holes(MAP, HOLES, np.random.default_rng(1))))


def draw_shapes(count: int, vertices: int, generator: np.random.Generator) -> list[Polygon]:
    """Return outlines as a hand draws them: smooth, closed, here and there crossing themselves."""
    angle = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    drawn = []
    for _ in range(count):
        radius = generator.uniform(100, 350) * np.ones(vertices)
        for wave in (2, 3, 5, 8):
            radius *= 1 + generator.uniform(0, 0.25) * np.sin(wave * angle + generator.uniform(0, 7))
        centre = generator.uniform(0, SIDE, 2)
        drift = generator.normal(0, 0.5, (vertices, 2))
        drawn.append(Polygon(centre + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1) + drift))
    return drawn


def map_with_holes(side: int, holes: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return one area of label 1 with round holes, every second of them with an island in it."""
    labels = np.zeros((side, side), np.uint8)
    labels[4:-4, 4:-4] = 1
    cells = math.ceil(math.sqrt(holes))
    cell = side // cells
    for hole in range(holes):
        radius = int(generator.integers(cell // 8, cell // 3))
        shift = generator.integers(radius + 5, cell - radius - 5, 2)
        y, x = np.array(divmod(hole, cells)) * cell + shift
        _stamp(labels, y, x, radius, 0)
        if hole % 2:
            _stamp(labels, y, x, radius // 2, 1)
    return labels


def whole_mask(shapes: Sequence[Polygon]) -> Row:
    """Burn all shapes into one mask."""
    window = Window(0, 0, SIDE, SIDE)
    ours, mask = _timed(lambda: ShapeIndex([(s, 1) for s in shapes]).burn(window))
    theirs, other = _timed(lambda: _burn_plainly([shapely.make_valid(s) for s in shapes], window))
    return Row(f"{len(shapes)} shapes, one mask of {SIDE:,}²", ours, theirs, int(np.count_nonzero(mask != other)))


def all_tiles(shapes: Sequence[Polygon]) -> Row:
    """Burn every tile of half overlap; count the pixels in which our tiles differ from the crop of our whole."""
    starts = range(0, SIDE - TILE + 1, TILE // 2)
    windows = [Window(x, y, TILE, TILE) for y in starts for x in starts]

    def burn_ours() -> int:
        index = ShapeIndex([(s, 1) for s in shapes])
        return sum(int(index.burn(window)[0, 0]) for window in windows)

    def burn_theirs() -> int:
        valid = np.array([shapely.make_valid(s) for s in shapes])
        tree = shapely.STRtree(valid)
        return sum(_tile_plainly(valid, tree, window) for window in windows)

    ours, _ = _timed(burn_ours)
    theirs, _ = _timed(burn_theirs)
    return Row(f"{len(windows):,} tiles of {TILE}², half overlapping", ours, theirs, _ours_off_crop(shapes, windows))


def round_trip(labels: NDArray[np.uint8]) -> Row:
    """Go from labels to polygons and back."""
    mask = LabelMask(labels, Window(0, 0, *labels.shape[::-1]), NAMES)

    def go_ours() -> tuple[list[tuple[int, Polygon]], NDArray[np.uint8]]:
        polygons = vectorize(mask)
        return polygons, ShapeIndex([(p, label) for label, p in polygons]).burn(mask.window)

    def go_theirs() -> NDArray[np.uint8]:
        found = [shape(outline) for outline, _ in rasterio.features.shapes(labels, mask=labels > 0)]
        return _burn_plainly(found, mask.window)

    ours, (polygons, back) = _timed(go_ours)
    theirs, _ = _timed(go_theirs)
    holes = sum(len(p.interiors) for _, p in polygons)
    invalid = sum(not p.is_valid for _, p in polygons)
    work = f"{MAP}² map, {holes} holes, {invalid} invalid → polygons → back"
    return Row(work, ours, theirs, int(np.count_nonzero(back != labels)))


def large_map() -> str:
    """Vectorize 20,000² in bands that are made as they are asked for."""
    block = map_with_holes(2000, HOLES // 4, np.random.default_rng(2))
    row = np.tile(block, (1, SIDE // 2000))

    def bands() -> Iterator[LabelMask]:
        for y in range(0, SIDE, 500):
            top = y % 2000
            yield LabelMask(row[top : top + 500], Window(0, y, SIDE, 500), NAMES)

    start = time.perf_counter()
    count = sum(1 for _ in vectorize_bands(bands()))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{SIDE:,}² map in bands of 500 rows → {count} polygons: {seconds:.2f} s, peak {peak:.0f} MiB of the process"


def _stamp(labels: NDArray[np.uint8], y: int, x: int, radius: int, value: int) -> None:
    down, across = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    patch = labels[y - radius : y + radius + 1, x - radius : x + radius + 1]
    patch[down**2 + across**2 <= radius**2] = value


def _tile_plainly(valid: NDArray[np.object_], tree: shapely.STRtree, window: Window) -> int:
    touched = np.sort(tree.query(shapely.box(*window.bounds)))
    return int(_burn_plainly(valid[touched].tolist(), window)[0, 0])


def _burn_plainly(shapes: Sequence[BaseGeometry], window: Window) -> NDArray[np.uint8]:
    out = np.zeros(window.shape, np.uint8)
    if shapes:
        transform = Affine.translation(window.x, window.y)
        rasterio.features.rasterize(((s, 1) for s in shapes), out=out, transform=transform)
    return out


def _ours_off_crop(shapes: Sequence[Polygon], windows: Sequence[Window]) -> int:
    index = ShapeIndex([(s, 1) for s in shapes])
    whole = index.burn(Window(0, 0, SIDE, SIDE))
    return sum(
        int(np.count_nonzero(index.burn(w) != whole[w.y : w.bottom, w.x : w.right]))
        for w in windows[:: len(windows) // 500]
    )


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the best of three runs: memory that the system hands out first is charged to whoever comes first."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


if __name__ == "__main__":
    main()
