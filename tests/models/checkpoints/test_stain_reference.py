from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.checkpoints import Card, NetCard, NetRole, StainReference
from models.errors import CheckpointError
from models.nets import NetOptions

REFERENCE = StainReference((0.6, 0.8, 0.0), (0.0, 0.8, 0.6), (1.25, 0.5))


def card(stains: StainReference | None) -> Card:
    options = NetOptions()
    net = NetCard(NetRole.HIGH, options, ("Background", "A"), 1.0, 128, options.normalization, stains)
    return Card("weak", (net,))


def test_a_card_keeps_what_slides_are_dyed_like() -> None:
    assert Card.from_json(card(REFERENCE).to_json()) == card(REFERENCE)


def test_a_card_without_it_is_as_it_was() -> None:
    assert "stains" not in card(None).to_json()["nets"][0]
    assert Card.from_json(card(None).to_json()) == card(None)


@pytest.mark.parametrize(
    "change",
    [
        {"strengths": [1.0]},
        {"strengths": [0.0, 1.0]},
        {"strengths": [float("inf"), 1.0]},
        {"eosin": [0.0, 1.0]},
        {"eosin": [0.0, 0.0, 0.0]},
        {"haematoxylin": "red"},
        {"haematoxylin": None},
    ],
)
def test_a_damaged_one_is_no_card(change: dict[str, Any]) -> None:
    data = card(REFERENCE).to_json()
    data["nets"][0]["stains"] |= change
    with pytest.raises(CheckpointError):
        Card.from_json(data)


def test_dyes_are_unit_vectors() -> None:
    with pytest.raises(ValueError, match="unit vectors"):
        replace(REFERENCE, eosin=(1.0, 1.0, 0.0))
