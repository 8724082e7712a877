"""Tiles read from a slide, beside OpenSlide's bare ``read_region``: what decoding alone takes.

Tiles of 512² that share 64 pixels, of a slide of JPEG tiles. Ours are arrays of red, green and blue, laid on white
where the slide is transparent; OpenSlide's are left as it gives them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from openslide import OpenSlide

from bridge.coords import Window
from bridge.errors import BridgeError
from bridge.raster import TileGrid
from bridge.slides import Slide, open_slide
from scripts.bench.huge_slide import HugeSlide, write_huge_slide
from scripts.bench.measuring import Figure, Row, Scale, in_turn, ratio_at_least
from scripts.bench.peers import PeerMissing, ask_peer

NAME = "reading"
TITLE = "Tiles read from slides"
LIBRARIES = ("numpy", "openslide-python", "openslide-bin", "pillow")
TILE_PX = 512
OVERLAP_PX = 64
_MPP = 0.5
_BETWEEN = 1.3  # a downsample between levels: read at level 0, resampled
_THREADS = 2
_SIZES = {Scale.FULL: (10, 5), Scale.SMOKE: (4, 3)}  # tiles across, runs


class WrongPixelsError(BridgeError):
    """What was read isn't what OpenSlide reads."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One slide, and how often it is read."""

    path: Path
    runs: int

    def windows(self, downsample: float) -> list[Window]:
        """Return the tiles that lie on the slide."""
        with open_slide(self.path) as slide:
            extent = slide.pyramid.window_at(downsample)
        return [tile for tile in TileGrid(extent, TILE_PX, OVERLAP_PX) if tile.intersection(extent) == tile]


def rows(scale: Scale) -> Iterator[Row]:
    """Measure level 0 and between levels, with one thread and with the threads of a prediction."""
    across, runs = _SIZES[scale]
    side = across * (TILE_PX - OVERLAP_PX) + OVERLAP_PX
    with tempfile.TemporaryDirectory(prefix="slidebridge-") as scratch:
        ground = Ground(Path(scratch) / "slide.tif", runs)
        write_huge_slide(ground.path, HugeSlide(side, side, _MPP))
        level_0 = ground.windows(1.0)
        _check(ground, level_0)
        alone = _row(ground, "level 0, one thread", level_0, 1)
        yield alone
        yield _row(ground, f"level 0, {_THREADS} threads", level_0, _THREADS)
        yield _row(ground, "between levels, one thread", ground.windows(_BETWEEN), 1)
        if scale is Scale.FULL:
            yield _beside_tiffslide(ground, alone.ours, level_0)


def _row(ground: Ground, how: str, windows: Sequence[Window], threads: int) -> Row:
    ours, theirs, _, _ = in_turn(
        partial(_read_ours, ground.path, windows, threads),
        partial(_read_bare, ground.path, windows, threads),
        runs=ground.runs,
    )
    is_level = windows[0].downsample == 1
    return Row(
        f"{len(windows)} tiles of {TILE_PX}², {how}",
        ours.rate(len(windows), "tiles"),
        "OpenSlide, bare",
        theirs.rate(len(windows), "tiles"),
        ratio_at_least(0.9) if is_level else None,
        0.45 if is_level else 0.2,
        "" if is_level else f"downsample {_BETWEEN}: OpenSlide reads the pixels of level 0 and leaves them so",
    )


def _read_ours(path: Path, windows: Sequence[Window], threads: int) -> None:
    with open_slide(path) as slide:
        _spread(lambda window: _drop(slide.read_window(window)), windows, threads)


def _read_bare(path: Path, windows: Sequence[Window], threads: int) -> None:
    with OpenSlide(path) as slide:
        _spread(lambda window: _drop(slide.read_region(*_region(window))), windows, threads)


def _spread(read: Callable[[Window], None], windows: Sequence[Window], threads: int) -> None:
    if threads == 1:
        for window in windows:
            read(window)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(read, windows):
            pass


def _drop(pixels: object) -> None:
    """Forget a tile: none is kept."""


def _region(window: Window) -> tuple[tuple[int, int], int, tuple[int, int]]:
    side = round(window.width * window.downsample)
    return (round(window.x * window.downsample), round(window.y * window.downsample)), 0, (side, side)


def _check(ground: Ground, windows: Sequence[Window]) -> None:
    with open_slide(ground.path) as ours, OpenSlide(ground.path) as theirs:
        for window in windows[:: max(1, len(windows) // 4)]:
            if not _is_same(ours, theirs, window):
                raise WrongPixelsError(f"the tile at {window.x}, {window.y} isn't what OpenSlide reads")


def _is_same(ours: Slide, theirs: OpenSlide, window: Window) -> bool:
    return np.array_equal(ours.read_window(window), np.asarray(theirs.read_region(*_region(window)).convert("RGB")))


def _beside_tiffslide(ground: Ground, ours: Figure, windows: Sequence[Window]) -> Row:
    row = Row(f"{len(windows)} tiles of {TILE_PX}², level 0, one thread", ours, "tiffslide", target=ratio_at_least(1.0))
    places = [f"{window.x},{window.y}" for window in windows]
    try:
        (said,) = ask_peer("tiffslide", "tiffslide_read.py", ground.path, TILE_PX, *places)
    except PeerMissing as error:
        return Row(row.work, ours, row.peer, target=row.target, note=f"not measured: {error}")
    theirs = Figure.of([said["seconds"]]).rate(len(windows), "tiles")
    return Row(row.work, ours, row.peer, theirs, row.target)
