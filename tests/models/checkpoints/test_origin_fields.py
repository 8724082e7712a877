"""What a card says of where a checkpoint comes from, and cards of before it said so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.checkpoints import (
    Card,
    PixelStatistics,
    SlideLineage,
    load_checkpoint,
    promote_champion,
    prune_checkpoints,
    read_card,
    save_checkpoint,
)
from models.errors import CheckpointError
from tiny_checkpoint import CARD, saved

STATISTICS = PixelStatistics((0.1, 0.2), ((0.01, 0.0), (0.0, 0.02)), 1.0, 128, 64, 2)
ORIGIN = replace(CARD, statistics=STATISTICS, lineage={"s": SlideLineage("ab" * 32, 3, 2, 1)})
FEATURES = hnp.arrays(np.float64, st.tuples(st.integers(9, 40), st.just(6)), elements=st.floats(0, 2.4))


def test_a_card_keeps_its_origin() -> None:
    assert Card.from_json(json.loads(json.dumps(ORIGIN.to_json()))) == ORIGIN


def test_a_card_without_origin_is_written_as_ever() -> None:
    assert {"statistics", "lineage"}.isdisjoint(CARD.to_json())
    assert Card.from_json(CARD.to_json()) == CARD


def test_the_origin_is_part_of_the_id(tmp_path: Path) -> None:
    whole = load_checkpoint(tmp_path / saved(tmp_path, 0))
    cards = [CARD, ORIGIN, replace(ORIGIN, lineage={"s": SlideLineage("cd" * 32, 3, 2, 1)}), ORIGIN]
    ids = [save_checkpoint(tmp_path, whole.weights, card).id for card in cards]
    assert ids[0] == whole.id and ids[1] == ids[3]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("name", ["statistics", "lineage"])
@pytest.mark.parametrize("value", [7, {"s": 1}, {"mean": [1.0]}, []])
def test_a_damaged_origin_is_said_in_one_line(name: str, value: object) -> None:
    if (name, value) == ("lineage", []):
        return  # no mapping, but an empty one
    with pytest.raises(CheckpointError, match="not one of ours"):
        Card.from_json({**ORIGIN.to_json(), name: value})


def test_a_covariance_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="2 features"):
        replace(STATISTICS, covariance=((1.0,),))


@settings(max_examples=40, deadline=None)
@given(FEATURES)
def test_statistics_don_t_depend_on_the_order_of_tiles(features: np.ndarray) -> None:
    found = PixelStatistics.of(features, mpp=1.0, tile_px=64, slides=1)
    again = PixelStatistics.of(features[::-1], mpp=1.0, tile_px=64, slides=1)
    assert np.allclose(found.mean, again.mean, atol=2e-6) and np.allclose(found.covariance, again.covariance, atol=2e-6)
    assert PixelStatistics.from_json(json.loads(json.dumps(found.to_json()))) == found


@settings(max_examples=40, deadline=None)
@given(FEATURES, st.floats(0.5, 5.0))
def test_distance_grows_with_a_shift_and_is_none_at_the_centre(features: np.ndarray, shift: float) -> None:
    found = PixelStatistics.of(features, mpp=1.0, tile_px=64, slides=1)
    centre = np.array(found.mean)
    places = np.stack([centre, centre + shift, centre + 2 * shift])
    at, near, far = found.distances(places, floor=0.01)
    assert at == 0 and near > 0 and far == pytest.approx(2 * near)


@pytest.mark.parametrize(("tiles", "within"), [(16, 0.08), (32, 0.04), (64, 0.03), (500, 0.02)])
def test_tiles_of_one_look_are_as_far_as_each_other_however_few_are_known(tiles: int, within: float) -> None:
    generator = np.random.default_rng(tiles)
    squares = []
    for _ in range(200):
        known, others = (generator.normal(0, 5.0, (count, 6)) for count in (tiles, 50))
        found = PixelStatistics.of(known, mpp=1.0, tile_px=64, slides=1)
        squares.append(found.distances(others, floor=0.0) ** 2)
    assert np.mean(squares) == pytest.approx(6, rel=within), "of a normal distribution in six numbers"


def test_of_very_few_tiles_nothing_can_be_said() -> None:
    few = PixelStatistics.of(np.random.default_rng(0).normal(0, 1, (8, 6)), mpp=1.0, tile_px=64, slides=1)
    assert few.distances(np.full((1, 6), 9.0), floor=0.01).tolist() == [0.0]


def test_one_odd_tile_moves_neither_centre_nor_spread_far() -> None:
    plain = np.random.default_rng(0).normal(0.3, 0.02, (40, 6))
    odd = np.concatenate([plain, np.full((1, 6), 2.4)])
    before, after = (PixelStatistics.of(f, mpp=1.0, tile_px=64, slides=1) for f in (plain, odd))
    assert np.abs(np.array(before.mean) - after.mean).max() < 0.005
    assert np.trace(after.covariance) < 2 * np.trace(before.covariance)


def test_a_pruned_champion_leaves_its_card(tmp_path: Path) -> None:
    champions = [saved(tmp_path, number) for number in range(5)]
    for checkpoint_id in champions:
        promote_champion(tmp_path, checkpoint_id)
    assert read_card(tmp_path, champions[0]) == CARD
    gone = prune_checkpoints(tmp_path, keep=0)
    assert gone and all(read_card(tmp_path, checkpoint_id) == CARD for checkpoint_id in champions)
    assert read_card(tmp_path, "0" * 16) is None and read_card(tmp_path, "../x") is None


def test_a_changed_card_is_not_believed(tmp_path: Path) -> None:
    checkpoint_id = saved(tmp_path, 0)
    path = tmp_path / checkpoint_id / "card.json"
    path.write_text(path.read_text("utf-8").replace("Tumor", "Tumour"), "utf-8")
    with pytest.raises(CheckpointError, match="damaged"):
        read_card(tmp_path, checkpoint_id)
