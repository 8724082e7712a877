"""Label maps into polygons beside scikit-image and OpenCV, and GeoJSON beside plain ``geojson`` and ``shapely``.

Speed alone says little of outlines: the notes tell what is lost on the way, as polygons that aren't valid, holes that
aren't there, and how much of the map comes back when the polygons are burnt again, by one rule for all.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geojson
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon, mapping, shape
from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation
from bridge.coords import Window
from bridge.qupath import read_geojson, write_geojson
from bridge.raster import LabelMask, ShapeIndex, vectorize
from scripts.bench.measuring import Figure, Row, Scale, in_turn, repeated
from scripts.bench.peers import PeerMissing, ask_peer
from scripts.bench.raster import map_with_holes

NAME = "outlines"
TITLE = "Outlines of label maps, and GeoJSON"
LIBRARIES = ("numpy", "shapely", "scikit-image", "geojson", "orjson")
_VERTICES = 50


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of the map with holes, of the map with nuclei, of the GeoJSON file; how often."""

    map_side: int
    holes: int
    nuclei_side: int
    nuclei: int
    objects: int
    runs: int
    with_peers: bool


SIZES = {
    Scale.FULL: Sizes(4096, 666, 2048, 12_000, 20_000, 5, True),
    Scale.SMOKE: Sizes(512, 20, 512, 600, 1_000, 3, False),
}


def rows(scale: Scale) -> Iterator[Row]:
    """Measure two maps, and a file read and written."""
    sizes = SIZES[scale]
    holed = map_with_holes(sizes.map_side, sizes.holes, np.random.default_rng(1))
    yield from map_rows(f"{sizes.map_side}² labels with {sizes.holes} holes → polygons", holed, sizes, 1.0)
    nuclei = map_with_nuclei(sizes.nuclei_side, sizes.nuclei, np.random.default_rng(2))
    yield from map_rows(f"{sizes.nuclei_side}² labels of {sizes.nuclei:,} nuclei → polygons", nuclei, sizes, 0.5)
    yield from geojson_rows(sizes)


def map_with_nuclei(side: int, count: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Return small discs of label 1, some of them touching."""
    labels = np.zeros((side, side), np.uint8)
    down, across = np.ogrid[-6:7, -6:7]
    for x, y, radius in zip(*generator.integers(7, side - 7, (2, count)), generator.uniform(2, 6, count), strict=True):
        labels[y - 6 : y + 7, x - 6 : x + 7][down**2 + across**2 <= radius**2] = 1
    return labels


def map_rows(work: str, labels: NDArray[np.uint8], sizes: Sizes, least_ratio: float) -> Iterator[Row]:
    """Compare outlines of one map: scikit-image in turn with ours, OpenCV in its own environment."""
    mask = LabelMask(labels, Window(0, 0, *labels.shape[::-1]), ("Background", "Nucleus"))

    def ours() -> list[Polygon]:
        return [polygon for _, polygon in vectorize(mask)]

    our_figure, their_figure, found, others = in_turn(ours, lambda: marching_squares(labels), runs=sizes.runs)
    note = f"ours {_loss(found, labels)}; theirs {_loss(others, labels)}"
    yield Row(work, our_figure, "scikit-image find_contours", their_figure, None, least_ratio, note)
    if sizes.with_peers:
        yield _beside_opencv(work, ours, labels, sizes.runs)


def marching_squares(labels: NDArray[np.uint8]) -> list[Polygon]:
    """Return scikit-image's contours as polygons: each by itself, for they know of no holes."""
    from skimage.measure import find_contours

    contours = find_contours(np.pad(labels, 1), 0.5)  # type: ignore[no-untyped-call]  # it has no types
    return [Polygon(contour[:, ::-1] - 0.5) for contour in contours if len(contour) > 3]


def _beside_opencv(work: str, ours: Callable[[], list[Polygon]], labels: NDArray[np.uint8], runs: int) -> Row:
    figure, _ = repeated(ours, runs=runs)
    peer = "OpenCV findContours"
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "map.npy", Path(name) / "found.wkb"
        np.save(source, labels)
        try:
            (said,) = ask_peer("outlines", "outlines.py", source, runs, target)
        except PeerMissing as error:
            return Row(work, figure, peer, note=str(error))
        found: list[BaseGeometry] = shapely.get_parts(shapely.from_wkb(target.read_bytes())).tolist()
    note = f"theirs {_loss(found, labels)}, {said['dropped']:,} contours dropped: of one or two vertices"
    return Row(work, figure, peer, Figure.of(said["seconds"]), note=note)


def _loss(polygons: Sequence[BaseGeometry], labels: NDArray[np.uint8]) -> str:
    """Say how many polygons aren't valid, how many holes there are, and how well the map comes back."""
    invalid = int((~shapely.is_valid(np.array(polygons, dtype=object))).sum())
    holes = int(shapely.get_num_interior_rings(np.array(polygons, dtype=object)).sum())
    back = ShapeIndex([(polygon, 1) for polygon in polygons]).burn(Window(0, 0, *labels.shape[::-1])) > 0
    overlap = np.count_nonzero(back & (labels > 0)) / np.count_nonzero(back | (labels > 0))
    return f"{len(polygons):,} polygons, {invalid:,} invalid, {holes:,} holes, IoU {overlap:.4f}"


def geojson_rows(sizes: Sizes) -> Iterator[Row]:
    """Compare reading and writing of one file; the naive way knows geometry and properties, and checks nothing."""
    drawn = [Annotation(f"{i:08d}", outline, "Tumor") for i, outline in enumerate(_stars(sizes.objects))]
    file = write_geojson(drawn)
    what, peer = f"{sizes.objects:,} polygons of {_VERTICES}", "json, geojson, shapely"
    ours, theirs, read, plain = in_turn(lambda: read_geojson(file), lambda: read_plainly(file), runs=sizes.runs)
    assert len(read.annotations) == len(plain) == sizes.objects, "both read all"
    yield Row(f"GeoJSON of {what} → shapely", ours, peer, theirs, None, 0.3)
    ours, theirs, _, _ = in_turn(lambda: write_geojson(drawn), lambda: write_plainly(drawn), runs=sizes.runs)
    yield Row(f"{what} → GeoJSON", ours, peer, theirs, None, 1.0)


def read_plainly(file: bytes) -> list[tuple[BaseGeometry, dict[str, Any]]]:
    """Return geometry and properties of each feature."""
    read = json.loads(file)
    features = read["features"] if isinstance(read, dict) else read
    return [(shape(feature["geometry"]), feature["properties"]) for feature in features]


def write_plainly(drawn: Sequence[Annotation]) -> bytes:
    """Return a file as one writes it with the library."""
    features = [
        geojson.Feature(one.object_id, mapping(one.geometry), {"classification": {"name": one.path_class}})
        for one in drawn
    ]
    text: str = geojson.dumps(geojson.FeatureCollection(features))
    return text.encode()


def _stars(count: int) -> list[Polygon]:
    generator = np.random.default_rng(6)
    angle = np.linspace(0, 2 * np.pi, _VERTICES, endpoint=False)
    radius = 40 * (1 + 0.1 * np.sin(5 * angle + generator.uniform(0, 7, (count, 1))))
    turn = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    outlines: list[Polygon] = shapely.polygons(
        np.round(generator.uniform(100, 90_000, (count, 1, 2)) + radius[..., None] * turn, 2)
    ).tolist()
    return outlines
