from __future__ import annotations

import pytest
import torch
from net_support import count_parameters
from torch.nn import functional

from models.nets import LabelHead, MaskAndLabel, PlainEncoder, UNet
from models.nets.label_head import build_label_head

CLASSES = 3


def unet(label_head: LabelHead | None) -> UNet:
    torch.manual_seed(0)
    return UNet(PlainEncoder((4, 8)), CLASSES, decoder_channels=(8, 8), stem_channels=4, label_head=label_head)


@pytest.mark.parametrize("label_head", list(LabelHead))
def test_every_head_gives_a_score_per_class_of_maps_of_any_size(label_head: LabelHead) -> None:
    head = build_label_head(label_head, CLASSES).eval()
    for side in (1, 5, 16):
        assert head(torch.randn(2, CLASSES, side, side + 2)).shape == (2, CLASSES)


def test_the_mean_is_that_of_the_probabilities() -> None:
    scores = 5 * torch.randn(4, CLASSES, 6, 7)
    label = build_label_head(LabelHead.MEAN, CLASSES)(scores)
    assert torch.allclose(label.softmax(dim=1), scores.softmax(dim=1).mean(dim=(2, 3)), atol=1e-6)
    assert torch.isfinite(build_label_head(LabelHead.MEAN, CLASSES)(200 * scores)).all()


def test_a_label_raises_its_own_class_and_lowers_the_others_in_every_pixel() -> None:
    scores = torch.randn(2, CLASSES, 4, 4, requires_grad=True)
    label = build_label_head(LabelHead.MEAN, CLASSES)(scores)
    functional.cross_entropy(label, torch.tensor([2, 2])).backward()
    assert scores.grad is not None
    assert (scores.grad[:, 2] < 0).all()
    assert (scores.grad.sum(dim=1).abs() < 1e-6).all()


def test_a_unet_without_the_head_has_today_s_weights() -> None:
    plain, headed = unet(None).state_dict(), unet(LabelHead.TABLE_A3).state_dict()
    assert not any(key.startswith("classifier") for key in plain)
    assert all(torch.equal(plain[key], headed[key]) for key in plain)
    assert count_parameters(unet(LabelHead.TABLE_A3)) - count_parameters(unet(None)) == 2 * 8 * CLASSES + 2 * 8
    assert count_parameters(unet(LabelHead.MEAN)) == count_parameters(unet(None))


def test_a_unet_s_label_is_made_of_its_mask() -> None:
    net = unet(LabelHead.MAXIMUM).eval()
    pixels = torch.randn(2, 3, 16, 16)
    both = net.both(pixels)
    assert isinstance(both, MaskAndLabel)
    assert torch.equal(both.mask, net(pixels))
    assert torch.equal(net.classify(pixels), both.mask.amax(dim=(2, 3)))


def test_a_unet_without_the_head_says_so() -> None:
    with pytest.raises(ValueError, match="no label head"):
        unet(None).classify(torch.zeros(2, 3, 16, 16))
