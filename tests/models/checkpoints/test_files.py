from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoints import Card, Checkpoint, NetCard, NetRole, load_checkpoint, save_checkpoint, with_role
from models.errors import CheckpointError
from models.nets import CENTRED, EncoderName, NetOptions, build_net

TINY = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4,), decoder_channels=(4,), stem_channels=4)
CARD = Card("deepzoom", (NetCard(NetRole.HIGH, TINY, ("Background", "Tumor"), 0.5, 64, CENTRED),), created="today")


def weights(seed: int = 0) -> dict[str, torch.Tensor]:
    return with_role(build_net(TINY, 2, seed=seed).state_dict(), NetRole.HIGH)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    saved = save_checkpoint(tmp_path, weights(), CARD)
    assert saved.path == tmp_path / saved.id
    loaded = load_checkpoint(saved.path)
    assert (loaded.id, loaded.card) == (saved.id, CARD)
    pixels = torch.rand(1, 3, 8, 8)
    expected = build_net(TINY, 2, seed=0).eval()(pixels)
    assert torch.equal(loaded.build()(pixels), expected)


def test_id_names_the_content_not_the_time() -> None:
    later = Checkpoint.of(replace(CARD, created="tomorrow", metrics={"score": 1.0}), weights())
    assert Checkpoint.of(CARD, weights()).id == later.id
    assert Checkpoint.of(CARD, weights(seed=1)).id != later.id
    assert Checkpoint.of(replace(CARD, parent="x"), weights()).id != later.id


def test_saving_twice_keeps_the_first(tmp_path: Path) -> None:
    first = save_checkpoint(tmp_path, weights(), CARD)
    again = save_checkpoint(tmp_path, weights(), replace(CARD, created="tomorrow"))
    assert again.id == first.id
    assert load_checkpoint(tmp_path / first.id).card.created == "today"
    assert [path.name for path in tmp_path.iterdir()] == [first.id]


def test_a_damaged_copy_is_replaced(tmp_path: Path) -> None:
    saved = save_checkpoint(tmp_path, weights(), CARD)
    (tmp_path / saved.id / "weights.safetensors").write_bytes(b"cut")
    save_checkpoint(tmp_path, weights(), CARD)
    assert load_checkpoint(tmp_path / saved.id).id == saved.id


@pytest.mark.parametrize("name", ["weights.safetensors", "card.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, damage: str) -> None:
    saved = save_checkpoint(tmp_path, weights(), CARD)
    path = tmp_path / saved.id / name
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        position = data.index(b"deepzoom") if name == "card.json" else len(data) // 2
        data[position] ^= 1
        path.write_bytes({"cut": data[:-9], "flip": data, "empty": b""}[damage])
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(tmp_path / saved.id)
    assert "\n" not in str(refused.value)


def test_classes_swapped_in_the_card_are_noticed(tmp_path: Path) -> None:
    saved = save_checkpoint(tmp_path, weights(), CARD)
    path = tmp_path / saved.id / "card.json"
    record = json.loads(path.read_text())
    record["card"]["nets"][0]["class_names"].reverse()
    path.write_text(json.dumps(record))
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path / saved.id)


def test_weights_of_another_net_are_refused() -> None:
    three_classes = with_role(build_net(TINY, 3).state_dict(), NetRole.HIGH)
    with pytest.raises(CheckpointError, match="don't fit"):
        Checkpoint.of(CARD, three_classes).build()


def test_training_on_leaves_a_checkpoint_as_it_was() -> None:
    net = build_net(TINY, 2)
    checkpoint = Checkpoint.of(CARD, with_role(net.state_dict(), NetRole.HIGH))
    with torch.no_grad():
        net.head.weight.add_(1)
    assert not torch.equal(checkpoint.build().head.weight, net.head.weight)
