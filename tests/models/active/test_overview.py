"""Scores of cells, gathered band by band from one prediction or several, and the words that go with them."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Window
from bridge.raster import ProbabilityMap
from models.active import Acquisition, acquisition_of
from models.active.overview import Overview, OverviewBuilder, reason_for

NAMES = ("Background", "Stroma", "Tumor")


def some_draws(seed: int, draws: int, rows: int, columns: int) -> np.ndarray:
    raw = np.random.default_rng(seed).random((draws, len(NAMES), rows, columns), np.float32)
    return np.asarray(raw / raw.sum(axis=1, keepdims=True), np.float32)


def cell_means(values: np.ndarray, stride: int) -> np.ndarray:
    """Average squares one after another."""
    height, width = values.shape[-2:]
    rows = [
        [values[..., y : y + stride, x : x + stride].mean(axis=(-2, -1)) for x in range(0, width, stride)]
        for y in range(0, height, stride)
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


@given(
    st.sampled_from(list(Acquisition)),
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 7),
    st.integers(1, 4),
    st.sets(st.integers(1, 8)),
    st.integers(0, 99),
)
@settings(max_examples=60)
def test_bands_give_the_means_of_the_whole_map(
    acquisition: Acquisition, draws: int, rows: int, columns: int, stride: int, edges: set[int], seed: int
) -> None:
    whole = some_draws(seed, draws, rows, columns)
    builder = OverviewBuilder(Window(0, 0, columns, rows, 2.0), NAMES, stride, acquisition, draws=draws)
    cut = sorted({0, rows, *(edge for edge in edges if edge < rows)})
    for top, bottom in pairwise(cut):
        window = Window(0, top, columns, bottom - top, 2.0)
        band, *others = (ProbabilityMap(one[:, top:bottom], window, NAMES) for one in whole)
        builder.add(band, others)
    found = builder.finish()
    assert np.allclose(found.score, cell_means(acquisition_of(acquisition)(whole), stride), atol=1e-5)
    assert np.allclose(found.probabilities, cell_means(whole[0], stride), atol=1e-5), "means are the plain prediction's"
    assert found.acquisition is acquisition
    if draws == 1:
        assert found.spread is None
    else:
        assert found.spread is not None
        assert np.allclose(found.spread, cell_means(whole.var(axis=0), stride), atol=1e-5)
        assert found.finer(2).spread is not None


def test_scoring_many_draws_takes_less_memory_than_they_do() -> None:
    window = Window(0, 0, 6000, 448, 2.0)
    bands = [ProbabilityMap(one, window, NAMES) for one in some_draws(1, 3, *window.shape)]
    builder = OverviewBuilder(window, NAMES, 31, Acquisition.BALD, draws=3)
    tracemalloc.start()
    builder.add(bands[0], bands[1:])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * bands[0].probabilities.nbytes


def test_what_no_band_touched_is_certain_background() -> None:
    found = OverviewBuilder(Window(0, 0, 2, 2, 1.0), NAMES, 1, Acquisition.BALD, draws=2).finish()
    assert found.probabilities[0].min() == 1 and found.probabilities[1:].max() == found.score.max() == 0


def test_a_missing_draw_or_one_of_other_rows_is_refused() -> None:
    builder = OverviewBuilder(Window(0, 0, 3, 2, 1.0), NAMES, 1, Acquisition.BALD, draws=2)
    first, second = (ProbabilityMap(one, Window(0, 0, 3, 2, 1.0), NAMES) for one in some_draws(0, 2, 2, 3))
    lower = ProbabilityMap(second.probabilities, Window(0, 1, 3, 2, 1.0), NAMES)
    for others in ([], [second, second], [lower]):
        with pytest.raises(ValueError, match="2 draws"):
            builder.add(first, others)


def overview_of(
    probabilities: list[float], acquisition: Acquisition = Acquisition.ENTROPY, spread: list[float] | None = None
) -> Overview:
    planes = np.float32(probabilities).reshape(-1, 1, 1)
    return Overview(
        planes,
        np.ones((1, 1), np.float32),
        Window(0, 0, 1, 1, 8.0),
        NAMES,
        acquisition,
        None if spread is None else np.float32(spread).reshape(-1, 1, 1),
    )


@pytest.mark.parametrize(
    ("overview", "words"),
    [
        (overview_of([0.1, 0.4, 0.5]), "uncertain Tumor / Stroma"),
        (overview_of([0.5, 0.1, 0.4]), "uncertain Tumor / Background"),
        (overview_of([1.0, 0.0, 0.0]), "uncertain Stroma / Background"),
        (overview_of([0.5, 0.1, 0.4], Acquisition.BALD, [0.1, 0.2, 0.3]), "model contradicts itself on Tumor / Stroma"),
        (
            overview_of([0.5, 0.5, 0.0], Acquisition.DISAGREEMENT, [0.2, 0.1, 0.3]),
            "models disagree on Tumor / Background",
        ),
    ],
    ids=["confused", "with background", "nothing confused", "one model", "several models"],
)
def test_words_name_the_two_classes_it_is_about(overview: Overview, words: str) -> None:
    assert reason_for(overview, slice(0, 1), slice(0, 1)) == words


@given(st.sampled_from(list(Acquisition)), st.integers(1, 3), st.integers(1, 4), st.integers(0, 9), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_background_beside_what_is_doubtful_changes_nothing(
    acquisition: Acquisition, draws: int, stride: int, margin: int, seed: int
) -> None:
    whole = some_draws(seed, draws, 7, 20)
    for one in whole:
        one[:, :, :margin], one[:, :, 20 - margin :] = 0, 0
        one[0, :, :margin], one[0, :, 20 - margin :] = 1, 1
    builder = OverviewBuilder(Window(0, 0, 20, 7, 2.0), NAMES, stride, acquisition, draws=draws)
    band, *others = (ProbabilityMap(one, Window(0, 0, 20, 7, 2.0), NAMES) for one in whole)
    builder.add(band, others)
    found = builder.finish()
    assert np.allclose(found.score, cell_means(acquisition_of(acquisition)(whole), stride), atol=1e-5)
    assert np.allclose(found.probabilities, cell_means(whole[0], stride), atol=1e-5)


def test_bands_in_any_order_give_the_same_means() -> None:
    (whole,) = some_draws(3, 1, 12, 9)
    found = []
    for tops in ((0, 5, 7), (7, 0, 5)):
        builder = OverviewBuilder(Window(0, 0, 9, 12, 2.0), NAMES, 4, Acquisition.ENTROPY)
        for top in tops:
            bottom = {0: 5, 5: 7, 7: 12}[top]
            builder.add(ProbabilityMap(whole[:, top:bottom], Window(0, top, 9, bottom - top, 2.0), NAMES))
        found.append(builder.finish())
    assert np.allclose(found[0].probabilities, found[1].probabilities, atol=1e-6)
    assert np.allclose(found[0].score, found[1].score, atol=1e-6)


def test_only_rows_that_are_still_open_are_held_more_exactly_than_needed() -> None:
    tracemalloc.start()
    builder = OverviewBuilder(Window(0, 0, 800, 4_000, 2.0), NAMES, 1, Acquisition.LEAST_CONFIDENCE)
    band = np.full((3, 400, 800), 1 / 3, np.float32)
    for top in range(0, 4_000, 400):
        builder.add(ProbabilityMap(band, Window(0, top, 800, 400, 2.0), NAMES))
    found = builder.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * (found.probabilities.nbytes + found.score.nbytes) + band.nbytes
