from __future__ import annotations

import pytest
import torch

from models.losses import squared_dice_loss

IGNORE = 255


def scores_of(tumor: list[list[float]]) -> torch.Tensor:
    """Scores of two classes on a 1 × n picture a sample, from the probabilities of the second."""
    second = torch.tensor(tumor, dtype=torch.float64).unsqueeze(1)
    return torch.stack((1 - second, second), dim=1).log()


def test_a_batch_worked_by_hand() -> None:
    scores = scores_of([[0.5, 0.8, 0.1], [0.5, 0.5, 0.5]])
    labels = torch.tensor([[[1, 1, 0]], [[0, 0, 0]]])
    first = (2 * 1.3 + 1) / (0.25 + 0.64 + 0.01 + 2 + 1)
    second = 1 / (0.75 + 1)
    assert squared_dice_loss(scores, labels).item() == pytest.approx(1 - (first + second) / 2)
    assert squared_dice_loss(scores[:1], labels[:1], smooth=0.0).item() == pytest.approx(1 - 2.6 / 2.9)


def test_the_background_does_not_count() -> None:
    labels = torch.tensor([[[0, 1, 2, 2]]])
    sure = 50.0 * torch.nn.functional.one_hot(labels, 3).permute(0, 3, 1, 2)
    assert squared_dice_loss(sure, labels).item() == pytest.approx(0, abs=1e-6)
    missed = 50.0 * torch.nn.functional.one_hot(torch.tensor([[[0, 0, 2, 2]]]), 3).permute(0, 3, 1, 2)
    assert squared_dice_loss(missed, labels).item() == pytest.approx((1 - 1 / 2) / 2)  # class 1 alone


def test_ignored_pixels_and_unlabelled_samples_change_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 2, 4, 4, generator=generator).requires_grad_()
    labels = torch.randint(0, 2, (3, 4, 4), generator=generator)
    labels[0, 2:], labels[1] = IGNORE, IGNORE
    loss = squared_dice_loss(scores, labels)
    apart = [squared_dice_loss(scores[:1, :, :2], labels[:1, :2]), squared_dice_loss(scores[2:], labels[2:])]
    assert loss.item() == pytest.approx(sum(part.item() for part in apart) / 2)
    loss.backward()
    assert scores.grad is not None
    assert scores.grad[1].abs().max() == 0
    assert scores.grad[0, :, 2:].abs().max() == 0
    assert scores.grad[0, :, :2].abs().min() > 0


def test_nothing_labelled_is_no_loss() -> None:
    scores = torch.randn(2, 2, 4, 4, requires_grad=True)
    loss = squared_dice_loss(scores, torch.full((2, 4, 4), IGNORE))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad is not None
    assert scores.grad.abs().max() == 0
