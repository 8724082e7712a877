from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bridge.annotations import LabelPlan, PatchLabel
from bridge.coords import Region, Window
from models.data import (
    Augmentation,
    AugmentationOptions,
    LabelMaker,
    LabelSampler,
    PatchIndex,
    SamplingOptions,
    TileDataset,
    TrainingSlide,
    index_patch_labels,
)

EXTENT = Window(0, 0, 400, 300)
Box = tuple[float, float, float, float]


def index(key: str, boxes: dict[int, list[Box]], *, fresh: dict[int, list[Box]] | None = None) -> PatchIndex:
    def arrays(by_label: dict[int, list[Box]]) -> dict[int, np.ndarray]:
        return {label: np.array(found, np.float64) for label, found in by_label.items()}

    return PatchIndex(key, EXTENT, arrays(boxes), arrays(fresh or {}))


@given(
    x=st.integers(0, 350),
    y=st.integers(0, 250),
    width=st.integers(1, 250),
    height=st.integers(1, 250),
    tile_px=st.sampled_from([16, 64, 200]),
    step=st.integers(0, 5),
)
@settings(max_examples=100, deadline=None)
def test_a_tile_lies_in_its_box_or_the_box_in_the_middle_of_it(
    x: int, y: int, width: int, height: int, tile_px: int, step: int
) -> None:
    right, bottom = min(400, x + width), min(300, y + height)
    (spot,) = LabelSampler([index("one", {2: [(x, y, right, bottom)]})], {}, tile_px=tile_px).batch(step, 1)
    window = spot.window
    assert (spot.label, window.shape) == (2, (tile_px, tile_px))
    for start, end, low, high, border in (
        (window.x, window.right, x, right, 400),
        (window.y, window.bottom, y, bottom, 300),
    ):
        if high - low >= tile_px:
            assert low <= start and end <= high
        else:
            assert start <= low and high <= end  # the whole box is seen
            assert start >= 0 and end <= border
            is_shifted = start == 0 or end == border
            assert is_shifted or abs((start + end) / 2 - (low + high) / 2) <= 0.5


def test_tiles_are_drawn_all_over_a_large_box() -> None:
    sampler = LabelSampler([index("one", {1: [(100, 50, 140, 60)]})], {}, tile_px=8)
    starts = Counter(spot.window.x for step in range(60) for spot in sampler.batch(step, 16))
    assert set(starts) == set(range(100, 133))
    assert stats.chisquare(list(starts.values())).pvalue > 0.001


def test_slides_and_classes_are_drawn_evenly() -> None:
    many, one = [(i, 0, i + 8, 8) for i in range(90)], [(0, 100, 8, 108)]
    sampler = LabelSampler([index("large", {0: many, 1: one}), index("small", {1: one})], {}, tile_px=8)
    drawn = Counter((s.slide_key, s.label) for step in range(100) for s in sampler.batch(step, 16))
    assert stats.chisquare([drawn["large", 0], drawn["large", 1]]).pvalue > 0.001
    assert stats.chisquare([drawn["small", 1], drawn["large", 0] + drawn["large", 1]]).pvalue > 0.001


def test_half_of_a_batch_is_new_where_anything_is() -> None:
    old, new = index("old", {0: [(0, 0, 9, 9)]}), index("new", {1: [(0, 0, 9, 9)]}, fresh={1: [(0, 0, 9, 9)]})
    sampler = LabelSampler([old, new], {}, tile_px=8, options=SamplingOptions(replay=0.5))
    assert all([s.slide_key for s in sampler.batch(step, 8)][4:] == ["new"] * 4 for step in range(10))
    assert {s.slide_key for step in range(10) for s in sampler.batch(step, 8)[:4]} == {"old", "new"}


def test_a_batch_depends_on_seed_and_step_only() -> None:
    boxes = {0: [(0.0, 0.0, 300.0, 300.0)], 1: [(50.0, 50.0, 60.0, 60.0)]}
    first, second = (LabelSampler([index("one", boxes)], {}, tile_px=16, seed=3) for _ in range(2))
    first.batch(0, 4)
    assert first.batch(5, 4) == second.batch(5, 4) != first.batch(6, 4)
    assert LabelSampler([index("one", boxes)], {}, tile_px=16, seed=4).batch(5, 4) != first.batch(5, 4)


def test_no_patch_label_is_an_error() -> None:
    with pytest.raises(ValueError, match="no slide has a patch label"):
        LabelSampler([index("one", {})], {}, tile_px=8)


def plan(*patches: PatchLabel, emphasis: tuple[shapely.Polygon, ...] = ()) -> LabelPlan:
    return LabelPlan("one", patch_labels=patches, emphasis=emphasis)


def test_boxes_lie_on_the_working_grid_and_new_ones_are_known(ground: Any) -> None:
    old, new = PatchLabel(Region(0, 0, 64, 32), 1), PatchLabel(Region(96, 64, 32, 32), 1)
    # The new area takes a corner of the old box and more than half of the new one.
    emphasis = (shapely.box(60, 20, 80, 64), shapely.box(90, 64, 120, 128))
    found = index_patch_labels(TrainingSlide(ground.slide, plan(old, new, emphasis=emphasis)), 1.0, 8)
    assert found.extent == ground.slide.pyramid.window_at(2.0)
    assert found.boxes[1].tolist() == [[0, 0, 32, 16], [48, 32, 64, 48]]
    assert found.fresh[1].tolist() == [[48, 32, 64, 48]]
    assert found.counts == {1: 2}


def test_what_of_a_box_is_off_the_slide_gives_no_tile(ground: Any) -> None:
    over, off = PatchLabel(Region(-400, -300, 440, 340), 1), PatchLabel(Region(200, 0, 64, 64), 2)
    found = index_patch_labels(TrainingSlide(ground.slide, plan(over, off)), 0.5, 16)
    assert found.counts == {1: 1}
    for spot in LabelSampler([found], {}, tile_px=16).batch(0, 50):
        assert Window(0, 0, 40, 40).intersection(spot.window) == spot.window


@pytest.mark.parametrize(
    ("box", "is_kept"),
    [
        (Region(112, 60, 8, 8), True),  # its tile ends where the held-out area begins
        (Region(113, 60, 8, 8), False),  # its tile shows a column of it
        (Region(100, 60, 40, 8), False),  # it lies in it by itself
        (Region(64, 0, 64, 128), True),  # tiles lie inside it
    ],
)
def test_no_tile_shows_what_is_held_out(ground: Any, box: Region, is_kept: bool) -> None:
    held_out = replace(ground.plan(hold_out=True), patch_labels=(PatchLabel(box, 1),))
    found = index_patch_labels(TrainingSlide(ground.slide, held_out), 0.5, 24)
    assert found.counts == ({1: 1} if is_kept else {})


@pytest.mark.parametrize(("width", "is_kept"), [(4, True), (5, False)])
def test_no_tile_is_ignored_by_more_than_a_quarter(ground: Any, width: int, is_kept: bool) -> None:
    ignored = replace(plan(PatchLabel(Region(4, 4, 8, 8), 1)), ignore=(shapely.box(0, 0, width, 128),))
    assert bool(index_patch_labels(TrainingSlide(ground.slide, ignored), 0.5, 16).boxes) is is_kept


def test_a_batch_is_what_lies_in_the_boxes(ground: Any) -> None:
    dark, pale = (next(disc for disc in ground.discs if disc.label == label) for label in (1, 2))
    patches = [
        PatchLabel(Region.from_bounds(*(round(v) for v in disc.geometry.centroid.buffer(4).bounds)), disc.label)
        for disc in (dark, pale)
    ]
    slides = [TrainingSlide(ground.slide, plan(*patches))]
    dataset = TileDataset(slides, ground.scheme, 0.5)
    sampler = LabelSampler([index_patch_labels(slides[0], 0.5, 8)], {}, tile_px=8)
    maker = LabelMaker(dataset, sampler, Augmentation(AugmentationOptions.none()), batch_size=12, seed=0)
    pixels, labels = maker.make(3)
    assert (pixels.shape, pixels.dtype) == ((12, 3, 8, 8), torch.float32)
    assert (labels.shape, labels.dtype) == ((12,), torch.int64)
    means = pixels.mean(dim=(2, 3))
    assert set(labels.tolist()) == {1, 2}
    assert (means[labels == 1, 2] < 140).all()  # dark discs are dark in blue, pale ones are not
    assert (means[labels == 2, 2] > 200).all()
    assert all(torch.equal(a, b) for a, b in zip(maker.make(3), (pixels, labels), strict=True))
