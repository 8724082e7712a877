from __future__ import annotations

import pytest
import torch
from net_support import count_parameters

from models.nets import MobileNetV2, PatchClassifier, PlainEncoder


def running(net: torch.nn.Module) -> int:
    return sum(buffer.numel() for name, buffer in net.named_buffers() if "running" in name)


def test_paper_s_classifier_has_its_2_386_686_parameters() -> None:
    """Keras counts running statistics: 2 per channel normalized, beside weights and biases."""
    net = PatchClassifier(MobileNetV2())
    head = (1280 * 100 + 100) + 2 * 100 + (100 * 2 + 2)
    assert count_parameters(net.head) == head == 128_502
    assert count_parameters(net) == 2_223_872 + head
    assert count_parameters(net) + running(net) == 2_386_686
    assert running(net.head) == 2 * 100


def test_head_keeps_the_paper_s_order() -> None:
    """Dense, dropout, ReLU, batch normalization, dense."""
    kinds = [type(module).__name__ for module in PatchClassifier(PlainEncoder((4,))).head]
    assert kinds[2:] == ["Linear", "Dropout", "ReLU", "BatchNorm1d", "Linear"]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 50)])
def test_any_size_gives_one_score_per_class(height: int, width: int) -> None:
    net = PatchClassifier(MobileNetV2(), 5).eval()
    assert net.stride == 32
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, height, width)).shape == (2, 5)


def test_evaluation_is_deterministic_and_training_drops() -> None:
    torch.manual_seed(0)
    net = PatchClassifier(PlainEncoder((8, 16)))
    pixels = torch.randn(8, 3, 16, 16)
    assert not torch.equal(net(pixels), net(pixels))
    net.eval()
    assert torch.equal(net(pixels), net(pixels))


def test_gradients_reach_every_parameter() -> None:
    torch.manual_seed(0)
    net = PatchClassifier(MobileNetV2())
    loss = torch.nn.functional.cross_entropy(net(torch.randn(4, 3, 64, 64)), torch.tensor([0, 1, 0, 1]))
    loss.backward()
    # The dense bias before dropout gets some; each is finite and none is left out.
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in net.parameters())


def test_onnx_gives_the_same(through_onnx, settle) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    net = PatchClassifier(MobileNetV2())
    pixels = torch.randn(2, 3, 64, 96)
    settle(net, torch.cat((pixels, torch.randn(14, 3, 64, 96))))
    with torch.inference_mode():
        expected = net(pixels)
    assert (expected[0] - expected[1]).abs().max() > 0.01  # the pixels count
    result = torch.from_numpy(through_onnx(net, torch.zeros(1, 3, 64, 64), pixels))
    assert torch.allclose(result, expected, atol=1e-4)
