"""Old checkpoints go; the champion, those before it and the newest stay."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.checkpoints import promote_champion, prune_checkpoints, read_card, read_champion
from models.checkpoints.champion import POINTER_NAME, TRANSFER_NAME
from models.errors import CheckpointError
from tiny_checkpoint import saved


def of_age(folder: Path, checkpoint_id: str, age: int) -> str:
    os.utime(folder / checkpoint_id, (1_000_000 - age, 1_000_000 - age))
    return checkpoint_id


def there(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_dir()}


def test_champions_up_to_a_number_and_the_newest_three_stay(tmp_path: Path) -> None:
    champions = [of_age(tmp_path, saved(tmp_path, n), 100 - n) for n in range(4)]
    lost = [of_age(tmp_path, saved(tmp_path, n), 50 - n) for n in range(10, 15)]
    for checkpoint_id in champions:
        promote_champion(tmp_path, checkpoint_id)
    gone = prune_checkpoints(tmp_path, keep=2)
    assert set(gone) == {champions[0], *lost[:2]}
    assert there(tmp_path) == {*champions[1:], *lost[2:]}
    assert read_champion(tmp_path) == champions[-1]
    assert prune_checkpoints(tmp_path, keep=2) == ()


def test_the_champion_stays_however_old_it_is(tmp_path: Path) -> None:
    champion = of_age(tmp_path, saved(tmp_path, 0), 10_000)
    promote_champion(tmp_path, champion)
    others = [of_age(tmp_path, saved(tmp_path, n), 100 - n) for n in range(1, 6)]
    prune_checkpoints(tmp_path, keep=0)
    assert there(tmp_path) == {champion, *others[-3:]}


def test_without_a_champion_nothing_goes(tmp_path: Path) -> None:
    ids = {saved(tmp_path, n) for n in range(6)}
    assert prune_checkpoints(tmp_path, keep=0) == ()
    assert there(tmp_path) == ids


def test_with_a_damaged_pointer_nothing_goes(tmp_path: Path) -> None:
    ids = {saved(tmp_path, n) for n in range(6)}
    (tmp_path / POINTER_NAME).write_text("{", "utf-8")
    with pytest.raises(CheckpointError):
        prune_checkpoints(tmp_path, keep=0)
    assert there(tmp_path) == ids


def test_other_folders_are_nobodys_business(tmp_path: Path) -> None:
    promote_champion(tmp_path, saved(tmp_path, 0))
    (tmp_path / "notes").mkdir()
    for number in range(1, 6):
        saved(tmp_path, number)
    prune_checkpoints(tmp_path, keep=0)
    assert (tmp_path / "notes").is_dir()


def test_cards_stay_of_transfer_weights_that_others_took_the_place_of(tmp_path: Path) -> None:
    promote_champion(tmp_path, saved(tmp_path, 0))
    first, second = (of_age(tmp_path, saved(tmp_path, n), 10_000) for n in (1, 2))
    promote_champion(tmp_path, first, TRANSFER_NAME)
    promote_champion(tmp_path, second, TRANSFER_NAME)
    for number in range(3, 6):
        saved(tmp_path, number)
    assert prune_checkpoints(tmp_path, keep=0) == (first,)
    assert read_card(tmp_path, first) is not None, "trainings began from it: the chain goes on there"
    assert second in there(tmp_path)
