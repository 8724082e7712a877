"""A small project to run commands on: one synthetic slide with dark blobs on pink tissue, and its annotations.

Imported by tests as ``lab_support`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from PIL import Image
from shapely.geometry.base import BaseGeometry
from typer.testing import CliRunner, Result

from bridge.slides import write_pyramid

SIDE = 384
MPP = 0.5
RUNNER = CliRunner()

SETTINGS = """
[source]
kind = "imagescope"

[classes.colors]
Blob = "#c80000"

[watch]
settle_seconds = 0.01

[model]
encoder = "plain"
mpp = 1.0
one_network = true

[train]
max_steps = 6
tile_px = 64
batch_size = 2

[propose]
k = 3
region_um = 40
"""


def blobs(seed: int = 0, count: int = 40) -> list[tuple[int, int, int]]:
    """Return (x, y, radius) of dark blobs that lie on the slide."""
    random = np.random.default_rng(seed)
    return [tuple(int(v) for v in random.integers((12, 12, 5), (SIDE - 12, SIDE - 12, 11))) for _ in range(count)]


def draw_slide(path: Path, seed: int = 0, mpp: tuple[float, float] | None = (MPP, MPP)) -> None:
    """Write a slide: pink with noise, dark where the blobs are."""
    path.write_bytes(_drawn(path.suffix, seed, mpp))


@cache
def _drawn(suffix: str, seed: int, mpp: tuple[float, float] | None) -> bytes:
    """Return the file of a slide: drawn once, for hundreds of tests want the same."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"drawn{suffix}"
        _draw(path, seed, mpp)
        return path.read_bytes()


def _draw(path: Path, seed: int, mpp: tuple[float, float] | None) -> None:
    random = np.random.default_rng(seed)
    pixels = np.full((SIDE, SIDE, 3), (225, 150, 190), np.float64) + random.normal(0, 6, (SIDE, SIDE, 3))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for x, y, radius in blobs(seed):
        pixels[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = (90, 50, 130)
    drawn = pixels.clip(0, 255).astype(np.uint8)
    if mpp is None:
        Image.fromarray(drawn).save(path)  # a flat picture that doesn't say its resolution
    else:
        write_pyramid(path, drawn, mpp)


def xml_of(layers: Mapping[str, Sequence[tuple[BaseGeometry, str]]], mpp: float = MPP) -> bytes:
    """Return an ImageScope file: layer name → (outline, Text)."""
    text = [f'<Annotations MicronsPerPixel="{mpp:.6f}">']
    for number, (name, shapes) in enumerate(layers.items(), 1):
        text.append(
            f'<Annotation Id="{number}" Name="{name}" Type="4" LineColor="255" Visible="1"><Attributes/><Regions>'
        )
        for i, (shape, label) in enumerate(shapes, 1):
            vertices = "".join(f'<Vertex X="{x:g}" Y="{y:g}" Z="0"/>' for x, y in shape.exterior.coords)
            text.append(f'<Region Id="{i}" Type="0" Text="{label}" NegativeROA="0"><Attributes/>')
            text.append(f"<Vertices>{vertices}</Vertices></Region>")
        text.append("</Regions><Plots/></Annotation>")
    return "\r\n".join([*text, "</Annotations>"]).encode()


def as_points(data: bytes) -> bytes:
    """Return a file with its last outline's corners as loose points."""
    before, region, after = data.rpartition(b'Type="0"')
    return before + region + b' GeoShape="Points"' + after


def labelled(seed: int = 0) -> dict[str, list[tuple[BaseGeometry, str]]]:
    """Return an expert's work: every blob outlined in two boxes that are ROIs."""
    boxes = [shapely.box(20, 20, 180, 180), shapely.box(200, 200, 360, 360)]
    outlines = [shapely.Point(x, y).buffer(radius) for x, y, radius in blobs(seed)]
    inside = [(o, "") for o in outlines if any(o.intersects(box) for box in boxes)]
    return {"Blob": inside, "ROI": [(box, "") for box in boxes]}


@dataclass(frozen=True)
class Lab:
    """A project folder with one slide, and the commands run in it."""

    root: Path

    @property
    def slide(self) -> Path:
        return self.root / "case.tif"

    @property
    def xml(self) -> Path:
        return self.root / "case.xml"

    def write(self, layers: Mapping[str, Sequence[tuple[BaseGeometry, str]]]) -> bytes:
        data = xml_of(layers)
        self.xml.write_bytes(data)
        return data

    def set(self, text: str) -> None:
        """Add lines to the settings."""
        path = self.root / "slidebridge.toml"
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    def run(self, *arguments: str) -> Result:
        """Run a command in this project, as ``slidebridge`` would."""
        from scripts.cli import app

        return RUNNER.invoke(app, [*arguments, "--project", str(self.root)])
