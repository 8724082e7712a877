from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from bridge.slides import open_slide
from models.data import AugmentationOptions, TrainingSlide
from models.training import TrainingOptions
from scripts.bench.cut_tiles import Augmenting, CutTiles, Endless, load
from scripts.bench.training import Sizes, UnlikeBatchesError, _Bench, paint_slide, plan_of

SIZES = Sizes(256, 6, (), 2, (0,), 1)
OPTIONS = TrainingOptions(tile_px=32, batch_size=2, augmentation=AugmentationOptions(warp_share=0.0))


def bench_in(folder: Path) -> _Bench:
    slide = open_slide(paint_slide(folder / "slide.tif", SIZES), mpp=(0.5, 0.5))
    cuts = folder / "cuts"
    cuts.mkdir()
    return _Bench.cut(TrainingSlide(slide, plan_of(SIZES)), OPTIONS, 3, cuts)


def test_cut_tiles_make_the_batches_that_are_streamed(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    loaded = load(bench.tiles, OPTIONS.batch_size, Augmenting(OPTIONS.augmentation, OPTIONS.seed), 0)
    for step, batch in enumerate(islice(loaded, 4)):
        expected = bench.maker(0).make(step % 3)  # of three steps: the fourth is the first again
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(expected, batch, strict=True))


def test_other_batches_are_not_compared(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    pixels, labels = bench.maker(0).make(0)
    with pytest.raises(UnlikeBatchesError):
        bench._check((pixels + 1, labels))


def test_a_tile_is_read_as_it_was_cut(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    spot = bench.sampler.batch(1, OPTIONS.batch_size)[1]
    tile = bench.tiles[1 * OPTIONS.batch_size + 1]
    assert (tile.step, tile.labels.shape) == (1, (32, 32))
    assert np.array_equal(tile.pixels, bench.taught.slide.read_window(spot.window))


def test_places_go_on_without_end() -> None:
    assert list(islice(Endless(2), 3)) == [[0, 1], [2, 3], [4, 5]]


def test_cut_tiles_are_all_of_the_steps(tmp_path: Path) -> None:
    bench_in(tmp_path)
    assert len(list((tmp_path / "cuts").iterdir())) == 3 * OPTIONS.batch_size * 2
    assert CutTiles(tmp_path / "cuts", 3, 2)[5].step == 2
