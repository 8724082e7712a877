from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.checkpoints import Card, NetCard, NetRole, check_class_order
from models.checkpoints.card import parse_card
from models.errors import CheckpointError
from models.nets import CENTRED, EncoderName, NetOptions

TINY = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4)


def net(role: NetRole = NetRole.HIGH, names: tuple[str, ...] = ("Background", "Tumor")) -> NetCard:
    return NetCard(role, TINY, names, 0.5, 64, CENTRED)


words = st.text(min_size=1, max_size=8)
cards = st.builds(
    Card,
    design=words,
    nets=st.sampled_from([(net(),), (net(), net(NetRole.LOW))]),
    data_hashes=st.dictionaries(words, words, max_size=3),
    metrics=st.dictionaries(words, st.floats(0, 1), max_size=3),
    versions=st.dictionaries(words, words, max_size=3),
    parent=st.none() | words,
    seed=st.integers(0, 2**31),
    steps=st.integers(0, 10**6),
    iteration=st.integers(0, 99),
    created=words,
)


@given(cards)
@settings(max_examples=40, deadline=None)
def test_a_card_comes_back_as_it_was(card: Card) -> None:
    assert parse_card(json.dumps(card.to_json()).encode()) == card


def test_a_metric_that_is_no_number_is_left_out() -> None:
    card = Card("deepzoom", (net(),), metrics={"dice": float("nan"), "score": 0.5})
    assert card.to_json()["metrics"] == {"score": 0.5}


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"nets": []},
        {"nets": "none"},
        {"seed": "many"},
        {"metrics": [1]},
        {"nets": [{"role": "high"}]},
    ],
)
def test_another_card_is_refused(change: dict[str, Any]) -> None:
    data = {**Card("deepzoom", (net(),)).to_json(), **change}
    with pytest.raises(CheckpointError):
        Card.from_json(data)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"null", b"[" * 100_000])
def test_no_json_of_ours_is_refused(text: bytes) -> None:
    with pytest.raises(CheckpointError):
        parse_card(text)


def test_a_net_that_asks_for_all_memory_is_refused() -> None:
    data = Card("deepzoom", (net(),)).to_json()
    data["nets"][0]["decoder_channels"] = [10**12]
    with pytest.raises(CheckpointError, match="channels"):
        Card.from_json(data)


def test_missing_net_says_what_to_do() -> None:
    with pytest.raises(CheckpointError, match="no low net; train"):
        Card("deepzoom", (net(),)).net(NetRole.LOW)


def test_only_a_silent_reorder_is_refused() -> None:
    trained = ("Background", "Tumor", "Stroma")
    check_class_order(trained, ("Background", "Tumor", "Necrosis", "Stroma"))
    check_class_order(trained, ("Background", "Stroma"))
    with pytest.raises(CheckpointError, match="restore the order"):
        check_class_order(trained, ("Background", "Stroma", "Tumor"))
