"""A classifier's heat maps of training slides, made once and kept beside the state of the training.

A heat map is made where tiles around what is labelled can reach, and nowhere else: a few boxes on a large slide cost
the patches around them, not those of the whole slide.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
import torch
from shapely.geometry.base import BaseGeometry

from bridge.coords import Region, Window
from bridge.errors import SlideError
from bridge.slides import TissueOptions, tissue_mask
from models.checkpoints import (
    Checkpoint,
    NetCard,
    ResumeState,
    clear_resume_state,
    load_resume_state,
    save_resume_state,
)
from models.data import HeatMap, TrainingSlide
from models.errors import CheckpointError, DamagedSlideError
from models.inference import Area, PatchwisePredictor

logger = logging.getLogger(__name__)

_NAME = "heat-{}"  # of a map's folder within the training's
_DIGITS = 16


@dataclass(frozen=True, slots=True, eq=False)
class TimedHeatMap:
    """A heat map, and the seconds that it took when it was made."""

    heat: HeatMap
    seconds: float

    @property
    def digest(self) -> str:
        """Hash of all that it says."""
        return hashlib.sha256(repr(self.heat.window).encode() + self.heat.values.tobytes()).hexdigest()


class HeatMapMaker:
    """Heat maps of slides, by one classifier.

    Parameters
    ----------
    classifier
        A checkpoint of a patch classifier.
    stride_px
        Working pixels per pixel of the maps; a patch if None.
    tissue
        Where there is something to classify.
    reach
        Card of the net that looks at the heat maps, in tiles: one side of these from a labelled area is as far as it
        sees.
    device
        ``auto``, ``cpu``, ``cuda``, ``mps``.
    folder
        Of the training's state: each map is kept in a folder of its own within, which ``forget_state`` empties. None
        keeps none.
    clock
        Seconds.
    """

    def __init__(
        self,
        classifier: Checkpoint,
        *,
        stride_px: int | None = None,
        tissue: TissueOptions | None = None,
        reach: NetCard,
        device: str,
        folder: Path | None,
        clock: Callable[[], float],
    ) -> None:
        self._classifier = classifier
        self._stride_px = stride_px
        self._tissue = tissue or TissueOptions()
        self._looking = reach
        self._device = device
        self._folder = folder
        self._clock = clock
        self._predictor: PatchwisePredictor | None = None

    def of(self, slide: TrainingSlide) -> TimedHeatMap:
        """Return a slide's heat map, a kept one where it was made of the same slide by the same weights.

        It is cold where no tile with a label can reach.

        Raises
        ------
        DamagedSlideError
            The slide can't be read.
        MissingResolutionError
            Nobody knows its mpp.
        """
        key = self._key(slide)
        folder = self._folder / _NAME.format(key[:_DIGITS]) if self._folder is not None else None
        kept = _kept(folder, key) if folder is not None else None
        if kept is not None:
            return kept
        made = self._made(slide)
        if folder is not None:
            _keep(folder, key, made)
        return made

    def _made(self, slide: TrainingSlide) -> TimedHeatMap:
        began = self._clock()
        if self._predictor is None:
            self._predictor = PatchwisePredictor(self._classifier, stride_px=self._stride_px, device=self._device)
        try:
            area = _WithinReach(tissue_mask(slide.slide, self._tissue), self._reach(slide))
            heat = HeatMap.from_bands(self._predictor.predict(slide.slide, area))
        except SlideError as error:
            raise DamagedSlideError(str(error), slide.key) from error
        return TimedHeatMap(heat, self._clock() - began)

    def _key(self, slide: TrainingSlide) -> str:
        reach = shapely.to_wkb(self._reach(slide))
        facts = (self._classifier.id, slide.key, slide.slide.pyramid, self._stride_px, self._tissue, reach)
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def _reach(self, slide: TrainingSlide) -> BaseGeometry:
        """Return the level-0 area that tiles with a label lie in; a tile is kept to a labelled area, or covers it."""
        plan = slide.plan
        areas = [*plan.complete, *(shape.geometry for shape in plan.shapes)]
        boxes = np.array([shapely.box(*area.bounds) for area in areas if not area.is_empty], dtype=object)
        card, looking = self._classifier.card, self._looking
        patch = slide.downsample(card.mpp) * card.tile_px  # a map is interpolated between neighbours
        margin = slide.downsample(looking.mpp) * looking.tile_px + patch
        return shapely.union_all(shapely.buffer(boxes, margin, join_style="mitre"))


@dataclass(frozen=True, slots=True, eq=False)
class _WithinReach:
    """The tissue of regions that touch an area."""

    tissue: Area
    reach: BaseGeometry

    def __post_init__(self) -> None:
        shapely.prepare(self.reach)

    def fraction(self, region: Region) -> float:
        return self.tissue.fraction(region) if self.reach.intersects(region.to_polygon()) else 0.0


def _kept(folder: Path, key: str) -> TimedHeatMap | None:
    try:
        state = load_resume_state(folder, key)
    except CheckpointError as error:
        logger.warning("heat map is made anew: %s", error)
        clear_resume_state(folder)
        return None
    if state is None:
        return None
    x, y, width, height, downsample = state.scalars["window"]
    return TimedHeatMap(
        HeatMap(state.tensors["heat"].numpy(), Window(x, y, width, height, downsample)), state.scalars["seconds"]
    )


def _keep(folder: Path, key: str, made: TimedHeatMap) -> None:
    window = made.heat.window
    scalars = {
        "window": [window.x, window.y, window.width, window.height, window.downsample],
        "seconds": made.seconds,
    }
    tensors = {"heat": torch.from_numpy(made.heat.values)}
    save_resume_state(folder, ResumeState(key, 0, tensors, scalars))
