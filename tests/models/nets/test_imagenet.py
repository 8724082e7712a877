from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import pytest
import torch

from models.errors import CheckpointError
from models.nets import EncoderName, NetKind, NetOptions, TimmName, build_encoder, build_net, check_weights

RESNET = NetOptions(encoder=EncoderName.RESNET18, decoder_channels=(8, 8))
PLAIN = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Random numbers under the names of a published file."""
    path = tmp_path / "resnet18.pth"
    torch.save(build_encoder("resnet18", 2).state_dict(), path)
    return path


@pytest.mark.parametrize("encoder", [EncoderName.RESNET18, EncoderName.MOBILENET_V2, TimmName("resnet34")])
def test_weights_that_nobody_named_are_asked_for_before_anything_is_built(encoder: EncoderName | TimmName) -> None:
    with pytest.raises(CheckpointError, match=rf"{encoder.value}.*\[model\] weights or --weights FILE"):
        check_weights([PLAIN, NetOptions(encoder=encoder)], None)


def test_a_random_start_is_a_choice_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_weights([NetOptions(encoder=EncoderName.RESNET18, pretrained=False)], None)
    assert "random weights, not ImageNet's encoder=resnet18" in caplog.text
    caplog.clear()
    check_weights([PLAIN, NetOptions(kind=NetKind.REFINEMENT), NetOptions()], None)
    assert not caplog.records


def test_a_file_that_is_not_there_or_that_no_net_takes_is_refused(weights: Path, tmp_path: Path) -> None:
    check_weights([PLAIN, RESNET], weights)
    with pytest.raises(CheckpointError, match="there is no weights file at"):
        check_weights([RESNET], tmp_path / "gone.pth")
    with pytest.raises(CheckpointError, match="no net takes it: the encoder is plain"):
        check_weights([PLAIN], weights)
    with pytest.raises(CheckpointError, match="no net takes it"):
        check_weights([NetOptions(encoder=EncoderName.RESNET18, pretrained=False)], weights)


def test_a_training_that_goes_on_from_a_parent_needs_no_file(tmp_path: Path) -> None:
    check_weights([], tmp_path / "moved since.pth")


def test_the_net_knows_the_file_it_began_with(weights: Path) -> None:
    net = build_net(RESNET, 2, weights_path=weights)
    assert net.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert torch.equal(net.state_dict()["encoder.conv1.weight"], torch.load(weights)["conv1.weight"])
    assert build_net(PLAIN, 2, weights_path=weights).weights_sha256 is None
    assert build_net(RESNET, 2, load_imagenet=False, weights_path=weights).weights_sha256 is None
