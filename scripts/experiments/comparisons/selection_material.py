"""Slides to simulate on: generated lymph nodes, and real pictures of nuclei; wholly labelled, cut into cells."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bridge.annotations import ClassScheme
from bridge.coords import Window
from bridge.slides import TissueMask
from models.data import TrainingSlide
from models.metrics.cost import PriceOptions
from models.simulation import (
    Extractor,
    FeatureCache,
    FrozenHead,
    GridOptions,
    LabelRule,
    Learner,
    SimulatedSlide,
    simulated_slide,
)
from scripts.experiments.comparisons.material import described, opened_slides, scheme_of
from scripts.experiments.comparisons.pictures import (
    NUCLEUS,
    Picture,
    judged_pictures,
    opened_pictures,
    training_pictures,
)
from scripts.experiments.settings import Setting
from scripts.simulation import SlideSet

POOL_SEED = 1
"""Of the generated slides: all repetitions see the same ones, as in the paper. Those of other seeds were drawn while
sizes were set."""
_TUMOUR = scheme_of(["Tumor"])
_CACHE = "features"


@dataclass(frozen=True, slots=True)
class NodeMaterial:
    """Generated slides of a setting (``scripts.simulation.Material``).

    Parameters
    ----------
    setting
        Which; at its own size.
    train, test
        How many slides are annotated, and how many others judge.
    grid
        The cells.
    folder
        Of slides and features.
    """

    setting: Setting
    train: int
    test: int
    grid: GridOptions
    folder: Path

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def name(self) -> str:
        """For tables."""
        return short_name(self.setting)

    @property
    def prices(self) -> PriceOptions:
        """What a person's gestures cost here."""
        return PriceOptions(unit_um=self.grid.cell_um)

    @property
    def key(self) -> str:
        """Hash of the slides' numbers and of the cells."""
        return _hash([described(self.setting), POOL_SEED, self.train, self.test, asdict(self.grid)])

    def open(self) -> SlideSet:
        """Return the cells; slides are written and looked at once."""
        numbers = range(self.train + self.test)
        with opened_slides(self.setting, numbers, POOL_SEED, self.folder, _TUMOUR) as slides:
            groups = [f"{slide.metadata['center']} {bool(slide.plan.shapes)}" for slide in slides]
            cells = _cut(slides, _TUMOUR, self.grid, self.folder, groups)
        return _slide_set(cells[: self.train], cells[self.train :], _TUMOUR)


@dataclass(frozen=True, slots=True)
class NucleiMaterial:
    """Real pictures of nuclei, MoNuSeg's (``scripts.simulation.Material``).

    Parameters
    ----------
    data
        Folder of real data.
    folder
        Of features.
    train, test
        The first so many pictures; all if None.
    """

    data: Path
    folder: Path
    train: int | None = None
    test: int | None = None

    name = "nuclei"
    grid = GridOptions(cell_um=4.0, mpp=0.25, parts=4, rule=LabelRule.MAJORITY)

    def __hash__(self) -> int:
        return hash((self.data, self.folder, self.train, self.test))

    @property
    def prices(self) -> PriceOptions:
        """What a person's gestures cost here; a nucleus is 8 µm wide, so an outline may be off by half a µm."""
        return PriceOptions(unit_um=self.grid.cell_um, tolerance_um=0.5)

    @property
    def key(self) -> str:
        """Hash of the pictures and of the cells."""
        train, test = self._pictures
        return _hash([[p.digest() for p in train], [p.digest() for p in test], asdict(self.grid)])

    def open(self) -> SlideSet:
        """Return the cells; all of a picture counts as tissue."""
        train, test = self._pictures
        with opened_pictures([*train, *test]) as slides:
            groups = [slide.metadata["organ"] for slide in slides]
            cells = _cut(slides, NUCLEUS, self.grid, self.folder, groups, is_all_tissue=True)
        return _slide_set(cells[: len(train)], cells[len(train) :], NUCLEUS)

    @property
    def _pictures(self) -> tuple[list[Picture], list[Picture]]:
        return training_pictures(self.data)[: self.train], judged_pictures(self.data)[: self.test]


def short_name(setting: Setting) -> str:
    """Return what a setting's slides are called in tables."""
    return setting.name.removeprefix(f"{setting.claim}-")


def has_nuclei(data: Path | None) -> bool:
    """Say whether the real pictures are at hand."""
    return bool(training_pictures(data)) and bool(judged_pictures(data))


def _cut(
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    grid: GridOptions,
    folder: Path,
    groups: Sequence[str],
    *,
    is_all_tissue: bool = False,
) -> list[SimulatedSlide]:
    extractor, cache = Extractor.imagenet(), FeatureCache(folder / _CACHE)
    return [
        simulated_slide(
            slide,
            scheme,
            grid,
            extractor,
            cache=cache,
            group=group,
            tissue=_everywhere(slide) if is_all_tissue else None,
        )
        for slide, group in zip(slides, groups, strict=True)
    ]


def _everywhere(slide: TrainingSlide) -> TissueMask:
    window: Window = slide.slide.pyramid.window_at(1.0)
    return TissueMask(np.ones(window.shape, dtype=np.bool_), window)


def _slide_set(train: Sequence[SimulatedSlide], test: Sequence[SimulatedSlide], scheme: ClassScheme) -> SlideSet:
    learner: Learner = FrozenHead([*train, *test], len(scheme.names))
    return SlideSet(tuple(train), tuple(test), learner, scheme.names)


def _hash(said: object) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
