from __future__ import annotations

import pytest
import torch
from net_support import count_parameters

from models.nets import MobileNetV2

PUBLISHED_PARAMETERS = 3_504_872  # torchvision's MobileNetV2 with its head for 1000 classes
HEAD_PARAMETERS = 1280 * 1000 + 1000
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
WIDTHS = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320]  # of the seventeen blocks
LAST_FEATURE = {1: 1, 2: 3, 3: 6, 4: 13, 5: 18}  # by depth


def unit_names(at: str) -> set[str]:
    return {f"{at}.0.weight", *(f"{at}.1.{leaf}" for leaf in BATCH_NORM)}


def published_names(last_feature: int) -> set[str]:
    """Names of torchvision's state dict, spelled out from its definition."""
    names = unit_names("features.0")
    for block in range(1, min(last_feature, 17) + 1):
        at = f"features.{block}.conv"
        units = 1 if block == 1 else 2  # the first block expands nothing
        names = names.union(*(unit_names(f"{at}.{i}") for i in range(units)))
        names |= {f"{at}.{units}.weight", *(f"{at}.{units + 1}.{leaf}" for leaf in BATCH_NORM)}
    return names | unit_names("features.18") if last_feature == 18 else names


def parameters_by_hand() -> int:
    """Table 2 of the paper: expand, depthwise and project of each block, 2 for each channel normalized."""
    total = 9 * 3 * 32 + 2 * 32
    before = 32
    for number, after in enumerate(WIDTHS):
        inner = before if number == 0 else 6 * before
        total += 0 if number == 0 else before * inner + 2 * inner
        total += 9 * inner + 2 * inner + inner * after + 2 * after
        before = after
    return total + 320 * 1280 + 2 * 1280


def test_encoder_has_the_published_parameters_less_the_head() -> None:
    assert count_parameters(MobileNetV2()) == PUBLISHED_PARAMETERS - HEAD_PARAMETERS == parameters_by_hand()


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_names_are_torchvision_s(depth: int) -> None:
    assert set(MobileNetV2(depth).state_dict()) == published_names(LAST_FEATURE[depth])


def test_moving_the_picture_by_a_stride_moves_the_map_by_one(settle) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    encoder = MobileNetV2(3)
    settle(encoder, torch.randn(2, 3, 64, 64))
    picture = torch.zeros(1, 3, 160, 160)
    picture[..., 72:88, 72:88] = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        here, there = encoder(picture)[-1], encoder(picture.roll(8, dims=-1))[-1]
    assert torch.allclose(here[..., 6:14, 6:13], there[..., 6:14, 7:14], atol=1e-5)
    assert not torch.allclose(here, there, atol=1e-2)


def test_bottleneck_is_linear_and_steps_around_itself() -> None:
    """Block 3 (24 → 24, stride 1): with a dead projection it hands on its input, negative values too."""
    torch.manual_seed(0)
    block = MobileNetV2(2).features[3].eval()
    x = torch.randn(1, 24, 8, 8)
    projection = block.get_submodule("conv.2")
    with torch.no_grad():
        assert isinstance(projection.weight, torch.Tensor)
        projection.weight.zero_()
        assert torch.equal(block(x), x)


def test_activation_ends_at_six() -> None:
    stem = MobileNetV2(1).features[0].eval()
    with torch.inference_mode():
        values = stem(torch.randn(1, 3, 16, 16) * 1000)
    assert values.min() == 0
    assert values.max() == 6


@pytest.mark.parametrize("depth", [0, 6])
def test_another_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="1 to 5 maps"):
        MobileNetV2(depth)
