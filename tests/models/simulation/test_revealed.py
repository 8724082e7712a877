from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.active import MapBox
from models.simulation import SimulatedSlide, Split
from models.simulation.revealed import Revealed

SPLIT = Split((("a", "b"),), frozenset({"b"}))
FIRST, SECOND = MapBox(0, 0, 2, 1), MapBox(1, 0, 2, 1)


def _slides() -> list[SimulatedSlide]:
    cells = np.zeros((2, 4), np.uint8)
    features = np.zeros((2, 4, 1), np.float32)
    return [SimulatedSlide(key, "", features, cells, cells, cells == 0) for key in "ab"]


@dataclass
class _Noting:
    said: list[object] = field(default_factory=list)

    def learn(
        self,
        revealed: Mapping[str, NDArray[np.uint8]],
        validation: Mapping[str, NDArray[np.uint8]],
        patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
        *,
        seed: int,
    ) -> _Noting:
        shown = [{key: times[0].tolist() for key, times in part.items()} for part in (revealed, validation)]
        self.said += [*shown, dict(patch_labels), seed]
        return self

    def probabilities(self, key: str) -> NDArray[np.float32]:
        raise AssertionError(key)


def test_a_learner_sees_how_often_each_cell_was_drawn() -> None:
    revealed, learner = Revealed(_slides(), SPLIT), _Noting()
    revealed.add({"a": [FIRST, SECOND], "b": [FIRST]}, {})
    revealed.learn(learner, 5)
    assert learner.said == [{"a": [1, 2, 1, 0]}, {"b": [1, 1, 0, 0]}, {}, 5]


def test_of_a_box_with_a_patch_label_a_learner_sees_that_alone() -> None:
    revealed, learner = Revealed(_slides(), SPLIT), _Noting()
    revealed.add({"a": [FIRST, SECOND]}, {"a": [(SECOND, 1)]})
    revealed.learn(learner, 0)
    assert learner.said == [{"a": [1, 1, 0, 0]}, {"b": [0, 0, 0, 0]}, {"a": ((SECOND, 1),)}, 0]
    assert revealed.share == 3 / 16, "a box with a patch label covers its tissue like any other"
    assert revealed.is_covered("a", FIRST)
    assert not revealed.is_covered("a", SECOND)
    assert revealed.is_covered("a", SECOND, [MapBox(2, 0, 2, 2)])


def test_box_that_is_drawn_after_its_patch_label_teaches_what_was_drawn() -> None:
    revealed, learner = Revealed(_slides(), SPLIT), _Noting()
    revealed.add({"a": [FIRST]}, {"a": [(FIRST, 1)]})
    revealed.add({"a": [FIRST]}, {})
    revealed.learn(learner, 0)
    assert learner.said[0] == {"a": [1, 1, 0, 0]}
    assert revealed.is_covered("a", FIRST)


def test_everything_covers_all_slides() -> None:
    assert Revealed.everything(_slides(), SPLIT).share == 1.0
