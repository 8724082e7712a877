from __future__ import annotations

import pytest
import torch
from net_support import THROUGH_LAYER3, count_parameters
from torch import nn
from torch.nn import functional

from models.nets import LabelHead, PlainEncoder, ResNet18, WeakNet

CLASSES = 4


def small(label_head: LabelHead = LabelHead.TABLE_A3) -> WeakNet:
    torch.manual_seed(0)
    return WeakNet(PlainEncoder((4, 8, 8)), CLASSES, label_head=label_head)


@pytest.fixture(scope="module")
def papers_net() -> WeakNet:
    return WeakNet(ResNet18(THROUGH_LAYER3), CLASSES).eval()


def test_parameters_are_those_of_the_tables(papers_net: WeakNet) -> None:
    table_a2 = 9 * 256 * 64 + 2 * 64 + 64 * CLASSES + CLASSES
    table_a3 = CLASSES * 8 + 2 * 8 + 8 * CLASSES
    assert count_parameters(papers_net.decoder) + count_parameters(papers_net.head) == table_a2 == 147_844
    assert count_parameters(papers_net.classifier) == table_a3 == 80
    assert count_parameters(papers_net) == 2_782_784 + table_a2 + table_a3


def test_shapes_are_those_of_the_tables(papers_net: WeakNet) -> None:
    pixels = torch.zeros(1, 3, 128, 128)
    with torch.inference_mode():
        assert papers_net.encoder(pixels)[-1].shape == (1, 256, 8, 8)
        assert papers_net.low_scores(pixels).shape == (1, CLASSES, 16, 16)
        assert papers_net(pixels).shape == (1, CLASSES, 128, 128)
        assert papers_net.classify(pixels).shape == (1, CLASSES)


@pytest.mark.parametrize(("height", "width"), [(100, 77), (17, 128)])
def test_scores_have_the_size_of_any_input(height: int, width: int) -> None:
    net = small().eval()
    assert net(torch.zeros(2, 3, height, width)).shape == (2, CLASSES, height, width)
    assert net.classify(torch.zeros(2, 3, height, width)).shape == (2, CLASSES)


def test_mask_repeats_the_low_map_and_the_label_is_made_of_it() -> None:
    net = small().eval()
    pixels = torch.randn(2, 3, 32, 32)
    low = net.low_scores(pixels)
    mask, label = net.both(pixels)
    assert torch.equal(mask, low.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3))
    assert torch.equal(mask, net(pixels))
    assert torch.equal(label, net.classify(pixels))
    first, norm, last = (net.classifier[i] for i in (1, 2, 4))  # table A.3, by hand
    assert isinstance(first, nn.Conv2d)
    assert isinstance(last, nn.Conv2d)
    hidden = norm((low.mean(dim=(2, 3)) @ first.weight[:, :, 0, 0].T)[:, :, None, None])[:, :, 0, 0]
    assert torch.allclose(label, hidden.relu() @ last.weight[:, :, 0, 0].T, atol=1e-6)


def gradients(net: WeakNet, scores: torch.Tensor, truth: torch.Tensor) -> dict[str, bool]:
    net.zero_grad(set_to_none=True)
    functional.cross_entropy(scores, truth).backward()
    return {name: p.grad is not None and bool(p.grad.any()) for name, p in net.named_parameters()}


def test_masks_teach_all_but_the_classifier() -> None:
    net = small().train()
    truth = torch.randint(CLASSES, (2, 32, 32))
    taught = gradients(net, net(torch.randn(2, 3, 32, 32)), truth)
    assert {name for name, is_taught in taught.items() if not is_taught} == {
        name for name in taught if name.startswith("classifier.")
    }


def test_labels_teach_everything() -> None:
    net = small().train()
    torch.manual_seed(2)
    taught = gradients(net, net.classify(torch.randn(8, 3, 32, 32)), torch.arange(8) % CLASSES)
    # A score's bias shifts every patch alike: batch normalization takes it away again.
    assert all(is_taught for name, is_taught in taught.items() if name != "head.bias")


def test_code_s_label_head_is_the_highest_score() -> None:
    net = small(LabelHead.MAXIMUM).eval()
    pixels = torch.randn(2, 3, 32, 32)
    assert torch.equal(net.classify(pixels), net.low_scores(pixels).amax(dim=(2, 3)))
    assert count_parameters(net.classifier) == 0


def test_evaluation_is_deterministic() -> None:
    net = small().eval()
    pixels = torch.randn(1, 3, 32, 32)
    assert torch.equal(net(pixels), net(pixels))


@pytest.mark.parametrize("is_label", [False, True])
def test_onnx_gives_the_same(through_onnx, settle, is_label: bool) -> None:  # type: ignore[no-untyped-def]
    class Labels(nn.Module):
        def __init__(self, net: WeakNet) -> None:
            super().__init__()
            self.net = net

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.net.classify(pixels)

    torch.manual_seed(0)
    net: nn.Module = WeakNet(ResNet18(THROUGH_LAYER3), CLASSES)
    net = Labels(net) if is_label else net  # type: ignore[arg-type]
    settle(net, torch.randn(4, 3, 64, 64))
    pixels = torch.randn(2, 3, 48, 80)
    with torch.inference_mode():
        expected = net(pixels)
    assert (expected[0] - expected[1]).abs().max() > 0.01  # the pixels count
    result = torch.from_numpy(through_onnx(net, torch.zeros(1, 3, 64, 64), pixels))
    assert torch.allclose(result, expected, atol=1e-4)
