from __future__ import annotations

import pytest
import torch

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
