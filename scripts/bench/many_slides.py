"""Projects of very many tiny slides, or of one with very many objects: made in seconds, for how the loop's work grows.

All slides are copies of one picture; what is drawn on them differs, so that no two annotation files are the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import shapely

from bridge.annotations import Annotation, Rgb, SlideEntry
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import create_project
from bridge.qupath.plain import append_annotations
from bridge.slides import write_pyramid
from scripts.options import SourceKind
from scripts.project import Project, open_project
from scripts.set_up import new_image, our_classes
from scripts.survey import settings_text, write_settings

BLOB = "Blob"
CLASSES: Mapping[str, Rgb] = {BLOB: (200, 0, 0)}
MPP = 0.5
_CELL, _RADIUS, _CORNERS = 16, 6.0, 24  # pixels from one object to the next; vertices of each
_MOST_SIDE = 2048  # pixels of a slide; objects beyond it teach nothing, so they are drawn closer together
_SETTINGS: Mapping[str, object] = {
    "watch.settle_seconds": 0.01,
    "model.encoder": "plain",
    "model.one_network": True,
}


@dataclass(slots=True)
class ManySlides:
    """A project on disk, and what a person has open of it.

    Parameters
    ----------
    objects
        Outlines on each slide, beside its ROI.
    """

    project: Project
    kind: SourceKind
    objects: int
    saves: int = 0

    def save_one_more(self, entry: SlideEntry) -> None:
        """Draw one more object on a slide, and save."""
        self.saves += 1
        left, top = 3 * (self.saves % 30), 3 * (self.saves // 30)
        drawn = Annotation(_name("b", self.saves), shapely.box(left, top, left + 2, top + 2), BLOB, color=CLASSES[BLOB])
        path = entry.annotation_path
        if self.kind is SourceKind.QUPATH:
            path.write_bytes(append_annotations(path.read_bytes(), [drawn]).data)
        else:
            seed = self.project.source.slides().index(entry)
            path.write_bytes(write_imagescope((*_drawn(self.objects, seed), drawn), (MPP, MPP)))


def make_many(folder: Path, kind: SourceKind, *, slides: int, objects: int) -> ManySlides:
    """Make a project in a folder of its own.

    Parameters
    ----------
    kind
        ImageScope or QuPath.
    """
    folder.mkdir(parents=True)
    side = min(_MOST_SIDE, _CELL * (int(np.ceil(np.sqrt(objects))) + 2))
    pixels = np.full((side, side, 3), (225, 150, 190), np.uint8)
    pixels[::7, ::5] = (90, 50, 130)
    paths = [folder / f"slide-{number:05d}.tif" for number in range(slides)]
    write_pyramid(paths[0], pixels, (MPP, MPP))
    for path in paths[1:]:
        shutil.copyfile(paths[0], path)
    source = "."
    if kind is SourceKind.QUPATH:
        image, source = new_image(paths[0]), "project.qpproj"
        images = [replace(image, path=path, name=path.name) for path in paths]
        create_project(folder, images, our_classes(CLASSES), now=datetime(2026, 1, 1, tzinfo=UTC))
    write_settings(folder, settings_text(kind, source, CLASSES, {}, _SETTINGS), may_replace=False)
    made = ManySlides(open_project(folder), kind, objects)
    _annotate(made)
    return made


def _annotate(made: ManySlides) -> None:
    entries = made.project.source.slides()
    empty = made.project.source.create(entries[0])  # the same for all but for the path of the slide
    for seed, entry in enumerate(entries):
        drawn = _drawn(made.objects, seed)
        entry.annotation_path.parent.mkdir(parents=True, exist_ok=True)
        is_qupath = made.kind is SourceKind.QUPATH
        data = append_annotations(empty, drawn).data if is_qupath else write_imagescope(drawn, (MPP, MPP))
        entry.annotation_path.write_bytes(data)


def _drawn(objects: int, seed: int) -> tuple[Annotation, ...]:
    """Return outlines in rows, whole-pixel corners, and one ROI over a quarter of them."""
    rows = int(np.ceil(np.sqrt(objects)))
    cell = min(float(_CELL), (_MOST_SIDE - 2 * _CELL) / rows)
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * _RADIUS * cell / _CELL
    number = np.arange(objects)
    centres = np.stack([number % rows, number // rows], axis=1) * cell + cell / 2 + _CELL / 2 + seed % 5
    rings = np.round(centres[:, None] + circle, 0 if cell == _CELL else 2)
    outlines = np.asarray(shapely.polygons(rings), dtype=object).tolist()
    blobs = (Annotation(_name("8", i, seed), outline, BLOB, color=CLASSES[BLOB]) for i, outline in enumerate(outlines))
    side = max(_CELL, cell * rows / 2)
    return (*blobs, Annotation(_name("9", 0, seed), shapely.box(0, 0, side, side), "ROI"))


def _name(kind: str, number: int, seed: int = 0) -> str:
    return f"00000000-0000-4000-{kind}{seed % 4096:03x}-{number:012d}"
