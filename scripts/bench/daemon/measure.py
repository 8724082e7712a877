"""How good each champion was: Dice on a slide that belongs to no project."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from PIL import Image, ImageDraw

from bridge.coords import Window
from bridge.slides import open_slide
from models.checkpoints import load_checkpoint
from scripts.bench.daemon.world import MPP, TEST_SLIDE, Place, Truth
from scripts.demo.measure import dice
from scripts.loop.training_run import predictor_of
from scripts.project import open_store


@dataclass(frozen=True, slots=True)
class Champion:
    """A checkpoint that was promoted, and its Dice."""

    iteration: int
    dice: float


class _Everywhere:
    """An area without glass."""

    def fraction(self, region: object) -> float:
        return 1.0


def measured_champions(place: Place) -> tuple[Champion, ...]:
    """Return the project's first and last champion, measured; fewer where there were fewer."""
    with open_store(place.project, is_dry_run=False) as store:
        promoted = [run for run in store.runs() if run.promoted and run.checkpoint_id is not None]
    folder = place.project.checkpoints
    there = [run for run in promoted if (folder / (run.checkpoint_id or "")).exists()]
    ends = there if len(there) < 2 else [there[0], there[-1]]
    return tuple(Champion(run.iteration, _dice(place, run.checkpoint_id or "")) for run in ends)


def _dice(place: Place, checkpoint_id: str) -> float:
    checkpoint = load_checkpoint(place.project.checkpoints / checkpoint_id)
    path = place.world / TEST_SLIDE
    predicted: list[np.ndarray] = []
    true: list[np.ndarray] = []
    with open_slide(path, mpp=(MPP, MPP)) as slide:
        for band in predictor_of(place.project.settings, checkpoint).predict(slide, _Everywhere()):
            predicted.append(band.probabilities.argmax(axis=0) > 0)
            true.append(burn(place.truth(path), band.window))
    return dice(np.concatenate(predicted), np.concatenate(true))


def burn(truth: Truth, window: Window) -> np.ndarray:
    """Return where blobs are in a window: bool, shape (height, width)."""
    picture = Image.new("1", (window.width, window.height))
    draw = ImageDraw.Draw(picture)
    for _, outline in truth:
        corners = shapely.get_coordinates(outline) / window.downsample - (window.x, window.y)
        draw.polygon([(x, y) for x, y in corners.tolist()], fill=1)
    return np.asarray(picture)
