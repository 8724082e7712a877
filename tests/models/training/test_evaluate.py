from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bridge.annotations import Part
from bridge.coords import Window
from bridge.raster import PlanRaster, ProbabilityMap
from bridge.slides import Slide
from models.training import evaluate

NAMES = ("Background", "Dark", "Pale")


class Oracle:
    """Says what the plan says, with its own names in its own order; a mistake in the first ten rows if asked for."""

    mpp = 0.5

    def __init__(self, ground: Any, names: tuple[str, ...] = NAMES, *, errs: bool = False) -> None:
        self.names = names
        self._raster = PlanRaster(ground.plan(hold_out=True), ground.scheme, 1.0, Part.HOLD_OUT)
        self._errs = errs

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        labels = self._raster.burn(window).labels
        truth = np.where(labels == 255, 0, labels)
        mine = np.array([self.names.index(name) if name in self.names else 0 for name in NAMES])[truth]
        if self._errs:
            mine[: max(0, 10 - window.y)] = 0
        planes = np.eye(len(self.names), dtype=np.float32)[mine]
        return ProbabilityMap(np.ascontiguousarray(planes.transpose(2, 0, 1)), window, self.names)


def test_an_oracle_is_perfect_on_each_held_out_pixel_once(judged_slides: Any, ground: Any) -> None:
    for tile_px in (32, 50, 256):
        scores = evaluate(Oracle(ground), judged_slides, ground.scheme, tile_px=tile_px)
        assert scores.score == 1
        assert scores.pixels == 64 * 128


def test_too_many_tiles_are_judged_by_some_of_them(judged_slides: Any, ground: Any) -> None:
    first, second = (evaluate(Oracle(ground), judged_slides, ground.scheme, tile_px=16, most_tiles=5) for _ in "ab")
    assert first.pixels == 5 * 16 * 16
    assert (first.confusion.counts == second.confusion.counts).all()


def test_mistakes_cost(judged_slides: Any, ground: Any) -> None:
    scores = evaluate(Oracle(ground, errs=True), judged_slides, ground.scheme)
    assert 0.9 < scores.pooled_dice < 1


def test_classes_are_matched_by_name(judged_slides: Any, ground: Any) -> None:
    names = ("Background", "Other", "Pale", "Dark")
    assert evaluate(Oracle(ground, names), judged_slides, ground.scheme).score == 1


def test_a_class_that_a_model_doesnt_know_is_never_found(judged_slides: Any, ground: Any) -> None:
    scores = evaluate(Oracle(ground, ("Background", "Dark")), judged_slides, ground.scheme)
    assert scores.dice == {"Dark": pytest.approx(1), "Pale": 0}


def test_nothing_held_out_is_no_pixels(disc_slides: Any, ground: Any) -> None:
    assert evaluate(Oracle(ground), disc_slides, ground.scheme).pixels == 0
