from __future__ import annotations

from pathlib import Path

import pytest
import torch
from net_support import THROUGH_LAYER3, count_parameters

from models.nets import ResNet18, load_weights

PUBLISHED_PARAMETERS = 11_689_512  # torchvision's ResNet-18 with its head for 1000 classes
HEAD_PARAMETERS = 512 * 1000 + 1000
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def published_names(layers: int) -> set[str]:
    """Names of torchvision's state dict, spelled out from its definition."""
    names = {"conv1.weight", *(f"bn1.{leaf}" for leaf in BATCH_NORM)}
    for layer in range(1, layers + 1):
        for block in range(2):
            at = f"layer{layer}.{block}"
            names |= {f"{at}.conv{i}.weight" for i in (1, 2)}
            names |= {f"{at}.bn{i}.{leaf}" for i in (1, 2) for leaf in BATCH_NORM}
        if layer > 1:
            at = f"layer{layer}.0.downsample"
            names |= {f"{at}.0.weight", *(f"{at}.1.{leaf}" for leaf in BATCH_NORM)}
    return names


def parameters_through_layer3() -> int:
    """Table 1 of the paper by hand: k·k·in·out for each convolution, 2 for each channel normalized."""
    stem = 7 * 7 * 3 * 64 + 2 * 64
    layer1 = 4 * (9 * 64 * 64 + 2 * 64)
    layer2 = 9 * 64 * 128 + 3 * 9 * 128 * 128 + 4 * 2 * 128 + (64 * 128 + 2 * 128)
    layer3 = 9 * 128 * 256 + 3 * 9 * 256 * 256 + 4 * 2 * 256 + (128 * 256 + 2 * 256)
    return stem + layer1 + layer2 + layer3


def test_encoder_has_the_published_parameters_less_the_head() -> None:
    assert count_parameters(ResNet18()) == PUBLISHED_PARAMETERS - HEAD_PARAMETERS


def test_through_layer3_it_has_what_the_paper_s_table_gives() -> None:
    assert count_parameters(ResNet18(THROUGH_LAYER3)) == parameters_through_layer3() == 2_782_784


@pytest.mark.parametrize("depth", [1, 2, 4, 5])
def test_names_are_torchvision_s(depth: int) -> None:
    assert set(ResNet18(depth).state_dict()) == published_names(depth - 1)


def test_moving_the_picture_by_a_stride_moves_the_map_by_one(settle) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    encoder = ResNet18(3)
    settle(encoder, torch.randn(2, 3, 64, 64))
    picture = torch.zeros(1, 3, 256, 256)
    picture[..., 120:136, 120:136] = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        here, there = encoder(picture)[-1], encoder(picture.roll(8, dims=-1))[-1]
    assert torch.allclose(here[..., 12:20, 12:19], there[..., 12:20, 13:20], atol=1e-5)
    assert not torch.allclose(here, there, atol=1e-2)


def test_block_is_the_paper_s_figure_5() -> None:
    """By functions of torch alone, from the weights: the way around is added before the last ReLU."""
    from torch.nn import functional as f

    torch.manual_seed(1)
    encoder = ResNet18(2).eval()
    w = {key: value.detach() for key, value in encoder.state_dict().items()}

    def norm(x: torch.Tensor, at: str) -> torch.Tensor:
        return f.batch_norm(x, w[f"{at}.running_mean"], w[f"{at}.running_var"], w[f"{at}.weight"], w[f"{at}.bias"])

    pixels = torch.rand(1, 3, 32, 32)
    x = f.relu(norm(f.conv2d(pixels, w["conv1.weight"], stride=2, padding=3), "bn1"))
    x = f.max_pool2d(x, 3, stride=2, padding=1)
    for at in ("layer1.0", "layer1.1"):
        inner = f.relu(norm(f.conv2d(x, w[f"{at}.conv1.weight"], padding=1), f"{at}.bn1"))
        x = f.relu(norm(f.conv2d(inner, w[f"{at}.conv2.weight"], padding=1), f"{at}.bn2") + x)
    with torch.inference_mode():
        assert torch.allclose(encoder(pixels)[-1], x, atol=1e-5)


@pytest.mark.parametrize("depth", [0, 6])
def test_another_depth_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="1 to 5 maps"):
        ResNet18(depth)


def test_another_library_s_resnet_gives_the_same_maps(tmp_path: Path, settle) -> None:  # type: ignore[no-untyped-def]
    """MONAI's own build, told torchvision's strides: the same weights, the same last map."""
    from monai.networks.nets.resnet import resnet18

    torch.manual_seed(2)
    build = {"shortcut_type": "B", "bias_downsample": False, "conv1_t_stride": 2}
    theirs = resnet18(spatial_dims=2, n_input_channels=3, num_classes=7, **build)
    settle(theirs, torch.randn(4, 3, 64, 64))
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    ours = ResNet18().eval()
    load_weights(ours, tmp_path / "theirs.pth")
    pixels = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        pooled = ours(pixels)[-1].mean(dim=(2, 3))
        assert torch.allclose(theirs.fc(pooled), theirs(pixels), atol=1e-5)
