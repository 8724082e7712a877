"""Real pictures with masks, as slides to cut into tiles: nuclei (MoNuSeg) and Langerhans islets.

Nothing of them is in this repository; the folder that holds them is an argument.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.coords import Region, Window
from bridge.files import replacing
from bridge.imagescope import read_imagescope
from bridge.raster import LabelMask, ShapeIndex, vectorize
from bridge.slides import open_slide
from models.data import TrainingSlide
from scripts.experiments.comparisons.pictures import judged_pictures, training_pictures

NUCLEI, ISLETS = "nuclei", "islets"
ENLARGED = 4
"""Pixels that one of a nuclei picture becomes, per side: tiles of 64 are then 16 of the scan, 4 µm. In larger ones
hardly a nucleus covers 90 % of a tile: there would be labels of the background alone."""
_CUT_PX = 256  # side of the middle of a nuclei picture that is taken
_BRIGHT = 191  # of an islet's mask; the exocrine tissue that one picture marks in grey is background
_ISLETS, _EXOCRINE = "L", "g"  # first letters of the two kinds of islet photographs


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and where its truth lies.

    Parameters
    ----------
    path
        The picture.
    truth
        Its mask, or its ImageScope XML.
    kind
        ``nuclei`` or ``islets``.
    cut_px
        Side of the square in its middle that is taken; None takes all of it.
    """

    path: Path
    truth: Path
    kind: str
    cut_px: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of both files and of how they are cut, 16 digits."""
        said = hashlib.sha256(f"{self.kind} {self.cut_px} {ENLARGED} {_BRIGHT}".encode())
        said.update(self.path.read_bytes())
        said.update(self.truth.read_bytes())
        return said.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PictureSet:
    """Pictures to learn from, and others to be judged on."""

    train: tuple[Picture, ...]
    test: tuple[Picture, ...]


def class_of(kind: str) -> ClassScheme:
    """Return the scheme of a kind of pictures: one class and the background."""
    name = {NUCLEI: "Nucleus", ISLETS: "Islet"}[kind]
    return ClassScheme({name: (200, 0, 0)})


def find_pictures(data: Path | None, kind: str, seed: int) -> PictureSet | None:
    """Return the pictures of a kind; None where the folder lacks them.

    Parameters
    ----------
    data
        The folder of all data sets.
    kind
        ``nuclei``: patients apart, as published. ``islets``: one photograph of each kind judges.
    seed
        Draws which islets judge.
    """
    if data is None:
        return None
    found = _nuclei(data) if kind == NUCLEI else _islets(data, seed)
    return found if found.train and found.test else None


def open_picture(picture: Picture, folder: Path, stack: ExitStack) -> TrainingSlide:
    """Return a picture as a wholly labelled slide of 1 µm per pixel, whatever it is: only its pixels count here.

    Parameters
    ----------
    picture
        Of `find_pictures`.
    folder
        Gets the part that is taken, enlarged.
    stack
        Closes the slide.

    Raises
    ------
    SlideError
        The picture is damaged.
    """
    labels = _mask(picture)
    path = _taken(picture, folder)
    with Image.open(path) as image:
        width, height = image.size
    labels = labels[:height, :width]  # one islet mask has a row more than its picture
    scheme = class_of(picture.kind)
    window = Window(0, 0, labels.shape[1], labels.shape[0])
    shapes = tuple(
        LabelledShape(outline, label) for label, outline in vectorize(LabelMask(labels, window, scheme.names))
    )
    whole = (Region(0, 0, labels.shape[1], labels.shape[0]).to_polygon(),)
    slide = stack.enter_context(open_slide(path, mpp=(1.0, 1.0)))
    return TrainingSlide(slide, LabelPlan(f"{picture.kind}-{picture.path.stem}", shapes, complete=whole))


def _nuclei(data: Path) -> PictureSet:
    train, test = (
        [Picture(picture.image, picture.truth, NUCLEI, _CUT_PX) for picture in pictures]
        for pictures in (training_pictures(data), judged_pictures(data))
    )
    return PictureSet(_with_truth(train), _with_truth(test))


def _islets(data: Path, seed: int) -> PictureSet:
    root = data / "segmentation" / "langerhans_islets"
    every = _with_truth(
        [Picture(p, root / "annot" / f"{p.stem}.png", ISLETS) for p in sorted((root / "image").glob("*.jpg"))]
    )
    generator = np.random.default_rng(seed)
    kinds = [[p for p in every if p.path.stem.startswith(letter)] for letter in (_ISLETS, _EXOCRINE)]
    judging = {kind[generator.integers(len(kind))].path for kind in kinds if kind}
    return PictureSet(tuple(p for p in every if p.path not in judging), tuple(p for p in every if p.path in judging))


def _with_truth(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    return tuple(picture for picture in pictures if picture.path.is_file() and picture.truth.is_file())


def _mask(picture: Picture) -> NDArray[np.uint8]:
    """Return the truth of what is taken of a picture, 0 and 1."""
    if picture.truth.suffix == ".xml":
        with Image.open(picture.path) as image:
            box = _middle(image.size, picture.cut_px)
        outlines = [(a.geometry, 1) for a in read_imagescope(picture.truth.read_bytes()).annotations]
        mask = ShapeIndex(outlines).burn(Window(box[0], box[1], box[2] - box[0], box[3] - box[1]))
    else:
        with Image.open(picture.truth) as image:
            grey = np.asarray(image.convert("L"))
            left, top, right, bottom = _middle(image.size, picture.cut_px)
        cut = grey[top:bottom, left:right]
        mask = (cut > (0 if picture.kind == NUCLEI else _BRIGHT)).astype(np.uint8)
    return mask.repeat(ENLARGED, 0).repeat(ENLARGED, 1) if picture.kind == NUCLEI else mask


def _taken(picture: Picture, folder: Path) -> Path:
    if picture.kind != NUCLEI:
        return picture.path
    target = folder / "pictures" / f"{picture.path.stem}-{picture.digest}.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(f".{target.name}.lock")):  # units that run side by side take the same pictures
        if not target.is_file():
            _enlarge(picture, target)
    return target


def _enlarge(picture: Picture, target: Path) -> None:
    with Image.open(picture.path) as image:
        cut = image.convert("RGB").crop(_middle(image.size, picture.cut_px))
    enlarged = cut.resize((cut.width * ENLARGED, cut.height * ENLARGED), Image.Resampling.BICUBIC)
    with replacing(target) as unfinished:
        enlarged.save(unfinished, "PNG")


def _middle(size: tuple[int, int], side: int | None) -> tuple[int, int, int, int]:
    """Return the box of a centred square, no larger than the picture; of all of it for None."""
    if side is None:
        return 0, 0, *size
    left, top = max(0, (size[0] - side) // 2), max(0, (size[1] - side) // 2)
    return left, top, min(size[0], left + side), min(size[1], top + side)
