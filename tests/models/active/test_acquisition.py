"""Score maps against the formulae, written out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.active import (
    Acquisition,
    acquisition_of,
    bald,
    checkpoint_disagreement,
    entropy,
    least_confidence,
    margin,
)

ALL = list(Acquisition)


@st.composite
def probabilities(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    shape = (draw(st.integers(1, 3)), draw(st.integers(2, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    raw = draw(hnp.arrays(np.float64, shape, elements=st.floats(0, 1))) + 1e-6
    return raw / raw.sum(axis=1, keepdims=True)


def pixel(*draws: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """One pixel: draws × classes."""
    return np.array(draws)[:, :, None, None]


@pytest.mark.parametrize("kind", ALL)
@given(probabilities())
@settings(deadline=None, max_examples=30)
def test_scores_are_float32_between_0_and_1(kind: Acquisition, p: npt.NDArray[np.float64]) -> None:
    scores = acquisition_of(kind)(p)
    assert scores.dtype == np.float32
    assert scores.shape == p.shape[2:]
    assert scores.min() >= 0
    assert scores.max() <= 1


@given(hnp.arrays(np.float64, (1, 1, 4, 5), elements=st.floats(0, 1)))
@settings(deadline=None, max_examples=30)
def test_least_confidence_of_two_classes_is_the_papers(p: npt.NDArray[np.float64]) -> None:
    expected = 1 - 2 * np.abs(p[0, 0] - 0.5)
    assert least_confidence(p) == pytest.approx(expected, abs=1e-6)
    assert least_confidence(np.concatenate([1 - p, p], axis=1)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", [Acquisition.LEAST_CONFIDENCE, Acquisition.MARGIN, Acquisition.ENTROPY])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_uncertainty_runs_from_certain_to_even(kind: Acquisition, classes: int) -> None:
    certain = (1.0,) + (0.0,) * (classes - 1)
    even = (1 / classes,) * classes
    score = acquisition_of(kind)
    assert score(pixel(certain)).item() == 0
    assert score(pixel(even)).item() == pytest.approx(1)
    assert score(pixel(certain, certain[::-1])).item() == pytest.approx(score(pixel((0.5, *(0,) * (classes - 2), 0.5))))


def test_by_hand() -> None:
    p = pixel((0.6, 0.3, 0.1))
    assert least_confidence(p).item() == pytest.approx(0.6)
    assert margin(p).item() == pytest.approx(0.7)
    h = -(0.6 * math.log(0.6) + 0.3 * math.log(0.3) + 0.1 * math.log(0.1)) / math.log(3)
    assert entropy(p).item() == pytest.approx(h)


@given(probabilities())
@settings(deadline=None, max_examples=30)
def test_single_draws_never_disagree(p: npt.NDArray[np.float64]) -> None:
    assert bald(p[:1]).max() == pytest.approx(0, abs=1e-6)
    assert checkpoint_disagreement(p[:1]).max() == 0


@pytest.mark.parametrize("score", [bald, checkpoint_disagreement])
def test_disagreement_is_about_sure_draws_not_about_doubt(score) -> None:  # type: ignore[no-untyped-def]
    contradicting = pixel((1.0, 0.0), (0.0, 1.0))
    doubtful = pixel((0.5, 0.5), (0.5, 0.5))
    assert score(contradicting).item() == pytest.approx(1)
    assert score(doubtful).item() == pytest.approx(0)


def test_disagreement_by_hand() -> None:
    p = pixel((0.9, 0.1), (0.5, 0.5))
    assert checkpoint_disagreement(p).item() == pytest.approx(2 * (0.04 + 0.04))

    def h(q: float) -> float:
        return -(q * math.log2(q) + (1 - q) * math.log2(1 - q))

    assert bald(p).item() == pytest.approx(h(0.7) - (h(0.9) + 1) / 2)


@pytest.mark.parametrize("kind", ALL)
def test_order_of_classes_and_draws_does_not_matter(kind: Acquisition) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=(3, 5, 6)).transpose(0, 3, 1, 2)
    score = acquisition_of(kind)
    assert score(p[::-1, ::-1]) == pytest.approx(score(p), abs=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_half_precision_is_good_enough_to_read(kind: Acquisition) -> None:
    p = np.random.default_rng(0).dirichlet(np.ones(3), size=(4, 5, 6)).transpose(0, 3, 1, 2)
    score = acquisition_of(kind)
    assert score(p.astype(np.float16)) == pytest.approx(score(p), abs=5e-3)


@pytest.mark.parametrize("shape", [(2, 4, 4), (0, 2, 4, 4), (1, 0, 4, 4)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="draws, classes, y, x"):
        entropy(np.zeros(shape))
