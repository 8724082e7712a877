"""Two projects of generated slides: dark blobs on pink tissue, every outline of which is known exactly.

One is a QuPath project, the other a folder with ImageScope files. Every other slide is stained another way, so that a
model that saw one slide has something left to learn. One more slide, of both stains, belongs to neither project: the
model is measured on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from PIL import Image, ImageDraw

from bridge.annotations import Rgb
from bridge.qupath import create_project
from bridge.slides import write_pyramid
from scripts.demo.truth import load_truth, save_truth
from scripts.options import SourceKind
from scripts.project import Project, open_project
from scripts.set_up import new_image, our_classes
from scripts.survey import settings_text, write_settings

Stain = tuple[int, int, int]
Truth = Sequence[tuple[str, shapely.geometry.base.BaseGeometry]]
BLOB = "Blob"
CLASSES: Mapping[str, Rgb] = {BLOB: (200, 0, 0)}
SIDE = 448  # of a slide, level-0 pixels
MPP = 0.5
BOX_UM = 40.0  # side of a proposed box
TEST_SLIDE = "test.tif"
DECOY = "Decoy"  # looks like a blob at first sight, and is none: to be learned
_SPACING = 44  # pixels between two shapes
_SHARES = (0.5, 0.3, 0.2)  # of the places: a blob, a decoy, nothing
_TISSUE = (225, 150, 190)
_COLORS: Mapping[str, Rgb] = {BLOB: (90, 50, 130), DECOY: (135, 65, 95)}
_SPREAD = 12  # of a colour
STAINS: Sequence[Stain] = ((0, 0, 0), (-85, -60, -50))  # added to the colours of every other slide
_EVERYWHERE = 1e6  # the expert sees the whole slide

SETTINGS: Mapping[str, object] = {
    "watch.settle_seconds": 0.3,
    "watch.rescan_seconds": 2.0,
    "watch.poll_seconds": 0.5,
    "model.encoder": "plain",
    "model.mpp": 1.0,
    "model.one_network": True,
    "train.max_steps": 30,
    "train.learning_rate": 0.003,
    "train.tile_px": 64,
    "train.batch_size": 4,
    "train.checkpoint_every": 4,
    "predict.tile_px": 256,
    "predict.min_area_um2": 20.0,
    "propose.k": 3,
    "propose.region_um": BOX_UM,
}


class Tool(Enum):
    """Which tool a project's expert sits at."""

    QUPATH = "qupath"
    IMAGESCOPE = "imagescope"


@dataclass(frozen=True)
class Place:
    """One project of the world, and what lies beside it.

    Parameters
    ----------
    world
        The world's folder; the project lies in it under the tool's name.
    """

    world: Path
    tool: Tool

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.world / self.tool.value

    @property
    def ledger(self) -> Path:
        """Where the expert writes down what he is about to save."""
        return self.world / f"{self.tool.value}.ledger"

    @property
    def stop_file(self) -> Path:
        """The expert goes home as soon as this file is there."""
        return self.world / f"{self.tool.value}.stop"

    @cached_property
    def project(self) -> Project:
        """The project, opened."""
        return open_project(self.root)

    def truth(self, slide: Path) -> tuple[tuple[str, shapely.geometry.base.BaseGeometry], ...]:
        """Return the true (class, outline) of a slide."""
        return load_truth(_truth_path(self.world, slide.stem))


def places(world: Path) -> tuple[Place, ...]:
    """Return the projects of a world."""
    return tuple(Place(world, tool) for tool in Tool)


def make_world(
    world: Path, *, slides: int = 3, seed: int = 0, side: int = SIDE, settings: Mapping[str, object] | None = None
) -> tuple[Place, ...]:
    """Make the slides, both projects and their settings in a folder.

    Parameters
    ----------
    slides
        Of each project.
    settings
        ``section.key`` → value, over ``SETTINGS``.
    """
    (world / "truth").mkdir(parents=True)
    _make_slide(world, world / TEST_SLIDE, seed, side, STAINS)
    for number, place in enumerate(places(world), 1):
        place.root.mkdir()
        paths = [place.root / f"{place.tool.value}-{i}.tif" for i in range(1, slides + 1)]
        for i, path in enumerate(paths):
            _make_slide(world, path, seed + 100 * number + i, side, STAINS[i % len(STAINS) :][:1])
        kind, source = SourceKind.IMAGESCOPE, "."
        if place.tool is Tool.QUPATH:
            create_project(place.root, [new_image(path) for path in paths], our_classes(CLASSES), now=datetime.now(UTC))
            kind, source = SourceKind.QUPATH, "project.qpproj"
        text = settings_text(kind, source, CLASSES, {}, {**SETTINGS, **(settings or {})})
        write_settings(place.root, text, may_replace=False)
    return places(world)


def _make_slide(world: Path, path: Path, seed: int, side: int, stains: Sequence[Stain]) -> None:
    shapes = draw_shapes(seed, side)
    write_pyramid(path, draw_pixels(shapes, seed, side, stains), (MPP, MPP))
    save_truth(_truth_path(world, path.stem), [s for s in shapes if s[0] == BLOB], _EVERYWHERE)


def _truth_path(world: Path, stem: str) -> Path:
    return world / "truth" / f"{stem}.json"


def draw_shapes(seed: int, side: int) -> Truth:
    """Return blobs and what only looks like them, none touching another.

    Corners lie on whole pixels: both tools keep those exactly.
    """
    random = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    found = []
    for top in range(0, side - _SPACING + 1, _SPACING):
        for left in range(0, side - _SPACING + 1, _SPACING):
            x, y = random.integers(18, _SPACING - 18, 2, endpoint=True) + np.array([left, top])
            radius = random.integers(8, 15) * random.uniform(0.85, 1.1, len(angles))
            corners = np.round(np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1))
            found.append((str(random.choice((BLOB, DECOY, ""), p=_SHARES)), shapely.Polygon(corners)))
    return tuple(shape for shape in found if shape[0])


def draw_pixels(shapes: Truth, seed: int, side: int, stains: Sequence[Stain]) -> np.ndarray:
    """Return the picture: uint8, shape (side, side, 3); where there are several stains, in stripes side by side."""
    random = np.random.default_rng(seed)
    picture = Image.new("RGB", (side, side), _TISSUE)
    draw = ImageDraw.Draw(picture)
    for name, outline in shapes:
        color = tuple(int(v) for v in random.normal(_COLORS[name], _SPREAD).clip(0, 255))
        draw.polygon([(x, y) for x, y in shapely.get_coordinates(outline).tolist()], fill=color)
    stripe = np.arange(side) * len(stains) // side
    noise = random.normal(0, 8, (side, side, 3)) + np.array(stains)[stripe]
    pixels: np.ndarray = (np.asarray(picture) + noise).clip(0, 255).astype(np.uint8)
    return pixels
