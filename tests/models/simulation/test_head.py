from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from models.active import MapBox
from models.errors import TrainingDataError
from models.simulation import FrozenHead, HeadOptions, SimulatedSlide
from models.simulation.judging import predicted_labels

Slides = list[SimulatedSlide]
OPTIONS = HeadOptions(hidden=16, steps=60, batch_size=64, dropout=0.1, learning_rate=2e-2)


def _all(slides: Slides) -> dict[str, np.ndarray]:
    return {slide.key: np.ones(slide.shape, np.uint8) for slide in slides}


def _error(head: FrozenHead, learned: object, slides: Slides) -> float:
    wrong = [(predicted_labels(learned.probabilities(s.key)) != s.labels)[s.tissue].mean() for s in slides]  # type: ignore[attr-defined]
    return float(np.mean(wrong))


def test_it_learns_to_tell_the_classes(head: FrozenHead, train: Slides, test_slides: Slides) -> None:
    learned = head.learn(_all(train[:7]), _all(train[7:]), {}, seed=0)
    assert _error(head, learned, test_slides) < 0.1


def test_probabilities_are_of_the_classes_and_glass_is_background(head: FrozenHead, train: Slides) -> None:
    probabilities = head.learn(_all(train), {}, {}, seed=0).probabilities(train[0].key)
    assert probabilities.shape == (2, *train[0].shape)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert (probabilities[0, ~train[0].tissue] == 1).all()


def test_the_same_seed_learns_the_same_and_another_seed_does_not(head: FrozenHead, train: Slides) -> None:
    maps = [head.learn(_all(train[:3]), _all(train[3:4]), {}, seed=s).probabilities("train 5") for s in (4, 4, 5)]
    np.testing.assert_array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])


def test_training_leaves_torch_as_it_was(head: FrozenHead, train: Slides) -> None:
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    head.learn(_all(train[:2]), {}, {}, seed=0).probabilities("train 0")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_validation_chooses_the_weights(train: Slides, make_slide: Callable[..., SimulatedSlide]) -> None:
    # Labels that are exchanged on the validation slide: the weights that know least are the best there.
    honest = make_slide("honest", 50)
    exchanged = make_slide("exchanged", 50)
    object.__setattr__(exchanged, "labels", 1 - exchanged.labels)
    options = HeadOptions(hidden=16, steps=100, evaluate_every=1, patience=100, learning_rate=2e-2)
    head = FrozenHead([*train, honest, exchanged], 2, options)
    good, bad = (head.learn(_all(train), _all([slide]), {}, seed=0) for slide in (honest, exchanged))
    assert _error(head, good, train) < 0.15 < 0.3 < _error(head, bad, train)


def test_one_class_is_enough_for_a_first_cycle(head: FrozenHead, train: Slides) -> None:
    revealed = {slide.key: (slide.labels == 0).astype(np.uint8) for slide in train[:2]}
    found = predicted_labels(head.learn(revealed, {}, {}, seed=0).probabilities("train 4"))
    assert (found == 0).mean() > 0.9


def test_nothing_revealed_is_refused(head: FrozenHead, train: Slides) -> None:
    with pytest.raises(TrainingDataError, match="nothing is revealed"):
        head.learn({train[0].key: np.zeros(train[0].shape, np.uint8)}, _all(train[1:]), {}, seed=0)


def test_a_feature_that_never_changes_does_no_harm(make_slide: Callable[..., SimulatedSlide]) -> None:
    slide = make_slide("one", 0)
    slide.features[..., 5] = 7.0
    learned = FrozenHead([slide], 2, OPTIONS).learn(_all([slide]), {}, {}, seed=0)
    assert np.isfinite(learned.probabilities("one")).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_patch_labels_help_where_little_is_drawn(
    make_slide: Callable[..., SimulatedSlide], test_slides: Slides, seed: int
) -> None:
    slides = [make_slide(f"{i}", 10 * seed + i, lesions=3, noise=1.5) for i in range(6)]
    drawn = {slide.key: np.zeros(slide.shape, np.uint8) for slide in slides}
    y, x = np.argwhere(slides[0].labels & slides[0].tissue)[0]
    drawn["0"][max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = 1
    labels = {slide.key: _patch_labels(slide) for slide in slides}
    head = FrozenHead([*slides, *test_slides], 2, OPTIONS)
    without, having = head.learn(drawn, {}, {}, seed=seed), head.learn(drawn, {}, labels, seed=seed)
    assert _error(head, having, test_slides) < _error(head, without, test_slides)


def _patch_labels(slide: SimulatedSlide) -> list[tuple[MapBox, int]]:
    """Return boxes of 3 × 3 cells of which at least eight are of one class: some are a little wrong."""
    found = []
    for y in range(0, slide.shape[0] - 2, 3):
        for x in range(0, slide.shape[1] - 2, 3):
            positive = int(slide.labels[y : y + 3, x : x + 3].sum())
            if slide.tissue[y : y + 3, x : x + 3].all() and (positive >= 8 or positive <= 1):
                found.append((MapBox(x, y, 3, 3), int(positive >= 8)))
    return found


@pytest.mark.parametrize("wrong", [{"hidden": 0}, {"dropout": 1.0}, {"patch_label_trust": 0.0}, {"steps": 0}])
def test_options_that_make_no_head_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a head needs"):
        HeadOptions(**wrong)  # type: ignore[arg-type]
