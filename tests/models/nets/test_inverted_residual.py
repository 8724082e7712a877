"""Stages of inverted residuals: what each block is fed, and when its input is added."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.nets.inverted_residual import Block, InvertedResidual, Stage, blocks_of, maps_along

stages = st.lists(
    st.builds(Stage, st.integers(1, 9), st.integers(1, 4), st.sampled_from([1, 2]), st.integers(1, 6)), max_size=5
)


@settings(max_examples=60, deadline=None)
@given(stages, st.integers(1, 9))
def test_every_block_is_fed_by_the_one_before_and_only_the_first_of_a_stage_strides(
    stages: list[Stage], in_channels: int
) -> None:
    blocks = list(blocks_of(stages, in_channels))
    assert len(blocks) == sum(stage.repeats for stage in stages)
    assert [b.in_channels for b in blocks] == [in_channels, *(b.out_channels for b in blocks)][: len(blocks)]
    expected = [s for stage in stages for s in (stage.stride, *[1] * (stage.repeats - 1))]
    assert [b.stride for b in blocks] == expected
    assert all(two.in_channels == one.out_channels for one, two in pairwise(blocks))


class Doubling(InvertedResidual):
    def projected(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


@pytest.mark.parametrize(
    ("block", "factor"),
    [(Block(4, 4, 1, 6, 3), 3), (Block(4, 4, 2, 6, 3), 2), (Block(4, 8, 1, 6, 3), 2)],
    ids=["same shape", "stride", "other width"],
)
def test_what_came_in_is_added_only_where_the_shape_stayed(block: Block, factor: float) -> None:
    x = torch.arange(4.0)
    assert torch.equal(Doubling(block)(x), factor * x)


def test_maps_are_taken_after_the_named_places_in_order() -> None:
    halvings = [nn.AvgPool2d(2) for _ in range(4)]
    maps = maps_along(halvings, torch.ones(1, 1, 16, 16), after=(3, 0))
    assert [tuple(m.shape[2:]) for m in maps] == [(8, 8), (1, 1)]
