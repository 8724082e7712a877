from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from models.losses import SegmentationLoss
from models.nets import CENTRED, LabelHead, PlainEncoder, UNet, WeakNet
from models.training.weak_task import WeakBatch, WeakSteps, WeakTask, split_batch

CPU = torch.device("cpu")
CLASSES, SIDE, IGNORE = 3, 16, 255


class Fixed:
    """Gives the same pair at every step."""

    def __init__(self, pair: Any) -> None:
        self.pair = pair

    def make(self, step: int) -> Any:
        return self.pair


def masks() -> Any:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.rand(3, 3, SIDE, SIDE, generator=generator) * 255
    return pixels, torch.randint(0, CLASSES, (3, SIDE, SIDE), generator=generator)


def labels() -> Any:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(6, 3, SIDE, SIDE, generator=generator) * 255, torch.arange(6) % CLASSES


def weak_net(head: LabelHead = LabelHead.TABLE_A3) -> nn.Module:
    torch.manual_seed(0)
    return WeakNet(PlainEncoder((4, 8)), CLASSES, label_head=head).train()


def unet(head: LabelHead = LabelHead.TABLE_A3) -> nn.Module:
    torch.manual_seed(0)
    return UNet(PlainEncoder((4, 8)), CLASSES, decoder_channels=(8, 8), stem_channels=4, label_head=head).train()


def task(of_masks: Any, of_labels: Any, steps: WeakSteps = WeakSteps.ALTERNATING) -> WeakTask:
    loss = SegmentationLoss((1.0,) * CLASSES, dice_share=0.0, pooled_share=0.0)
    makers = [Fixed(pair) if pair is not None else None for pair in (of_masks, of_labels)]
    return WeakTask(*makers, CENTRED, loss, (1.0, 2.0, 0.5), CPU, steps=steps)


def gradients(net: nn.Module, lessons: WeakTask) -> dict[str, torch.Tensor | None]:
    net.zero_grad(set_to_none=True)
    for loss in lessons.losses(net, lessons.make(0)):
        loss.backward()
    return {name: p.grad for name, p in net.named_parameters()}


def untaught(grads: dict[str, torch.Tensor | None]) -> set[str]:
    return {name for name, grad in grads.items() if grad is None or not grad.any()}


@pytest.mark.parametrize("make_net", [weak_net, unet])
def test_masks_move_all_but_the_classifier(make_net: Any) -> None:
    net = make_net()
    left = untaught(gradients(net, task(masks(), None)))
    assert left == {name for name, _ in net.named_parameters() if name.startswith("classifier.")} != set()


@pytest.mark.parametrize("make_net", [weak_net, unet])
def test_labels_move_everything(make_net: Any) -> None:
    net = make_net()
    # The bias of a score shifts every tile alike, which batch normalization takes away: only rounding is left.
    assert untaught(gradients(net, task(None, labels()))) <= {"head.bias"}


def test_mask_scores_get_gradients_from_masks_and_label_scores_from_labels() -> None:
    net = weak_net()
    seen: dict[str, list[torch.Tensor]] = {"mask": [], "label": []}
    kept = {"mask": net.forward, "label": net.classify}

    def watched(kind: str) -> Any:
        def run(pixels: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = kept[kind](pixels)  # type: ignore[operator]
            scores.retain_grad()
            seen[kind].append(scores)
            return scores

        return run

    net.forward, net.classify = watched("mask"), watched("label")  # type: ignore[assignment]
    mask_pixels, mask_labels = masks()
    mask_labels[1] = IGNORE  # a tile that nothing is labelled in
    gradients(net, task((mask_pixels, mask_labels), labels()))
    (mask,), (label,) = seen["mask"], seen["label"]  # one pass each
    assert mask.grad is not None and label.grad is not None
    assert mask.grad.abs().amax(dim=(1, 2, 3)).gt(0).tolist() == [True, False, True]
    assert (mask.shape[0], label.shape[0]) == (3, 6)


@pytest.mark.parametrize("head", [LabelHead.MEAN, LabelHead.MAXIMUM])
def test_a_step_is_the_sum_of_its_two_halves(head: LabelHead) -> None:
    net = unet(head)
    both = gradients(net, task(masks(), labels()))
    halves = [gradients(net, task(masks(), None)), gradients(net, task(None, labels()))]
    for name, grad in both.items():
        parts = [half[name] for half in halves if half[name] is not None]
        assert grad is not None
        assert torch.allclose(grad, sum(parts), atol=1e-5), name  # type: ignore[arg-type]


def test_the_codes_mixed_batch_is_one_pass_with_both_losses_of_all() -> None:
    pixels, _ = masks()
    truth = torch.zeros(3, SIDE, SIDE, dtype=torch.int64)
    truth[0, 7:], truth[0, 10:] = 1, 2  # 7 rows of 0, 3 of 1, 6 of 2: most are 0, the median is 1
    truth[1], truth[2] = IGNORE, 1
    other, given = labels()
    net = weak_net(LabelHead.MAXIMUM)
    mixed = task((pixels, truth), (other, given), WeakSteps.JOINT)
    (loss,) = mixed.losses(net, mixed.make(0))
    inputs = (torch.cat((pixels, other)) - 127) / 128
    scores = net.both(inputs)  # type: ignore[operator]
    filled = torch.cat((truth, given.view(-1, 1, 1).expand(-1, SIDE, SIDE)))
    classes = torch.cat((torch.tensor([0, IGNORE, 1]), given))
    weights = torch.tensor((1.0, 2.0, 0.5))
    expected = nn.functional.cross_entropy(scores.mask, filled, ignore_index=IGNORE) + nn.functional.cross_entropy(
        scores.label, classes, weights, ignore_index=IGNORE
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_neither_masks_nor_labels_is_no_task() -> None:
    with pytest.raises(ValueError, match="masks or patch labels"):
        task(None, None)


def test_a_part_that_is_not_there_is_left_out() -> None:
    lessons = task(None, labels())
    assert isinstance(lessons.make(0), WeakBatch)
    assert lessons.make(0).masks is None
    assert len(list(lessons.losses(weak_net(), lessons.make(0)))) == 1


@pytest.mark.parametrize(
    ("size", "share", "has", "expected"),
    [
        (20, 0.5, (True, True), (10, 10)),
        (8, 0.25, (True, True), (6, 2)),
        (8, 0.01, (True, True), (6, 2)),
        (8, 0.99, (True, True), (1, 7)),
        (2, 0.5, (True, True), (1, 2)),
        (1, 0.5, (False, True), (0, 2)),
        (8, 0.5, (True, False), (8, 0)),
        (8, 0.5, (False, True), (0, 8)),
    ],
)
def test_a_batch_is_split_by_what_there_is(
    size: int, share: float, has: tuple[bool, bool], expected: tuple[int, int]
) -> None:
    assert split_batch(size, share, has_masks=has[0], has_labels=has[1]) == expected
