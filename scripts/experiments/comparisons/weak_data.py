"""What the weak experiment learns from and is judged on: real pictures, or generated slides, open, wholly labelled."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.annotations import ClassScheme
from bridge.slides import TissueOptions, TissueRule, tissue_mask
from models.data import TrainingSlide
from scripts.experiments.comparisons.drawing import draw_slides
from scripts.experiments.comparisons.material import described, opened_slides, scheme_of
from scripts.experiments.comparisons.weak_pictures import PictureSet, class_of, open_picture
from scripts.experiments.comparisons.weak_tiles import TileStock, cut_tiles, held_out
from scripts.experiments.options import TumourOptions
from scripts.experiments.settings import Setting

TILE_PX = 64
MPP = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class WeakData:
    """Open slides.

    Parameters
    ----------
    train
        Wholly labelled; the experiment teaches some of it.
    stock
        The tiles of ``train``.
    test
        Wholly labelled and held out.
    scheme
        Of the labels.
    """

    train: tuple[TrainingSlide, ...]
    stock: TileStock
    test: tuple[TrainingSlide, ...]
    scheme: ClassScheme


@dataclass(frozen=True, slots=True)
class RealSource:
    """Pictures of a kind; the same ones for the same seed."""

    kind: str
    pictures: PictureSet

    @property
    def name(self) -> str:
        """For tables."""
        return self.kind

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Hashes of all files."""
        return {"train": [p.digest for p in self.pictures.train], "test": [p.digest for p in self.pictures.test]}

    def open(self, folder: Path, stack: ExitStack, threads: int) -> WeakData:
        """Return the slides, which the stack closes."""
        train = tuple(open_picture(picture, folder, stack) for picture in self.pictures.train)
        test = tuple(held_out(open_picture(picture, folder, stack)) for picture in self.pictures.test)
        scheme = class_of(self.kind)
        stock = TileStock.of(tile for slide in train for tile in cut_tiles(slide, scheme, MPP, TILE_PX))
        return WeakData(train, stock, test, scheme)


@dataclass(frozen=True, slots=True)
class GeneratedSource:
    """Slides of a setting; the same ones whatever the seed, which then draws tiles, weights and batches.

    Parameters
    ----------
    setting
        At the size wanted.
    train, test
        Numbers of its slides.
    """

    setting: Setting
    train: tuple[int, ...]
    test: tuple[int, ...]

    @property
    def name(self) -> str:
        """For tables."""
        return self.setting.name

    @property
    def inputs(self) -> Mapping[str, Any]:
        """All numbers of the setting."""
        return {**described(self.setting), "train": list(self.train), "test": list(self.test)}

    def open(self, folder: Path, stack: ExitStack, threads: int) -> WeakData:
        """Return the slides, which the stack closes; drawn where they are not there."""
        assert isinstance(self.setting.scene, TumourOptions), "the claim's settings are tumours"
        scheme = scheme_of(self.setting.scene.truth_classes)
        draw_slides(self.setting, (*self.train, *self.test), 0, folder, scheme, processes=threads)
        train = stack.enter_context(opened_slides(self.setting, self.train, 0, folder, scheme))
        test = stack.enter_context(opened_slides(self.setting, self.test, 0, folder, scheme))
        rule = TissueOptions(rule=TissueRule.L2S)
        tiles = (cut_tiles(slide, scheme, MPP, TILE_PX, tissue_mask(slide.slide, rule)) for slide in train)
        stock = TileStock.of(tile for cut in tiles for tile in cut)
        return WeakData(tuple(train), stock, tuple(held_out(slide) for slide in test), scheme)


Source = RealSource | GeneratedSource
