"""Drawn shapes into masks and back, beside plain rasterio, shapely and lxml.

An ImageScope file of 500 outlines as a hand draws them becomes one mask of the slide, and all its tiles; a label map
with holes becomes valid polygons and, exactly, itself again. A slide's worth of labels becomes polygons band by band.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import rasterio.features
import shapely
from lxml import etree
from numpy.typing import NDArray
from rasterio.transform import Affine
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation
from bridge.coords import Window
from bridge.errors import BridgeError
from bridge.imagescope import read_imagescope
from bridge.imagescope.plain import write_imagescope
from bridge.raster import LabelMask, ShapeIndex, vectorize, vectorize_bands
from scripts.bench.measuring import MIB, Figure, Row, Scale, Target, at_most, in_child, in_turn

NAME = "raster"
TITLE = "Masks out of drawn shapes, and shapes out of masks"
LIBRARIES = ("numpy", "shapely", "rasterio", "lxml")
TILE = 500
MPP = (0.25, 0.25)
_NAMES = ("Background", "Tumor")
_VERTICES = 278
_BAND = 500
_BANDS_SIDE = 20_000
_PLAIN = "rasterio, shapely, lxml"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the slide and of the map, in pixels, with what is in them."""

    side: int
    shapes: int
    map_side: int
    holes: int
    runs: int


SIZES = {
    Scale.FULL: Sizes(20_000, 500, 4096, 666, 3),
    Scale.SMOKE: Sizes(4_000, 40, 1024, 60, 2),
}


class WrongMaskError(BridgeError):
    """What was measured isn't right, however fast."""


def rows(scale: Scale) -> Iterator[Row]:
    """Measure masks of a file, the file of a mask, maps there and back, and a large map in bands."""
    sizes, is_full = SIZES[scale], scale is Scale.FULL
    drawn = draw_shapes(sizes.shapes, sizes.side, np.random.default_rng(0))
    file = write_imagescope([Annotation(f"s{i}", s, "Tumor") for i, s in enumerate(drawn)], MPP)

    def due(target: Target) -> Target | None:
        return target if is_full else None

    yield whole_mask(file, sizes, due(at_most(0.5, "s")))
    yield all_tiles(file, sizes, due(at_most(3, "s")))
    yield mask_to_file(drawn, sizes, due(at_most(1, "s")))
    labels = map_with_holes(sizes.map_side, sizes.holes, np.random.default_rng(1))
    yield round_trip(labels, sizes, due(at_most(0.6, "s")))
    if is_full:
        yield from in_bands(_BANDS_SIDE)


def in_bands(side: int) -> Iterator[Row]:
    """Vectorize a large map in bands, in a process of its own."""
    cost, count = in_child(large_map, side)
    work = f"{side:,}² labels in bands of {_BAND} rows → {count:,} polygons"
    yield Row(work, Figure.of([cost.seconds]), target=at_most(10, "s"))
    yield Row(f"{work}: the whole process", cost.peak, target=at_most(1e9 / MIB, "MiB"))


def draw_shapes(count: int, side: int, generator: np.random.Generator) -> list[Polygon]:
    """Return outlines as a hand draws them: smooth, closed, here and there crossing themselves."""
    angle = np.linspace(0, 2 * np.pi, _VERTICES, endpoint=False)
    drawn = []
    for _ in range(count):
        radius = generator.uniform(100, 350) * np.ones(_VERTICES)
        for wave in (2, 3, 5, 8):
            radius *= 1 + generator.uniform(0, 0.25) * np.sin(wave * angle + generator.uniform(0, 7))
        centre = generator.uniform(0, side, 2)
        drift = generator.normal(0, 0.5, (_VERTICES, 2))
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


def whole_mask(file: bytes, sizes: Sizes, target: Target | None) -> Row:
    """Burn all shapes of a file into one mask."""
    window = Window(0, 0, sizes.side, sizes.side)
    ours, theirs, mask, other = in_turn(
        lambda: _index(file).burn(window), lambda: _burn_plainly(_valid_plainly(file), window), runs=sizes.runs
    )
    work = f"XML of {sizes.shapes} shapes / {sizes.shapes * _VERTICES // 1000}k vertices → one mask of {sizes.side:,}²"
    note = f"{np.count_nonzero(mask != other):,} of {mask.size:,} pixels differ from theirs"
    return Row(work, ours, _PLAIN, theirs, target, 0.6, note)


def all_tiles(file: bytes, sizes: Sizes, target: Target | None) -> Row:
    """Burn every tile of half overlap; ours must equal the crop of our whole mask."""
    starts = range(0, sizes.side - TILE + 1, TILE // 2)
    windows = [Window(x, y, TILE, TILE) for y in starts for x in starts]

    def burn_ours() -> int:
        index = _index(file)
        return sum(int(index.burn(window)[0, 0]) for window in windows)

    def burn_theirs() -> int:
        valid = np.array(_valid_plainly(file))
        tree = shapely.STRtree(valid)
        return sum(_tile_plainly(valid, tree, window) for window in windows)

    ours, theirs, _, _ = in_turn(burn_ours, burn_theirs, runs=sizes.runs)
    _check_tiles(file, sizes.side, windows)
    return Row(f"XML → {len(windows):,} tiles of {TILE}², half overlapping", ours, _PLAIN, theirs, target, 0.7)


def mask_to_file(drawn: Sequence[Polygon], sizes: Sizes, target: Target | None) -> Row:
    """Turn one mask of the slide into an ImageScope file."""
    window = Window(0, 0, sizes.side, sizes.side)
    mask = LabelMask(ShapeIndex([(s, 1) for s in drawn]).burn(window), window, _NAMES)

    def write_ours() -> bytes:
        found = vectorize(mask)
        return write_imagescope([Annotation(f"p{i}", p, _NAMES[label]) for i, (label, p) in enumerate(found)], MPP)

    ours, theirs, _, _ = in_turn(write_ours, lambda: _write_plainly(mask.labels), runs=sizes.runs)
    return Row(f"one mask of {sizes.side:,}² → XML", ours, _PLAIN, theirs, target, 0.5)


def round_trip(labels: NDArray[np.uint8], sizes: Sizes, target: Target | None) -> Row:
    """Go from labels to polygons and back, exactly."""
    mask = LabelMask(labels, Window(0, 0, *labels.shape[::-1]), _NAMES)

    def go_ours() -> tuple[list[tuple[int, Polygon]], NDArray[np.uint8]]:
        polygons = vectorize(mask)
        return polygons, ShapeIndex([(p, label) for label, p in polygons]).burn(mask.window)

    def go_theirs() -> NDArray[np.uint8]:
        found = [shape(outline) for outline, _ in rasterio.features.shapes(labels, mask=labels > 0)]
        return _burn_plainly(found, mask.window)

    ours, theirs, (polygons, back), other = in_turn(go_ours, go_theirs, runs=sizes.runs)
    invalid = sum(not p.is_valid for _, p in polygons)
    if invalid or not np.array_equal(back, labels):
        raise WrongMaskError(f"{invalid} invalid polygons, {np.count_nonzero(back != labels)} pixels lost on the way")
    note = f"ours exact, none invalid; {np.count_nonzero(other != labels):,} pixels differ in theirs"
    work = f"{len(labels)}² labels with {sizes.holes} holes → valid polygons → labels"
    return Row(work, ours, "rasterio, shapely", theirs, target, 0.4, note)


def large_map(side: int) -> int:
    """Vectorize a large map in bands that are made as they are asked for; return how many polygons came."""
    block = map_with_holes(2000, 166, np.random.default_rng(2))
    row = np.tile(block, (1, side // 2000))

    def bands() -> Iterator[LabelMask]:
        for y in range(0, side, _BAND):
            yield LabelMask(row[y % 2000 : y % 2000 + _BAND], Window(0, y, side, _BAND), _NAMES)

    return sum(1 for _ in vectorize_bands(bands()))


def _index(file: bytes) -> ShapeIndex:
    return ShapeIndex([(annotation.geometry, 1) for annotation in read_imagescope(file).annotations])


def _valid_plainly(file: bytes) -> list[BaseGeometry]:
    """Return the file's shapes as a few lines of lxml and shapely read them."""
    regions = etree.fromstring(file).iter("Region")
    rings = ([(float(v.attrib["X"]), float(v.attrib["Y"])) for v in region.iter("Vertex")] for region in regions)
    return [shapely.make_valid(Polygon(ring)) for ring in rings]


def _write_plainly(labels: NDArray[np.uint8]) -> bytes:
    """Return a file of the mask's outlines as a few lines of rasterio and lxml write it: no hole, no other dialect."""
    root = etree.Element("Annotations")
    regions = etree.SubElement(etree.SubElement(root, "Annotation", Name=_NAMES[1]), "Regions")
    for number, (found, _) in enumerate(rasterio.features.shapes(labels, mask=labels > 0), 1):
        vertices = etree.SubElement(etree.SubElement(regions, "Region", Id=str(number)), "Vertices")
        for x, y in found["coordinates"][0]:
            etree.SubElement(vertices, "Vertex", X=str(x), Y=str(y), Z="0")
    return bytes(etree.tostring(root))


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


def _check_tiles(file: bytes, side: int, windows: Sequence[Window]) -> None:
    index = _index(file)
    whole = index.burn(Window(0, 0, side, side))
    for window in windows[:: max(1, len(windows) // 500)]:
        if not np.array_equal(index.burn(window), whole[window.y : window.bottom, window.x : window.right]):
            raise WrongMaskError(f"the tile at {window.x}, {window.y} isn't the crop of the whole mask")
