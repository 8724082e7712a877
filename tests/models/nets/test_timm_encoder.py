from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from models.errors import CheckpointError
from models.nets import (
    EncoderName,
    MonaiName,
    NetOptions,
    Normalization,
    PlainEncoder,
    TimmEncoder,
    TimmName,
    UNet,
    build_encoder,
    build_net,
    load_weights,
    parse_encoder,
)

HAS_TIMM = importlib.util.find_spec("timm") is not None


class FlattenedFeatures(nn.Module):
    """The shape of what timm gives for ``features_only``: two stages, the names' first dot flattened."""

    def __init__(self, out_indices: Sequence[int] = (0, 1)) -> None:
        super().__init__()
        stages = [nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1)]
        for index in out_indices:
            self.add_module(f"stages_{index}", nn.Sequential(stages[index]))
        channels, strides = [4, 6][: len(out_indices)], [2, 4][: len(out_indices)]
        self.feature_info = SimpleNamespace(channels=lambda: channels, reduction=lambda: strides)
        self.pretrained_cfg = {"mean": (0.5, 0.4, 0.2), "std": (0.5, 0.25, 1.0)}

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.children():
            x = stage(x)
            maps.append(x)
        return maps


class CoarseFeatures(nn.Module):
    """A net that begins at stride 4, as ConvNeXt and Swin do; or whose strides don't double, as a ViT's."""

    def __init__(self, strides: Sequence[int], out_indices: Sequence[int] = (0, 1)) -> None:
        super().__init__()
        self.stages = nn.ModuleList(nn.Conv2d(3, 5, stride, stride=stride) for stride in strides)
        self.wanted = tuple(out_indices)
        taken = [strides[index] for index in self.wanted]
        self.feature_info = SimpleNamespace(channels=lambda: [5 for _ in taken], reduction=lambda: taken)
        self.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.stages[index](x) for index in self.wanted]


class WrappedFeatures(nn.Module):
    """The other shape: the whole net as ``model``, with a parameter of its own, and channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.patch_embed = nn.Conv2d(3, 4, 2, stride=2)
        self.model.register_parameter("pos_embed", nn.Parameter(torch.zeros(4)))
        self.feature_info = SimpleNamespace(channels=lambda: [4], reduction=lambda: [2])
        self.pretrained_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        self.output_fmt = "Format.NHWC"

    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.model.patch_embed(x).permute(0, 2, 3, 1) + self.model.pos_embed]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """timm is an extra: where it isn't installed, its documented answers stand in for it."""

    def create_model(name: str, *, pretrained: bool, features_only: bool, **wanted: Sequence[int]) -> nn.Module:
        assert features_only
        assert not pretrained
        if name == "wrapped":
            return WrappedFeatures()
        if name in ("coarse", "vit"):
            return CoarseFeatures((4, 8) if name == "coarse" else (16, 16), **wanted)
        if name != "tiny":
            raise RuntimeError(f"Unknown model ({name})")
        return FlattenedFeatures(**wanted)

    module = ModuleType("timm")
    module.create_model = create_model  # type: ignore[attr-defined]
    module.__version__ = "1.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(CheckpointError, match=r"timm/resnet34 needs timm; install it .* \"slidebridge\[timm\]\""):
        build_encoder("timm/resnet34", 3)


@pytest.mark.usefixtures("stand_in")
def test_channels_strides_and_normalization_are_timm_s() -> None:
    encoder = build_encoder("timm/tiny", 2)
    assert (encoder.channels, encoder.strides) == ((4, 6), (2, 4))
    assert encoder.normalization == Normalization((127.5, 102.0, 51.0), (127.5, 63.75, 255.0))
    assert UNet(encoder, 3, decoder_channels=(4, 4))(torch.zeros(1, 3, 16, 16)).shape == (1, 3, 16, 16)
    assert TimmEncoder("tiny", 1).channels == (4,)
    assert TimmEncoder("tiny").channels == (4, 6)


@pytest.mark.usefixtures("stand_in")
def test_finer_strides_than_the_net_s_are_the_pixels_themselves() -> None:
    encoder = TimmEncoder("coarse", 3)
    assert (encoder.channels, encoder.strides) == ((3, 5, 5), (2, 4, 8))
    pixels = torch.rand(1, 3, 16, 16)
    finest, *_ = encoder(pixels)
    assert torch.allclose(finest[0, :, 0, 0], pixels[0, :, :2, :2].mean((1, 2)))
    assert TimmEncoder("coarse", 2).strides == (2, 4)
    assert UNet(encoder, 2, decoder_channels=(4, 4, 4))(pixels).shape == (1, 2, 16, 16)


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("name", "depth"), [("vit", 4), ("tiny", 4), ("coarse", 1)])
def test_a_net_whose_strides_do_not_double_so_far_is_refused(name: str, depth: int) -> None:
    with pytest.raises(CheckpointError, match=rf"timm/{name} has maps of strides .* choose one of another"):
        TimmEncoder(name, depth)


@pytest.mark.usefixtures("stand_in")
def test_options_take_normalization_from_timm_and_build_a_u_net_on_it() -> None:
    options = NetOptions(encoder=TimmName("tiny"), decoder_channels=(8, 4), stem_channels=4, pretrained=False)
    assert options.normalization == Normalization((127.5, 102.0, 51.0), (127.5, 63.75, 255.0))
    net = build_net(options, 2)
    assert net.stride == options.stride == 4
    with pytest.raises(CheckpointError, match="no ImageNet weights of timm/tiny come"):
        build_net(replace(options, pretrained=True), 2)


def test_names_are_read_as_they_are_written() -> None:
    for name in (*EncoderName, *MonaiName, TimmName("hf-hub:group/resnet34.a1_in1k")):
        assert parse_encoder(name.value) == name
    for wrong in ("timm/", "timm/a b", "timm/../x\n", "resnet34", ""):
        with pytest.raises(ValueError, match=r"no name of timm's|no encoder"):
            parse_encoder(wrong)


@pytest.mark.usefixtures("stand_in")
def test_names_of_timm_s_files_are_unflattened(tmp_path: Path) -> None:
    weights = {
        f"stages.{i}.0.{leaf}": torch.rand(shape)
        for i, leaf, shape in (
            (0, "weight", (4, 3, 3, 3)),
            (0, "bias", (4,)),
            (1, "weight", (6, 4, 3, 3)),
            (1, "bias", (6,)),
        )
    }
    torch.save(weights | {"head.fc.weight": torch.zeros(2)}, tmp_path / "net.pth")
    encoder = TimmEncoder("tiny")
    load_weights(encoder, tmp_path / "net.pth")
    assert torch.equal(encoder.state_dict()["net.stages_1.0.weight"], weights["stages.1.0.weight"])
    del weights["stages.1.0.bias"]
    torch.save(weights, tmp_path / "cut.pth")
    with pytest.raises(CheckpointError, match=r"lacks net\.stages_1\.0\.bias"):
        load_weights(encoder, tmp_path / "cut.pth")


@pytest.mark.usefixtures("stand_in")
def test_a_wrapped_net_loads_its_own_parameters_and_gives_channels_first(tmp_path: Path) -> None:
    encoder = TimmEncoder("wrapped")
    weights = {
        "pos_embed": torch.rand(4),
        "patch_embed.weight": torch.rand(4, 3, 2, 2),
        "patch_embed.bias": torch.rand(4),
        "head.weight": torch.zeros(2),
    }
    torch.save(weights, tmp_path / "net.pth")
    load_weights(encoder, tmp_path / "net.pth")
    loaded = {key.removeprefix("net.model."): value for key, value in encoder.state_dict().items()}
    assert all(torch.equal(value, weights[key]) for key, value in loaded.items())
    assert encoder(torch.zeros(2, 3, 8, 12))[0].shape == (2, 4, 4, 6)


@pytest.mark.usefixtures("stand_in")
def test_a_name_that_timm_does_not_know_is_one_line() -> None:
    with pytest.raises(CheckpointError, match=r"timm 1\.0 gives no encoder 'huge'"):
        TimmEncoder("huge")


@pytest.mark.skipif(not HAS_TIMM, reason="timm is an extra")
def test_timm_s_own_resnet_is_ours(tmp_path: Path) -> None:
    """The same weights give the same maps: names, strides and order agree with the real library."""
    theirs, ours = TimmEncoder("resnet18", 4).eval(), build_encoder("resnet18", 4).eval()
    torch.save(ours.state_dict(), tmp_path / "net.pth")
    load_weights(theirs, tmp_path / "net.pth")
    pixels = torch.rand(1, 3, 64, 64)
    assert (theirs.channels, theirs.strides, theirs.normalization) == (ours.channels, ours.strides, ours.normalization)
    for their, our in zip(theirs(pixels), ours(pixels), strict=True):
        assert torch.allclose(their, our, atol=1e-5)


def test_unknown_names_are_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match=r"write efficientnet_lite0, .*, plain, monai/BasicUNet, .* or timm/NAME"):
        build_encoder("vgg", 3)
    assert isinstance(build_encoder("plain", 3), PlainEncoder)
