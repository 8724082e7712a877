from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from net_support import count_parameters
from PIL import Image
from torch.nn import functional

from models.errors import CheckpointError
from models.nets import EfficientNetLite0, read_imagenet_weights

PUBLISHED_PARAMETERS = 4_652_008  # EfficientNet-Lite0 with its head for 1000 classes
HEAD_PARAMETERS = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
CATS = range(281, 286)  # ImageNet's tabby, tiger cat, Persian, Siamese, Egyptian cat


def test_encoder_has_the_published_parameters_less_the_head() -> None:
    assert count_parameters(EfficientNetLite0()) == PUBLISHED_PARAMETERS - HEAD_PARAMETERS


def test_all_weights_of_the_encoder_come_from_the_wheel() -> None:
    encoder = EfficientNetLite0()
    encoder.load_imagenet()
    published = read_imagenet_weights()
    assert all(torch.equal(value, published[key]) for key, value in encoder.state_dict().items())
    assert {key.split(".")[0] for key in published.keys() - encoder.state_dict().keys()} == {"conv_head", "bn1", "fc"}


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_maps_have_the_promised_channels_and_strides(depth: int) -> None:
    encoder = EfficientNetLite0(depth).eval()
    with torch.inference_mode():
        maps = encoder(torch.zeros(1, 3, 64, 96))
    expected = [(1, c, 64 // s, 96 // s) for c, s in zip(encoder.channels, encoder.strides, strict=True)]
    assert [tuple(m.shape) for m in maps] == expected


def test_features_under_the_published_head_recognize_a_cat() -> None:
    """Padding, normalization and order of blocks: any of them wrong, and this is no cat."""
    picture = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB")
    pixels = np.array(picture.crop((75, 0, 375, 300)).resize((224, 224)), np.float32)
    encoder = EfficientNetLite0().eval()
    encoder.load_imagenet()
    head = read_imagenet_weights()
    with torch.inference_mode():
        x = encoder((torch.from_numpy(pixels).permute(2, 0, 1)[None] - 127) / 128)[-1]
        x = functional.conv2d(x, head["conv_head.weight"])
        statistics = (head["bn1.running_mean"], head["bn1.running_var"], head["bn1.weight"], head["bn1.bias"])
        x = functional.relu6(functional.batch_norm(x, *statistics, eps=1e-3)).mean(dim=(2, 3))
        best = functional.linear(x, head["fc.weight"], head["fc.bias"]).topk(3).indices[0].tolist()
    assert all(index in CATS for index in best)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not the weights")
    with pytest.raises(CheckpointError, match="not the known file"):
        read_imagenet_weights(path)
    with pytest.raises(CheckpointError, match="not at"):
        read_imagenet_weights(tmp_path / "absent.pth")


def test_statistics_learned_from_scratch_are_the_datas_after_a_short_training() -> None:
    torch.manual_seed(0)
    encoder = EfficientNetLite0(1).train()
    norm = next(module for module in encoder.modules() if isinstance(module, torch.nn.BatchNorm2d))
    seen: list[torch.Tensor] = []
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for _ in range(60):
            encoder(torch.rand(2, 3, 32, 32))

    mean = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in seen]).mean(dim=0)
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, mean, atol=0.05 * mean.abs().max().item())
