from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from models.losses import FrequencyWeighting, frequency_weights, masked_cross_entropy
from models.nets import PlainEncoder, WeakNet

IGNORE = 255
HAS_MASK, HAS_LABEL, HAS_BOTH, HAS_NOTHING = range(4)


class TwoHeads(nn.Module):
    """The smallest net of the paper's shape: the classifier reads the decoder's map."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder, self.classifier = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 1), nn.Linear(3, 3)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.decoder(self.encoder(pixels).relu())
        return scores, self.classifier(scores.mean(dim=(2, 3)))


class WeakLosses(NamedTuple):
    """The losses of a batch: of the samples with a mask, and of those with a patch label."""

    segmentation: torch.Tensor
    classification: torch.Tensor

    @property
    def total(self) -> torch.Tensor:
        return self.classification + self.segmentation


def weak_losses(
    mask_scores: torch.Tensor,
    label_scores: torch.Tensor,
    masks: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> WeakLosses:
    return WeakLosses(
        masked_cross_entropy(mask_scores, masks, weights), masked_cross_entropy(label_scores, labels, weights)
    )


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One sample of each kind: mask only, label only, both, nothing."""
    generator = torch.Generator().manual_seed(5)
    masks = torch.randint(0, 3, (4, 4, 4), generator=generator)
    masks[[HAS_LABEL, HAS_NOTHING]] = IGNORE
    return torch.randn(4, 3, 6, 6, generator=generator), masks, torch.tensor([IGNORE, 2, 1, IGNORE])


def heads(seed: int = 0) -> TwoHeads:
    torch.manual_seed(seed)
    return TwoHeads()


def touched(module: nn.Module) -> bool:
    return any(p.grad is not None and p.grad.abs().max() > 0 for p in module.parameters())


def test_scores_get_gradients_only_where_their_truth_exists() -> None:
    pixels, masks, labels = batch()
    mask_scores, label_scores = (t.detach().requires_grad_() for t in heads()(pixels))
    weak_losses(mask_scores, label_scores, masks, labels).total.backward()
    assert mask_scores.grad is not None
    assert label_scores.grad is not None
    assert mask_scores.grad.abs().amax(dim=(1, 2, 3)).gt(0).tolist() == [True, False, True, False]
    assert label_scores.grad.abs().amax(dim=1).gt(0).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("kinds", "segments", "classifies"),
    [
        ([HAS_MASK], True, False),
        ([HAS_LABEL], False, True),
        ([HAS_MASK, HAS_LABEL], True, True),
        ([HAS_BOTH], True, True),
    ],
)
def test_each_loss_trains_its_own_path(kinds: list[int], segments: bool, classifies: bool) -> None:
    pixels, masks, labels = (t[kinds] for t in batch())
    net = heads()
    losses = weak_losses(*net(pixels), masks, labels)
    assert (losses.segmentation.item() > 0, losses.classification.item() > 0) == (segments, classifies)
    losses.segmentation.backward(retain_graph=True)
    assert (touched(net.decoder), touched(net.classifier)) == (segments, False)
    net.zero_grad()
    losses.classification.backward()
    assert (touched(net.decoder), touched(net.classifier)) == (classifies, classifies)  # by way of the classifier


def test_a_sample_without_truth_leaves_all_weights_alone() -> None:
    pixels, masks, labels = (t[[HAS_NOTHING]] for t in batch())
    net = heads()
    losses = weak_losses(*net(pixels), masks, labels)
    losses.total.backward()
    assert losses.total.item() == 0
    assert not touched(net)


def test_one_mixed_batch_gives_the_gradients_of_the_two_steps() -> None:
    pixels, masks, labels = batch()
    mixed, stepwise = heads(), heads()
    weak_losses(*mixed(pixels), masks, labels).total.backward()
    nothing = torch.full_like(labels, IGNORE)
    with_mask, with_label = [HAS_MASK, HAS_BOTH], [HAS_LABEL, HAS_BOTH]
    weak_losses(*stepwise(pixels[with_mask]), masks[with_mask], nothing[with_mask]).total.backward()
    no_masks = torch.full_like(masks, IGNORE)
    weak_losses(*stepwise(pixels[with_label]), no_masks[with_label], labels[with_label]).total.backward()
    for one, two in zip(mixed.parameters(), stepwise.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.allclose(one.grad, two.grad, atol=1e-6)


def test_losses_are_the_weighted_means_of_their_own_samples() -> None:
    pixels, masks, labels = batch()
    mask_scores, label_scores = heads()(pixels)
    weights = torch.tensor([1.0, 4.0, 0.5])
    losses = weak_losses(mask_scores, label_scores, masks, labels, weights)
    own = [HAS_MASK, HAS_BOTH]
    assert losses.segmentation.item() == pytest.approx(
        functional.cross_entropy(mask_scores[own], masks[own], weights).item()
    )
    own = [HAS_LABEL, HAS_BOTH]
    assert losses.classification.item() == pytest.approx(
        functional.cross_entropy(label_scores[own], labels[own], weights).item()
    )
    assert losses.total.item() == pytest.approx(losses.segmentation.item() + losses.classification.item())


def test_rare_classes_weigh_more_and_the_literal_text_the_other_way_round() -> None:
    counts = [100, 25, 0, 25]
    inverse = frequency_weights(counts)
    assert inverse == pytest.approx((0.5, 2, 1, 2))
    literal = frequency_weights(counts, FrequencyWeighting.PROPORTIONAL)
    assert literal == pytest.approx((2, 0.5, 1, 0.5))


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_inverse_weights_make_all_classes_weigh_alike_in_sum(counts: list[int]) -> None:
    masses = [count * weight for count, weight in zip(counts, frequency_weights(counts), strict=True)]
    assert masses == pytest.approx([sum(counts) / len(counts)] * len(counts))


@pytest.mark.parametrize("is_label_step", [False, True])
def test_the_papers_steps_train_the_papers_net_as_they_should(is_label_step: bool) -> None:
    torch.manual_seed(0)
    net = WeakNet(PlainEncoder((4, 8)), 3)
    pixels = torch.randn(4, 3, 16, 16)
    masks, labels = torch.full((4, 16, 16), IGNORE), torch.full((4,), IGNORE)
    if is_label_step:
        labels = torch.tensor([0, 1, 2, 1])
    else:
        masks = torch.randint(0, 3, (4, 16, 16))
    losses = weak_losses(*net.both(pixels), masks, labels)
    losses.total.backward()
    assert touched(net.encoder)
    assert touched(net.decoder)
    assert touched(net.head)
    assert touched(net.classifier) == is_label_step
    assert (losses.segmentation.item() > 0, losses.classification.item() > 0) == (not is_label_step, is_label_step)
