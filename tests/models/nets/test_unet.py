from __future__ import annotations

import pytest
import torch

from models.nets import EncoderName, NetOptions, PlainEncoder, UNet, build_net


def plain(**changes: object) -> NetOptions:
    values = {"encoder": EncoderName.PLAIN, "encoder_channels": (4, 8), "decoder_channels": (8, 4), "stem_channels": 4}
    return NetOptions(**{**values, **changes})  # type: ignore[arg-type]


def test_scores_have_the_size_of_the_input() -> None:
    net = build_net(plain(), 3).eval()
    assert net(torch.zeros(2, 3, 32, 48)).shape == (2, 3, 32, 48)
    assert net.stride == 4


def test_full_resolution_reaches_the_head() -> None:
    """With a dead encoder a checkerboard is still told apart pixel by pixel."""
    torch.manual_seed(0)
    net = build_net(plain(), 2).eval()
    with torch.no_grad():
        for parameter in net.encoder.parameters():
            parameter.zero_()
    board = (torch.arange(16)[:, None] + torch.arange(16)) % 2
    scores = net(board.float().expand(1, 3, 16, 16)).detach()[0, 0, 4:12, 4:12]
    assert scores[0, 0].item() == pytest.approx(scores[1, 1].item(), abs=1e-5)
    assert abs(scores[0, 0] - scores[0, 1]) > 1e-4


def test_decoder_must_have_a_stage_per_map() -> None:
    with pytest.raises(ValueError, match="as many decoder stages"):
        UNet(PlainEncoder((4, 8, 8)), 2, decoder_channels=(8, 4))


def test_strides_must_double() -> None:
    encoder = PlainEncoder((4, 8))
    encoder.strides = (4, 8)
    with pytest.raises(ValueError, match="strides"):
        UNet(encoder, 2, decoder_channels=(8, 4))
