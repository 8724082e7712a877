"""Real pictures of nuclei (MoNuSeg 2018) with their outlines as labels, where the folder of real data is at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from PIL import Image
from shapely.geometry.base import BaseGeometry

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan
from bridge.coords import Region, Window
from bridge.imagescope import read_imagescope
from bridge.raster import LabelMask, vectorize
from bridge.slides import open_slide
from models.data import TrainingSlide

NUCLEUS = ClassScheme({"Nucleus": (0, 80, 255)})
_SIDE_PX = 1000
_MPP = (0.25, 0.25)  # 40x, as the collection says; its XML files say 0.247 to 0.253
_ORGANS = {
    "18": "lung", "38": "lung", "A7": "breast", "AR": "breast", "AY": "colon", "NH": "colon", "B0": "kidney",
    "HE": "kidney", "CH": "prostate", "G9": "prostate", "DK": "bladder", "KB": "stomach", "RD": "stomach",
}  # by the centre's code in TCGA's names  # fmt: skip


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture and the file that says where its nuclei are.

    Parameters
    ----------
    image
        TIFF of 1000 × 1000 pixels, without mpp.
    truth
        PNG of 0 and 1, or ImageScope XML.
    """

    image: Path
    truth: Path

    @property
    def name(self) -> str:
        """As TCGA has it."""
        return self.image.stem

    @property
    def organ(self) -> str:
        """By the collecting centre's code; empty where it isn't known."""
        return _ORGANS.get(self.name.split("-")[1], "")

    def digest(self) -> str:
        """Return a hash of both files: part of a unit's inputs."""
        return hashlib.sha256(self.image.read_bytes() + self.truth.read_bytes()).hexdigest()[:16]


def training_pictures(data: Path | None) -> list[Picture]:
    """Return the 14 pictures with masks, in order of their names; none where the folder isn't there."""
    if data is None:
        return []
    folder = data / "segmentation" / "monuseg" / "train"
    masks = sorted((folder / "binary_masks").glob("*.png"))
    return [Picture(folder / "images" / f"{mask.stem}.tif", mask) for mask in masks]


def judged_pictures(data: Path | None) -> list[Picture]:
    """Return the 7 pictures of other patients, with outlines; none where the folder isn't there."""
    if data is None:
        return []
    files = sorted((data / "segmentation" / "monuseg" / "test").glob("*.xml"))
    return [Picture(xml.with_suffix(".tif"), xml) for xml in files]


@contextmanager
def opened_pictures(pictures: Sequence[Picture], within: Region | None = None) -> Iterator[list[TrainingSlide]]:
    """Give pictures, open, with a region wholly labelled: nuclei are cut off at its border.

    Parameters
    ----------
    pictures
        Which.
    within
        Level-0 pixels; the whole picture if None.
    """
    region = within or Region(0, 0, _SIDE_PX, _SIDE_PX)
    with ExitStack() as stack:
        yield [
            TrainingSlide(stack.enter_context(open_slide(p.image, mpp=_MPP)), _plan(p, region), {"organ": p.organ})
            for p in pictures
        ]


def _plan(picture: Picture, region: Region) -> LabelPlan:
    area = region.to_polygon()
    cut = shapely.intersection(np.array(_outlines(picture), dtype=object), area)
    shapes = [shape for shape in cut if shape.area > 0]
    polygons = [part for shape in shapes for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return LabelPlan(picture.name, tuple(LabelledShape(polygon, 1) for polygon in polygons), complete=(area,))


def _outlines(picture: Picture) -> list[BaseGeometry]:
    if picture.truth.suffix == ".xml":
        outlines = [a.geometry for a in read_imagescope(picture.truth.read_bytes()).annotations]
        return [shapely.make_valid(outline) for outline in outlines if outline.area > 0]
    with Image.open(picture.truth) as mask:
        labels = (np.asarray(mask.convert("L")) > 0).astype(np.uint8)
    height, width = labels.shape
    return [polygon for _, polygon in vectorize(LabelMask(labels, Window(0, 0, width, height, 1.0), NUCLEUS.names))]
