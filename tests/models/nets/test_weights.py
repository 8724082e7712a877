from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from models.errors import CheckpointError
from models.nets import (
    Encoder,
    EncoderName,
    MobileNetV2,
    NetOptions,
    PatchClassifier,
    PlainEncoder,
    ResNet18,
    build_net,
    load_weights,
)


def imagenet_like(net: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Return what a weight file of the whole net holds: random values under its names, and a head."""
    generator = torch.Generator().manual_seed(seed)
    weights = {
        key: torch.rand(value.shape, generator=generator) if value.is_floating_point() else torch.tensor(seed)
        for key, value in net.state_dict().items()
    }
    head = "fc" if isinstance(net, ResNet18) else "classifier.1"
    return weights | {f"{head}.weight": torch.zeros(10, 4), f"{head}.bias": torch.zeros(10)}


def saved(weights: object, path: Path) -> Path:
    torch.save(weights, path)
    return path


def filled(net: Encoder, weights: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())


@pytest.fixture(params=[ResNet18, MobileNetV2])
def kind(request: pytest.FixtureRequest) -> Callable[[int], Encoder]:
    return request.param  # type: ignore[no-any-return]


@pytest.mark.parametrize("depth", [1, 4, 5])
def test_file_of_the_whole_net_fills_an_encoder_of_any_depth(
    kind: Callable[[int], Encoder], depth: int, tmp_path: Path
) -> None:
    weights = imagenet_like(kind(5))
    net = kind(depth)
    load_weights(net, saved(weights, tmp_path / "net.pth"))
    assert filled(net, weights)


def test_safetensors_are_read_too(tmp_path: Path) -> None:
    weights = imagenet_like(ResNet18(2))
    safetensors.torch.save_file(weights, tmp_path / "net.safetensors")
    net = ResNet18(2)
    load_weights(net, tmp_path / "net.safetensors")
    assert filled(net, weights)


@pytest.mark.parametrize("prefix", ["module.", "model.backbone.", "layer1."])
@pytest.mark.parametrize("nest", [None, "state_dict", "model"])
def test_prefix_and_nest_of_a_training_program_are_seen_through(prefix: str, nest: str | None, tmp_path: Path) -> None:
    weights = imagenet_like(ResNet18())
    inner = {prefix + key: value for key, value in weights.items()} | {"projector.weight": torch.zeros(2)}
    net = ResNet18(3)
    load_weights(net, saved({nest: inner, "epoch": 7} if nest else inner, tmp_path / "net.pth"))
    assert filled(net, weights)


def timm_name(key: str) -> str:
    """Return timm's name of a parameter of torchvision's MobileNetV2, spelled out from its definition."""
    features, leaf = key.removeprefix("features.").rsplit(".", 1)
    index, _, inner = features.partition(".")
    if index in ("0", "18"):
        unit = {"0.0": "conv_stem", "0.1": "bn1", "18.0": "conv_head", "18.1": "bn2"}[features]
        return f"{unit}.{leaf}"
    starts = [1, 2, 4, 7, 11, 14, 17]
    stage = max(i for i, start in enumerate(starts) if start <= int(index))
    units = {"conv.0.0": "conv_pw", "conv.0.1": "bn1", "conv.1.0": "conv_dw", "conv.1.1": "bn2"}
    units |= {"conv.2": "conv_pwl", "conv.3": "bn3"}
    if index == "1":
        units = {"conv.0.0": "conv_dw", "conv.0.1": "bn1", "conv.1": "conv_pw", "conv.2": "bn2"}
    return f"blocks.{stage}.{int(index) - starts[stage]}.{units[inner]}.{leaf}"


@pytest.mark.parametrize("depth", [2, 5])
@pytest.mark.parametrize("prefix", ["", "model."])
def test_names_of_timm_are_translated(depth: int, prefix: str, tmp_path: Path) -> None:
    weights = {key: value for key, value in imagenet_like(MobileNetV2()).items() if key.startswith("features")}
    theirs = {prefix + timm_name(key): value for key, value in weights.items()}
    theirs |= {f"{prefix}classifier.weight": torch.zeros(1)}
    net = MobileNetV2(depth)
    load_weights(net, saved(theirs, tmp_path / "net.pth"))
    assert filled(net, weights)


def test_half_precision_becomes_the_net_s(tmp_path: Path) -> None:
    weights = {key: value.half() for key, value in imagenet_like(ResNet18(2)).items()}
    net = ResNet18(2)
    load_weights(net, saved(weights, tmp_path / "net.pth"))
    assert net.conv1.weight.dtype == torch.float32
    assert torch.equal(net.conv1.weight, weights["conv1.weight"].float())


def test_old_files_without_counters_load(tmp_path: Path) -> None:
    weights = {key: value for key, value in imagenet_like(ResNet18(2)).items() if "num_batches" not in key}
    load_weights(ResNet18(2), saved(weights, tmp_path / "net.pth"))


def test_any_net_loads_its_own(tmp_path: Path) -> None:
    source, net = PatchClassifier(PlainEncoder((4,))), PatchClassifier(PlainEncoder((4,)))
    load_weights(net, saved(source.state_dict(), tmp_path / "net.pth"))
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in source.state_dict().items())


def fault(net: nn.Module, path: Path, sha256: str | None = None) -> str:
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(net, path, sha256)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items()), "the net was touched"
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    return message


def test_missing_unknown_and_misshapen_weights_are_named_in_one_line(tmp_path: Path) -> None:
    weights = imagenet_like(ResNet18(3))
    del weights["layer1.0.conv2.weight"], weights["layer1.0.bn2.weight"]
    weights["layer1.0.conv9.weight"] = torch.zeros(1)
    weights["conv1.weight"] = torch.zeros(64, 4, 7, 7)
    message = fault(ResNet18(3), saved(weights, tmp_path / "net.pth"))
    assert "lacks layer1.0.conv2.weight and 1 more" in message or "lacks layer1.0.bn2.weight and 1 more" in message
    assert "too, layer1.0.conv9.weight" in message
    assert "conv1.weight (64, 4, 7, 7) instead of (64, 3, 7, 7)" in message


def test_weights_of_another_net_are_refused(tmp_path: Path) -> None:
    fault(MobileNetV2(2), saved(imagenet_like(ResNet18()), tmp_path / "net.pth"))


def test_wrong_hash_is_refused_and_the_right_one_taken(tmp_path: Path) -> None:
    path = saved(imagenet_like(ResNet18(2)), tmp_path / "net.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest in fault(ResNet18(2), path, "0" * 64)
    load_weights(ResNet18(2), path, digest.upper())


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_files_are_refused_in_one_line(suffix: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / f"net.{suffix}"
    weights = imagenet_like(ResNet18(1))
    safetensors.torch.save_file(weights, path) if suffix == "safetensors" else torch.save(weights, path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "garbage": b"garbage" * 9, "empty": b""}[damage])
    fault(ResNet18(1), path)


class Thief:
    """What a pickle must not be let do."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return eval, ("open('stolen', 'w').close()",)


def test_code_in_a_file_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fault(ResNet18(1), saved({"conv1.weight": Thief()}, tmp_path / "net.pth"))
    assert not (tmp_path / "stolen").exists()


@pytest.mark.parametrize("content", [{}, {"epoch": 1}, [1, 2], {"state_dict": {"epoch": 1}}])
def test_files_without_weights_are_refused(content: object, tmp_path: Path) -> None:
    assert "holds no weights" in fault(ResNet18(1), saved(content, tmp_path / "net.pth"))


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert "no weights file" in fault(ResNet18(1), tmp_path / "absent.pth")
    assert "no weights file" in fault(ResNet18(1), tmp_path)


def test_a_net_built_on_a_named_file_starts_from_it(tmp_path: Path) -> None:
    weights = imagenet_like(ResNet18())
    options = NetOptions(encoder=EncoderName.RESNET18, decoder_channels=(8, 8))
    net = build_net(options, 2, weights_path=saved(weights, tmp_path / "net.pth"))
    assert filled(net.encoder, weights)
