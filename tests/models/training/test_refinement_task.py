from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bridge.annotations import Part
from bridge.coords import Window
from models.checkpoints import NetCard, NetRole
from models.data import (
    AugmentationOptions,
    GuidedSlide,
    HeatMap,
    StainJitterOptions,
    TileDataset,
    TrainingSlide,
    TreeSampler,
    index_slide,
)
from models.losses import squared_dice_loss
from models.nets import UNIT, NetKind, NetOptions
from models.training.refinement_task import (
    RefinementBatches,
    RefinementTask,
    make_refinement_judge,
    whole_where_it_fits,
)

CPU = torch.device("cpu")
STILL = RefinementBatches(2, 3, AugmentationOptions.none(), StainJitterOptions(share=0.0))


def guided(ground: Any, *, hold_out: bool = False) -> TrainingSlide:
    values = np.random.default_rng(5).integers(0, 256, (8, 12), dtype=np.uint8)
    slide = GuidedSlide(ground.slide, HeatMap(values, Window(0, 0, 12, 8, 16.0)))
    return TrainingSlide(slide, ground.plan(hold_out=hold_out))


def task_of(ground: Any, batches: RefinementBatches = STILL, tile_px: int = 32) -> RefinementTask:
    slide = guided(ground)
    sampler = TreeSampler([index_slide(slide, ground.scheme, 0.5)], {}, tile_px=tile_px, seed=3)
    dataset = TileDataset([slide], ground.scheme, 0.5)
    return RefinementTask(dataset, sampler, batches, normalization=UNIT, device=CPU, seed=3)


def plain_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 5, 3, padding=1), nn.Tanh(), nn.Conv2d(5, 3, 1))


def test_accumulated_gradients_are_those_of_one_big_batch(ground: Any) -> None:
    task = task_of(ground)
    parts = task.make(0)
    parts[1][1][0] = 255  # a tile of which nothing is labelled is no tile of the mean
    first, second = plain_net(), plain_net()
    total = 0.0
    for loss in task.losses(first, parts):
        loss.backward()
        total += loss.item()
    pixels, labels = (torch.cat(side) for side in zip(*parts, strict=True))
    whole = squared_dice_loss(second(pixels / 255), labels.long())
    whole.backward()
    assert total == pytest.approx(whole.item(), rel=1e-5)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.allclose(ours.grad, theirs.grad, rtol=1e-4, atol=1e-8)


def test_a_step_of_unlabelled_tiles_teaches_nothing(ground: Any) -> None:
    task, net = task_of(ground), plain_net()
    parts = task.make(0)
    for _, labels in parts:
        labels[:] = 255
    losses = list(task.losses(net, parts))
    assert len(losses) == 3
    assert sum(loss.item() for loss in losses) == 0


def test_a_steps_batch_depends_on_its_number_alone(ground: Any) -> None:
    batches = replace(RefinementBatches(), size=2, accumulation=2)
    task, again = task_of(ground, batches), task_of(ground, batches)
    again.make(0)
    first, second = task.make(4), again.make(4)
    assert all(torch.equal(a, b) for one, two in zip(first, second, strict=True) for a, b in zip(one, two, strict=True))
    assert not torch.equal(task.make(5)[0][0], first[0][0])


def test_tiles_and_labels_belong_together_and_have_four_channels(ground: Any) -> None:
    for pixels, labels in task_of(ground, tile_px=64).make(1):
        assert (pixels.shape, pixels.dtype) == ((2, 4, 64, 64), torch.uint8)
        assert labels.shape == (2, 64, 64)
        red = pixels[:, 0].float()
        assert red[labels == 1].mean() < 100 < red[labels == 2].mean() < 200 < red[labels == 0].mean()


def test_stains_are_changed_and_heat_is_not(ground: Any) -> None:
    changing = replace(STILL, stains=StainJitterOptions(share=1.0, strength=0.3, offset=0.3))
    for (still, labels), (changed, same) in zip(
        task_of(ground).make(2), task_of(ground, changing).make(2), strict=True
    ):
        assert torch.equal(still[:, 3], changed[:, 3])
        assert torch.equal(labels, same)
        assert not torch.equal(still[:, :3], changed[:, :3])


@given(
    x=st.integers(-100, 300),
    side=st.integers(1, 200),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
)
@settings(max_examples=60, deadline=None)
def test_a_slide_that_fits_is_seen_whole(x: int, side: int, width: int, height: int) -> None:
    tile = whole_where_it_fits(Window(x, 7, side, side), Window(0, 0, width, height))
    assert (tile.width, tile.height) == (side, side)
    if width <= side:
        assert tile.x <= 0
        assert tile.right >= width
    else:
        assert tile.x == x
    if height <= side:
        assert tile.y <= 0
        assert tile.bottom >= height


def test_every_tile_of_a_small_slide_shows_all_of_it(ground: Any) -> None:
    for pixels, _ in task_of(ground, tile_px=256).make(0):
        white = (pixels[:, :3] == 255).all(dim=1)
        assert ((~white).sum(dim=(1, 2)) > 0.99 * 192 * 128).all()


def test_the_judge_is_the_mean_loss_of_the_held_out_tiles(ground: Any) -> None:
    options = NetOptions(kind=NetKind.REFINEMENT, encoder_channels=(4, 4), pretrained=False)
    card = NetCard(NetRole.REFINEMENT, options, ground.scheme.names, 0.5, 64, UNIT)
    slide = guided(ground, hold_out=True)
    judge = make_refinement_judge(
        [
            slide,
        ],
        ground.scheme,
        card,
        most_tiles=9,
    )
    assert judge is not None
    net = plain_net()
    dataset = TileDataset([slide], ground.scheme, 0.5, Part.HOLD_OUT)
    tiles = [dataset.read("one", Window(128, y, 64, 64)) for y in (0, 64)]
    losses = [
        squared_dice_loss(
            net(torch.from_numpy(t.pixels).permute(2, 0, 1)[None] / 255), torch.from_numpy(t.labels)[None].long()
        ).item()
        for t in tiles
    ]
    assert judge(net) == pytest.approx(np.mean(losses), rel=1e-5)
    assert make_refinement_judge([guided(ground)], ground.scheme, card, most_tiles=9) is None
