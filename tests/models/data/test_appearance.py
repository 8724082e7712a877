"""Six numbers a tile: stain and scanner show in them, the share of glass and what is held out don't."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import LabelPlan, PatchLabel
from bridge.coords import Region, Window
from bridge.errors import SlideError
from bridge.slides import Slide
from models.data import TrainingSlide, tile_features, training_features

PINK = (225, 150, 190)


def tile(color: tuple[int, int, int], side: int = 32, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 5, (side, side, 3))
    return (np.full((side, side, 3), color) + noise).clip(0, 255).astype(np.uint8)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 28))
def test_glass_beside_the_tissue_changes_nothing(seed: int, rows: int) -> None:
    pixels = tile((150, 80, 130), seed=seed)
    partly = pixels.copy()
    partly[:rows] = 250
    found = tile_features(partly)
    assert found is not None and np.allclose(found, tile_features(pixels[rows:]))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_pixels_changes_nothing(seed: int) -> None:
    pixels = tile(PINK, seed=seed)
    mixed = np.random.default_rng(seed).permutation(pixels.reshape(-1, 3)).reshape(pixels.shape)
    assert np.allclose(tile_features(pixels), tile_features(mixed))


@pytest.mark.parametrize("value", [0, 255])
def test_glass_and_black_alone_have_no_look(value: int) -> None:
    assert tile_features(np.full((8, 8, 3), value, np.uint8)) is None


def measure(slides: list[TrainingSlide], ground: Any, **more: Any) -> tuple[np.ndarray, int]:
    return training_features(slides, ground.scheme, mpp=0.5, tile_px=32, **more)


def test_same_slides_and_seed_give_the_same_numbers(ground: Any) -> None:
    slides = [TrainingSlide(ground.slide, ground.plan())]
    first, again, other = (measure(slides, ground, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.shape == (64, 6)


def test_every_slide_gives_as_many_tiles(ground: Any) -> None:
    small = LabelPlan("small", complete=(shapely.box(0, 0, 40, 40),))
    slides = [TrainingSlide(ground.slide, ground.plan()), TrainingSlide(ground.slide, small)]
    features, count = measure(slides, ground, most=10)
    assert len(features) == 10 and count == 2
    assert measure(slides * 4, ground, most=3)[1] == 3


def test_what_is_held_out_or_unlabelled_is_not_measured(ground: Any) -> None:
    held = (ground.holdout_box, ground.training_box)
    everything = LabelPlan("one", complete=held, hold_out=held)
    features, count = measure(
        [TrainingSlide(ground.slide, everything), TrainingSlide(ground.slide, LabelPlan("e"))], ground
    )
    assert features.shape == (0, 6) and count == 0


class Watched(Slide):
    """Another slide, and the windows of it that were read, but for the overview, which tells where tissue is."""

    def __init__(self, slide: Slide) -> None:
        super().__init__(slide.path, slide.pyramid, slide.properties)
        self.slide = slide
        self.asked: list[Window] = []

    def is_tile(self, window: Window) -> bool:
        return window.downsample == 1  # the overview is coarser

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        return np.asarray(self.slide.read_level(level, x, y, width, height))

    def read_window(self, window: Window) -> np.ndarray:
        if self.is_tile(window):
            self.asked.append(window)
        return super().read_window(window)

    def close(self) -> None: ...


@pytest.mark.parametrize("is_patch", [True, False])
def test_no_measured_tile_reaches_into_what_is_held_out(ground: Any, is_patch: bool) -> None:
    watched = Watched(ground.slide)
    plan = ground.plan(hold_out=True)
    if is_patch:
        plan = replace(plan, shapes=(), complete=plan.hold_out, patch_labels=(PatchLabel(Region(64, 0, 64, 128), 1),))
    features, _ = measure([TrainingSlide(watched, plan)], ground)
    assert len(features) == 64
    assert max(window.right for window in watched.asked) <= 128


def test_a_slide_on_which_ink_passes_for_tissue_is_not_read_to_its_end(ground: Any) -> None:
    class Inked(Watched):
        def read_window(self, window: Window) -> np.ndarray:
            return np.zeros_like(super().read_window(window)) if self.is_tile(window) else super().read_window(window)

    inked = Inked(ground.slide)
    features, count = training_features(
        [TrainingSlide(inked, ground.plan())], ground.scheme, mpp=0.5, tile_px=8, most=4
    )
    assert len(features) == count == 0
    assert 0 < len(inked.asked) <= 6 * 8, "eight places for each of two tiles of the ground, and of four labelled ones"


def test_patch_labels_are_places_too(ground: Any) -> None:
    plan = LabelPlan("one", patch_labels=(PatchLabel(Region(8, 8, 64, 64), 1),))
    features, count = measure([TrainingSlide(ground.slide, plan)], ground, most=5)
    assert len(features) == 5 and count == 1


def test_half_of_the_tiles_are_from_all_over_the_slide(ground: Any) -> None:
    corner = LabelPlan("one", complete=(shapely.box(0, 0, 40, 40),))
    features, count = measure([TrainingSlide(ground.slide, corner)], ground, most=20)
    around = [
        Window(max(0, x), max(0, y), min(32, x + 32), min(32, y + 32)) for x in range(-16, 24) for y in range(-16, 24)
    ]
    near = [tile_features(ground.slide.read_window(window)) for window in around]
    is_near = [any(np.allclose(found, other) for other in near if other is not None) for found in features]
    assert len(features) == 20 and count == 1
    assert 10 <= sum(is_near) < 15, "at least those around the labelled place, and nearly none of the others"


def test_a_slide_that_can_t_be_read_is_passed_over(ground: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Damaged:
        path, pyramid = ground.path, ground.slide.pyramid

        def thumbnail_window(self, side: int) -> Window:
            raise SlideError("the file is cut")

    plan = ground.plan()
    slides = [TrainingSlide(Damaged(), replace(plan, slide_key="two")), TrainingSlide(ground.slide, plan)]  # type: ignore[arg-type]
    features, count = measure(slides, ground)
    assert len(features) == 32 and count == 1
    assert "the file is cut" in caplog.text
