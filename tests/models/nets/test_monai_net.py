from __future__ import annotations

import pytest
import torch

from models.nets import CENTRED, MonaiName, MonaiNet, NetKind, NetOptions, build_net

SMALL = (4, 8, 8, 16, 16)


def options(name: MonaiName) -> NetOptions:
    return NetOptions(encoder=name, encoder_channels=SMALL)


@pytest.mark.parametrize("name", list(MonaiName))
def test_a_whole_net_gives_a_score_per_class_and_pixel(name: MonaiName) -> None:
    net = build_net(options(name), 3).eval()
    assert isinstance(net, MonaiNet)
    assert net.stride == options(name).stride == 16
    assert options(name).normalization == CENTRED
    with torch.inference_mode():
        assert net(torch.zeros(2, 3, 32, 48)).shape == (2, 3, 32, 48)


@pytest.mark.parametrize("name", list(MonaiName))
def test_exactly_the_head_follows_the_classes(name: MonaiName) -> None:
    two, three = (build_net(options(name), count).state_dict() for count in (2, 3))
    differing = {key for key in two if two[key].shape != three[key].shape}
    net = build_net(options(name), 2)
    assert differing == net.class_axes.keys() & two.keys()
    assert all(two[key].shape[axis] == 2 for key in differing for axis in net.class_axes[key])


def test_a_whole_net_is_no_encoder_and_has_its_own_number_of_levels() -> None:
    with pytest.raises(ValueError, match="monai/BasicUNet is a whole net of MONAI's; a patch net needs an encoder"):
        NetOptions(kind=NetKind.PATCH, encoder=MonaiName.BASIC_UNET)
    with pytest.raises(ValueError, match="doesn't have 2 levels"):
        build_net(NetOptions(encoder=MonaiName.BASIC_UNET, encoder_channels=(4, 8)), 2)


@pytest.mark.parametrize("name", list(MonaiName))
def test_a_pixel_s_scores_do_not_depend_on_what_lies_far_off(name: MonaiName) -> None:
    """As with instance normalization they would: neighbouring tiles then disagree."""
    net = build_net(NetOptions(encoder=name, encoder_channels=SMALL), 2).eval()
    near = torch.rand(1, 3, 16, 256)
    far = torch.cat((near[..., :-16], near[..., -16:] + 3), dim=3)
    with torch.inference_mode():
        assert torch.allclose(net(near)[..., :16], net(far)[..., :16], atol=1e-6)
        assert not torch.allclose(net(near)[..., -16:], net(far)[..., -16:], atol=1e-6)
