from __future__ import annotations

import pytest
import torch

from models.errors import CheckpointError
from models.nets import EncoderName, NetOptions, build_net

TINY = NetOptions(encoder=EncoderName.PLAIN, decoder_channels=(8, 4), stem_channels=4)


def weights(seed: int) -> torch.Tensor:
    return build_net(TINY, 3, seed=seed).head.weight.detach()


def test_same_seed_same_weights() -> None:
    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_global_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    build_net(TINY, 3, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_pretrained_net_carries_imagenet_weights_whatever_the_seed() -> None:
    options = NetOptions(decoder_channels=(8, 8))
    first, second = (build_net(options, 2, seed=seed).state_dict() for seed in (0, 1))
    assert torch.equal(first["encoder.conv_stem.weight"], second["encoder.conv_stem.weight"])
    assert not torch.equal(first["head.weight"], second["head.weight"])


def test_depth_follows_the_decoder() -> None:
    options = NetOptions(decoder_channels=(16, 8, 8), pretrained=False)
    assert options.stride == 8
    assert build_net(options, 2).stride == 8


@pytest.mark.parametrize(
    "changes", [{"decoder_channels": ()}, {"decoder_channels": (10**9,)}, {"stem_channels": 0}, {"convolutions": 99}]
)
def test_absurd_numbers_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not"):
        NetOptions(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list(EncoderName))
def test_every_encoder_makes_a_u_net_with_its_own_normalization(name: EncoderName) -> None:
    options = NetOptions(encoder=name, decoder_channels=(8, 8, 8, 4), stem_channels=4, pretrained=False)
    net = build_net(options, 3).eval()
    assert net.encoder.normalization == options.normalization
    with torch.inference_mode():
        assert net(torch.zeros(1, 3, 32, 64)).shape == (1, 3, 32, 64)


@pytest.mark.parametrize("name", [EncoderName.RESNET18, EncoderName.MOBILENET_V2])
def test_imagenet_weights_that_nobody_ships_are_asked_for(name: EncoderName) -> None:
    options = NetOptions(encoder=name, decoder_channels=(8, 8))
    with pytest.raises(CheckpointError, match=f"no ImageNet weights of {name.value} come with SlideBridge"):
        build_net(options, 2)
    build_net(options, 2, load_imagenet=False)  # a checkpoint's weights follow
