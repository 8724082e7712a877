from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from models.checkpoints import Card, Checkpoint, NetCard, NetRole
from models.checkpoints.card import parse_card
from models.errors import CheckpointError
from models.nets import CENTRED, AnyEncoder, EncoderName, MonaiName, NetOptions, Normalization, TimmName

NET = NetCard(NetRole.HIGH, NetOptions(), ("Background", "Tumor"), 0.5, 64, CENTRED)


def card_of(encoder: AnyEncoder) -> Card:
    return Card("deepzoom", (replace(NET, options=replace(NET.options, encoder=encoder)),))


@pytest.mark.parametrize("encoder", [*EncoderName, *MonaiName, TimmName("resnet34.a1_in1k")])
def test_a_card_keeps_the_encoder_s_name(encoder: AnyEncoder) -> None:
    card = card_of(encoder)
    data = json.dumps(card.to_json()).encode()
    assert json.loads(data)["nets"][0]["encoder"] == encoder.value
    assert parse_card(data) == card


def test_a_name_that_nobody_knows_is_refused() -> None:
    data = card_of(EncoderName.PLAIN).to_json()
    for wrong in ("vgg16", "timm/a b", "monai/VNet", 7, None):
        data["nets"][0]["encoder"] = wrong
        with pytest.raises(CheckpointError, match="the card is not one of ours"):
            Card.from_json(data)


def test_a_checkpoint_on_timm_s_encoder_is_read_without_timm_and_says_what_is_needed_to_run_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    normalization = Normalization((127.5,) * 3, (127.5,) * 3)
    net = replace(NET, options=NetOptions(encoder=TimmName("resnet34")), normalization=normalization)
    checkpoint = Checkpoint.of(Card("deepzoom", (net,)), {})
    with pytest.raises(CheckpointError, match=r"timm/resnet34 needs timm; install it by: pip install"):
        checkpoint.build()
