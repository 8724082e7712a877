from __future__ import annotations

import pytest
import torch
from net_support import BATCH_NORM, UNLIMITED, count_parameters
from torch import nn

from models.nets import (
    REFINEMENT_CHANNELS,
    BatchRenorm2d,
    RefinementUNet,
)

SMALL = (4, 8, 8, 16)


def layout() -> list[tuple[int, int]]:
    """Input and output channels of each 3×3 convolution, read off the published layout."""
    down = [(4, 8), (8, 16), (16, 32), (32, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512)]
    up = [(512 + 256, 256), (256 + 256, 256), (256 + 128, 128), (128 + 128, 128)]
    up += [(128 + 64, 64), (64 + 32, 32), (32 + 16, 16), (16 + 8, 8)]
    return [pair for first in down + up for pair in (first, (first[1], first[1]))]


def test_paper_s_net_has_its_11_581_714_parameters() -> None:
    """Keras's renormalization holds 6 numbers a channel (γ, β and two pairs of running statistics), ours 4."""
    convolutions = sum(9 * before * after + after for before, after in layout()) + 8 * 2 + 2
    channels = sum(after for _, after in layout())
    assert (convolutions, channels) == (11_554_258, 4_576)
    net = RefinementUNet()
    assert count_parameters(net) == convolutions + 2 * channels == 11_563_410
    assert sum(buffer.numel() for buffer in net.buffers()) == 2 * channels
    assert convolutions + 6 * channels == 11_581_714


def test_each_convolution_has_the_published_channels() -> None:
    found = [(m.in_channels, m.out_channels) for m in RefinementUNet().modules() if isinstance(m, nn.Conv2d)]
    assert found == [*layout(), (8, 2)]


def test_1024_goes_down_to_4() -> None:
    net = RefinementUNet()
    assert 1024 // net.stride == 4
    assert len(REFINEMENT_CHANNELS) == 9


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 40)])
def test_scores_have_the_size_of_the_input(height: int, width: int) -> None:
    net = RefinementUNet(3, in_channels=3, channels=SMALL).eval()
    assert net(torch.zeros(2, 3, height, width)).shape == (2, 3, height, width)


def test_sides_that_do_not_halve_are_refused_with_the_number() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        RefinementUNet(channels=SMALL)(torch.zeros(1, 4, 24, 20))


def test_one_level_is_no_u_net() -> None:
    with pytest.raises(ValueError, match="two levels"):
        RefinementUNet(channels=(4,))


def test_dropout_is_the_decoder_s_alone_and_takes_whole_channels() -> None:
    net = RefinementUNet(channels=SMALL)
    assert not any(isinstance(m, nn.Dropout2d) for m in [*net.down.modules(), *net.bottom.modules()])
    assert sum(isinstance(m, nn.Dropout2d) and m.p == 0.1 for m in net.up.modules()) == 2 * len(net.up)


def test_evaluation_is_deterministic() -> None:
    torch.manual_seed(0)
    net = RefinementUNet(channels=SMALL).eval()
    picture = torch.rand(1, 4, 16, 16)
    assert torch.equal(net(picture), net(picture))


def test_gradients_reach_every_parameter_that_is_not_normalized_away() -> None:
    """A bias before normalization shifts what is then centred: it has none, all else has."""
    torch.manual_seed(0)
    net = RefinementUNet(channels=SMALL, dropout=0.0)
    (net(torch.rand(2, 4, 32, 32)) ** 2).mean().backward()
    idle = {f"{name}.bias" for name, m in net.named_modules() if isinstance(m, nn.Conv2d) and name != "head"}
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        assert (parameter.grad.abs().max() > 1e-7) == (name not in idle), name


def test_full_resolution_and_heat_map_reach_the_scores() -> None:
    torch.manual_seed(0)
    net = RefinementUNet(channels=SMALL).eval()
    picture = torch.rand(1, 4, 16, 16)
    for channel in range(4):
        changed = picture.clone()
        changed[0, channel, 5, 5] += 1
        difference = (net(changed) - net(picture)).abs().amax(dim=(0, 1))
        assert difference[5, 5] > 0


def test_it_learns_to_copy_the_heat_map() -> None:
    torch.manual_seed(0)
    net = RefinementUNet(channels=(8, 8), dropout=0.0)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    for _ in range(40):
        picture = torch.rand(2, 4, 16, 16)
        truth = (picture[:, 3] > 0.5).long()
        loss = nn.functional.cross_entropy(net(picture), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3  # chance is 0.69
    assert (net.eval()(picture).argmax(dim=1) == truth).float().mean() > 0.85


def test_limits_and_momentum_reach_every_normalization() -> None:
    net = RefinementUNet(channels=SMALL, limits=UNLIMITED, momentum=0.25)
    layers = [m for m in net.modules() if isinstance(m, BatchRenorm2d)]
    assert len(layers) == 2 * (2 * len(SMALL) - 1)
    assert all((m.limits, m.momentum) == (UNLIMITED, 0.25) for m in layers)


def test_onnx_gives_the_same(through_onnx, settle) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    net = RefinementUNet(channels=SMALL, limits=BATCH_NORM)
    settle(net, torch.rand(2, 4, 16, 16))
    picture = torch.rand(2, 4, 24, 16)
    with torch.inference_mode():
        expected = net(picture)
    assert expected.std() > 0.01  # the pixels count
    result = torch.from_numpy(through_onnx(net, torch.zeros(1, 4, 16, 16), picture))
    assert torch.allclose(result, expected, atol=1e-4)
