"""``python -m scripts.docs.pictures``: draw what annotation files hold, before and after a sync, for the pages.

The loop is played on the demo's picture (histolytics, BSD-3-Clause) with its simulated expert. At each stage the
tool's own file is read and drawn over the slide's pixels: outlines, colours and texts are the file's. Nothing is a
screenshot.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import shapely
from PIL import Image, ImageDraw, ImageFont

from bridge.annotations import Annotation, Rgb, SlideEntry, plain_class
from bridge.qupath import create_project
from bridge.slides import write_pyramid
from scripts.demo import expert_imagescope, expert_qupath
from scripts.demo.material import CLASSES, MPP, Material, load_material
from scripts.demo.truth import rank_of, save_truth
from scripts.loop.passes import STEPS, Request, run
from scripts.options import SourceKind
from scripts.project import open_project
from scripts.set_up import new_image, our_classes
from scripts.survey import settings_text, write_settings

SIDE = 1000  # of the picture's left part: what the expert labels
SCALE = 0.72  # of the drawing
MOST_BYTES = 150_000
_SLIDE = "case_1.tif"
_BOXES, _LABELLED = 6, 2
_LEAST_ROOM = 190  # for a box's words, also where it is narrower
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_SETTINGS = {
    "model.mpp": MPP,
    "model.one_network": True,
    "propose.k": _BOXES,
    "propose.region_um": 110.0,
    "propose.min_tissue": 0.5,
    "train.max_steps": 120,
    "watch.settle_seconds": 0.2,
}


@dataclass(frozen=True, slots=True)
class Stage:
    """What the file holds at one moment of the guide."""

    name: str
    annotations: Sequence[Annotation]


def main(folder: Path) -> None:
    """Write the pictures of both tools, and the front page's, into a folder."""
    material = load_material()
    folder.mkdir(parents=True, exist_ok=True)
    for kind in (SourceKind.IMAGESCOPE, SourceKind.QUPATH):
        drawn = {stage.name: draw(material.pixels, stage.annotations) for stage in play(kind, material)}
        for name, picture in drawn.items():
            print(f"written: {save(picture, folder / f'{kind.value}_{name}.webp')}")
        if kind is SourceKind.QUPATH:
            pair = beside(drawn["2_labelled"], drawn["3_predicted"])
            print(f"written: {save(pair, folder / 'loop.webp')}")


def play(kind: SourceKind, material: Material) -> Iterator[Stage]:
    """Play two rounds through a tool, and yield what its file holds after each step of the guide."""
    with TemporaryDirectory() as folder:
        root = _set_up(Path(folder), kind, material)
        entry = open_project(root).source.slides()[0]
        _sync(root)
        yield Stage("1_proposed", _read(root, entry))
        _label(kind, entry.annotation_path, Path(folder) / "truth.json", material)
        yield Stage("2_labelled", _read(root, entry))
        _sync(root)
        yield Stage("3_predicted", _read(root, entry))


def _set_up(folder: Path, kind: SourceKind, material: Material) -> Path:
    root = folder / "project"
    slides = root if kind is SourceKind.IMAGESCOPE else folder / "slides"
    slides.mkdir(parents=True)
    write_pyramid(slides / _SLIDE, np.ascontiguousarray(material.pixels[:SIDE, :SIDE]), (MPP, MPP))
    path = "."
    if kind is SourceKind.QUPATH:
        create_project(root, [new_image(slides / _SLIDE)], our_classes(CLASSES), now=datetime.now(UTC))
        path = "project.qpproj"
    write_settings(root, settings_text(kind, path, CLASSES, {}, _SETTINGS), may_replace=True)
    save_truth(folder / "truth.json", material.outlines, SIDE)
    return root


def _sync(root: Path) -> None:
    result = run(root, Request(STEPS["sync"]))
    if result.has_failed:
        raise SystemExit("; ".join(result.lines()))


def _label(kind: SourceKind, path: Path, truth: Path, material: Material) -> None:
    expert = expert_imagescope if kind is SourceKind.IMAGESCOPE else expert_qupath
    expert.label(path, truth, SIDE, SIDE, SIDE, _LABELLED)


def _read(root: Path, entry: SlideEntry) -> tuple[Annotation, ...]:
    return open_project(root).source.parse(entry.annotation_path.read_bytes(), entry).annotations


def draw(pixels: np.ndarray, annotations: Sequence[Annotation]) -> Image.Image:
    """Draw a file's objects over the slide, in the file's colours; what has a name or text says it.

    Parameters
    ----------
    pixels
        uint8, shape (height, width, 3); the part that is shown lies at the top left.
    """
    side = round(SIDE * SCALE)
    picture = Image.fromarray(pixels[:SIDE, :SIDE]).resize((side, side), Image.Resampling.LANCZOS)
    canvas = ImageDraw.Draw(picture)
    for annotation in sorted(annotations, key=_is_box):
        for ring in shapely.get_rings(shapely.get_parts(annotation.geometry)):
            points = [(float(x) * SCALE, float(y) * SCALE) for x, y in shapely.get_coordinates(ring)]
            canvas.line(points, fill=_color(annotation), width=_width(annotation))
    for annotation in annotations:
        if _is_box(annotation):
            _write(canvas, annotation)
    return picture


def _color(annotation: Annotation) -> Rgb:
    layer = annotation.layer.color if annotation.layer is not None else None
    return annotation.own_color or annotation.color or layer or _BLACK


def _is_box(annotation: Annotation) -> bool:
    return annotation.path_class in ("Proposed", "ROI")


def _width(annotation: Annotation) -> int:
    is_prediction = annotation.path_class is not None and plain_class(annotation.path_class) is not None
    return 4 if _is_box(annotation) else 1 if is_prediction else 3


def _write(canvas: ImageDraw.ImageDraw, annotation: Annotation) -> None:
    """Write a box's words below its upper edge, as a list of objects shows them."""
    x, y, right, _ = (float(number) * SCALE for number in annotation.geometry.bounds)
    font = ImageFont.load_default(13)
    room = min(max(right - x - 8, _LEAST_ROOM), SIDE * SCALE - x - 10)
    words = _words(annotation)
    while len(words) > 4 and canvas.textlength(words, font) > room:
        words = words[:-2].rstrip() + "…"
    box = canvas.textbbox((x + 5, y + 4), words, font)
    canvas.rectangle((box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2), fill=_BLACK)
    canvas.text((x + 5, y + 4), words, fill=_WHITE, font=font)


def _words(annotation: Annotation) -> str:
    said = annotation.name or ""
    if annotation.path_class == "ROI":
        return "ROI"
    return said if said.startswith("#") and rank_of(said) else said or str(annotation.path_class)


def beside(first: Image.Image, second: Image.Image) -> Image.Image:
    """Return two pictures side by side, at half their size."""
    width, height = first.width * 3 // 5, first.height * 3 // 5
    pair = Image.new("RGB", (2 * width + 12, height), _WHITE)
    pair.paste(first.resize((width, height), Image.Resampling.LANCZOS), (0, 0))
    pair.paste(second.resize((width, height), Image.Resampling.LANCZOS), (width + 12, 0))
    return pair


def save(picture: Image.Image, path: Path, most_bytes: int = MOST_BYTES) -> Path:
    """Save as WebP, as good as the size allows.

    Raises
    ------
    ValueError
        Not even the poorest is small enough.
    """
    for quality in (86, 78, 70, 60, 50):
        picture.save(path, quality=quality, method=6)
        if path.stat().st_size < most_bytes:
            return path
    raise ValueError(f"{path} is {path.stat().st_size} bytes; make SCALE less")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/images"))
