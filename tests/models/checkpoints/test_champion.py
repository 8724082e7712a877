from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.checkpoints import load_champion, promote_champion, read_champion, read_pointer
from models.errors import CheckpointError
from models.nets import build_net
from tiny_checkpoint import TINY, saved


def test_before_the_first_promotion_there_is_none(tmp_path: Path) -> None:
    assert read_champion(tmp_path) is None
    assert load_champion(tmp_path) is None


def test_the_old_champion_is_kept_and_remembered(tmp_path: Path) -> None:
    ids = [saved(tmp_path, seed) for seed in range(3)]
    for checkpoint_id in ids:
        promote_champion(tmp_path, checkpoint_id)
    assert read_champion(tmp_path) == ids[2]
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer.previous == (ids[1], ids[0])
    assert all((tmp_path / checkpoint_id / "card.json").is_file() for checkpoint_id in ids)


def test_promoting_twice_changes_nothing(tmp_path: Path) -> None:
    first, second = saved(tmp_path, 0), saved(tmp_path, 1)
    promote_champion(tmp_path, first)
    assert promote_champion(tmp_path, second) == promote_champion(tmp_path, second)


def test_champion_is_loaded_whole(tmp_path: Path) -> None:
    promote_champion(tmp_path, saved(tmp_path, 4))
    champion = load_champion(tmp_path)
    assert champion is not None
    assert torch.equal(champion.build().head.weight, build_net(TINY, 2, seed=4).head.weight)


def test_nothing_is_promoted_that_cant_be_loaded(tmp_path: Path) -> None:
    first, second = saved(tmp_path, 0), saved(tmp_path, 1)
    promote_champion(tmp_path, first)
    (tmp_path / second / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError):
        promote_champion(tmp_path, second)
    assert read_champion(tmp_path) == first


@pytest.mark.parametrize("name", ["../elsewhere", "", "0123456789ABCDEF", "a" * 17])
def test_only_an_id_is_promoted(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint id"):
        promote_champion(tmp_path, name)


@pytest.mark.parametrize("content", ["", "[]", '{"id": "../../x", "previous": []}', '{"id": 5, "previous": []}'])
def test_a_damaged_pointer_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "champion.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"doesn't say which model is in use.*train"):
        read_champion(tmp_path)
