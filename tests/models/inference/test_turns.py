"""Eight ways to lay a tile down, and back."""

from __future__ import annotations

import numpy as np
import pytest

from models.inference import TURNS, Turn

TILE = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
IDS = [f"{turn.quarters}{'f' if turn.is_flipped else ''}" for turn in TURNS]


@pytest.mark.parametrize("turn", TURNS, ids=IDS)
def test_what_was_turned_comes_back_as_it_lay(turn: Turn) -> None:
    planes = turn.turned(TILE).transpose(0, 3, 1, 2)
    assert np.array_equal(turn.back(planes), TILE.transpose(0, 3, 1, 2))


def test_no_two_ways_are_the_same_and_the_first_is_plain() -> None:
    assert len({turn.turned(TILE).tobytes() for turn in TURNS}) == len(TURNS) == 8
    assert np.array_equal(TURNS[0].turned(TILE), TILE)


def test_a_quarter_turn_is_anticlockwise_and_the_flip_comes_after() -> None:
    corner = np.zeros((1, 3, 3, 1), np.uint8)
    corner[0, 0, 0] = 1
    assert Turn(1).turned(corner)[0, 2, 0, 0] == 1
    assert Turn(1, is_flipped=True).turned(corner)[0, 2, 2, 0] == 1


def test_one_answer_for_a_whole_tile_needs_no_turning() -> None:
    answers = np.float32([[0.2, 0.8]])
    assert Turn(3, is_flipped=True).back(answers) is answers
