from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.losses import (
    SegmentationLoss,
    class_weights,
    masked_cross_entropy,
    masked_dice_loss,
    pooled_scores,
)

IGNORE = 255


def example(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(2, 3, 6, 6, generator=generator)
    labels = torch.randint(0, 3, (2, 6, 6), generator=generator)
    labels[:, :2] = IGNORE
    return scores, labels


@pytest.mark.parametrize("loss", [masked_cross_entropy, masked_dice_loss, SegmentationLoss((1.0, 2.0, 3.0))])
def test_ignored_pixels_change_nothing(loss) -> None:  # type: ignore[no-untyped-def]
    scores, labels = example()
    changed = scores.clone()
    changed[:, :, :2] += 50 * torch.randn_like(changed[:, :, :2])
    assert loss(scores, labels).item() == pytest.approx(loss(changed, labels).item(), rel=1e-5)
    scores.requires_grad_()
    loss(scores, labels).backward()
    assert scores.grad is not None
    assert scores.grad[:, :, :2].abs().max() == 0
    assert scores.grad[:, :, 2:].abs().max() > 0


@pytest.mark.parametrize("loss", [masked_cross_entropy, masked_dice_loss, SegmentationLoss((1.0, 1.0, 1.0))])
def test_nothing_labelled_is_no_loss_and_no_gradient(loss) -> None:  # type: ignore[no-untyped-def]
    scores = torch.randn(1, 3, 4, 4, requires_grad=True)
    value = loss(scores, torch.full((1, 4, 4), IGNORE))
    value.backward()
    assert value.item() == 0
    assert scores.grad is not None
    assert scores.grad.abs().max() == 0


def test_cross_entropy_is_the_weighted_mean() -> None:
    scores = torch.log(torch.tensor([[0.5, 0.25], [0.5, 0.75]])).view(1, 2, 1, 2)
    labels = torch.tensor([[[0, 1]]])
    expected = (3 * -math.log(0.5) + 1 * -math.log(0.75)) / 4
    assert masked_cross_entropy(scores, labels, torch.tensor([3.0, 1.0])).item() == pytest.approx(expected)


def test_dice_of_a_perfect_and_of_a_wrong_answer() -> None:
    labels = torch.tensor([[[0, 1], [1, 0]]])
    sure = 50.0 * torch.nn.functional.one_hot(labels, 2).permute(0, 3, 1, 2)
    assert masked_dice_loss(sure, labels, smooth=0.0).item() == pytest.approx(0, abs=1e-6)
    assert masked_dice_loss(-sure, labels, smooth=0.0).item() == pytest.approx(1, abs=1e-6)


def test_dice_leaves_out_classes_that_are_not_there() -> None:
    labels = torch.zeros(1, 2, 2, dtype=torch.int64)
    scores = torch.zeros(1, 3, 2, 2)
    probability = 1 / 3
    expected = 1 - (2 * 4 * probability) / (4 * probability + 4)
    assert masked_dice_loss(scores, labels, smooth=0.0).item() == pytest.approx(expected)


def test_pooled_scores_keep_the_probability_of_the_background() -> None:
    scores, _ = example()
    assert torch.allclose(pooled_scores(scores).softmax(1)[:, 0], scores.softmax(1)[:, 0], atol=1e-6)


def test_pooled_term_forgives_a_wrong_name_but_not_a_missed_object() -> None:
    labels = torch.ones(1, 4, 4, dtype=torch.int64)
    loss = SegmentationLoss((1.0, 1.0, 1.0), pooled_share=10.0)
    answers = [20.0 * torch.eye(3)[label].view(1, 3, 1, 1).expand(1, 3, 4, 4) for label in range(3)]
    missed, right, misnamed = (loss(answer, labels).item() for answer in answers)
    assert right < misnamed < missed


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6), st.floats(0, 1), st.floats(1, 20))
@settings(max_examples=60, deadline=None)
def test_class_weights_are_bounded_and_rarer_is_never_lighter(counts: list[int], power: float, bound: float) -> None:
    weights = class_weights(counts, power=power, bound=bound)
    assert all(1 / bound - 1e-9 <= w <= bound + 1e-9 for w in weights)
    seen = sorted((count, -weight) for count, weight in zip(counts, weights, strict=True) if count)
    assert all(a[1] <= b[1] + 1e-9 for a, b in pairwise(seen))
