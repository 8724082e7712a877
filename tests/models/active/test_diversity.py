"""Looks that repeat."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.active import Budget, Candidate, DiversityOptions, allot
from models.active.diversity import Looks

Features = npt.NDArray[np.float64]
tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 14), st.integers(1, 3)),
    elements=st.integers(0, 8).map(lambda n: n / 8),
)
settings_of = st.builds(DiversityOptions, st.integers(1, 3), st.sampled_from([0.0, 0.31, 0.53, 1.07, 2.9]))


def kept(looks: Any, options: DiversityOptions | None, limit: int = 99) -> tuple[int, ...]:
    """Return which of one slide's candidates are asked for, best first: each is worth less than the one before."""
    candidates = [Candidate("slide", -float(place), tuple(look)) for place, look in enumerate(looks)]
    return allot(candidates, Budget(limit), options).chosen


def same(looks: Features, options: DiversityOptions) -> npt.NDArray[np.bool_]:
    """Return who looks like whom, by the definition: (candidates, candidates)."""
    count, features = looks.shape
    out = np.zeros((count, count), bool)
    for a in range(count):
        for b in range(count):
            total = 0.0
            for f in range(features):
                mean = sum(looks[:, f]) / count
                spread = (sum((value - mean) ** 2 for value in looks[:, f]) / count) ** 0.5
                total += ((looks[a, f] - looks[b, f]) / max(spread, options.least_spread)) ** 2
            out[a, b] = total / features <= options.distance**2
    return out


@given(tables, settings_of)
@settings(deadline=None, max_examples=60)
def test_alike_is_the_definition(looks: Features, options: DiversityOptions) -> None:
    for one in range(len(looks)):
        chosen = Looks(looks, replace(options, per_look=1))
        chosen.choose(one)
        assert [not chosen.has_room(other) for other in range(len(looks))] == same(looks, options)[one].tolist()


@given(tables, settings_of)
@settings(deadline=None, max_examples=60)
def test_never_more_than_allowed_look_the_same(looks: Features, options: DiversityOptions) -> None:
    found = kept(looks, options)
    alike = same(looks, options)
    for group in combinations(found, options.per_look + 1):
        assert not all(alike[a, b] for a, b in combinations(group, 2))


@given(tables, settings_of)
@settings(deadline=None, max_examples=60)
def test_greedy_by_priority(looks: Features, options: DiversityOptions) -> None:
    """Each is kept unless as many before it as allowed were kept and look the same."""
    found = kept(looks, options)
    alike = same(looks, options)
    for candidate in range(len(looks)):
        before = sum(alike[candidate, other] for other in found if other < candidate)
        assert (candidate in found) == (before < options.per_look)
    assert list(found) == sorted(found)


@given(tables, settings_of, st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_fewer_are_the_first_of_more(looks: Features, options: DiversityOptions, limit: int) -> None:
    assert kept(looks, options, limit) == kept(looks, options)[:limit]


@given(tables, st.integers(0, 20))
@settings(deadline=None, max_examples=30)
def test_off_keeps_all_in_their_order(looks: Features, limit: int) -> None:
    assert kept(looks, None, limit) == tuple(range(len(looks)))[:limit]


@given(tables, settings_of, st.sampled_from([0.25, 0.5, 2.0]), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_where_the_mean_lies_does_not_matter(looks: Features, options: DiversityOptions, by: float, to: int) -> None:
    """Nor the unit, as long as all spread more than the least or not at all."""
    if any(0 < spread < 0.1 for spread in looks.std(axis=0)):
        return
    assert kept(looks * by + to, options) == kept(looks, options)


@given(tables, settings_of)
@settings(deadline=None, max_examples=30)
def test_writing_a_feature_twice_changes_nothing(looks: Features, options: DiversityOptions) -> None:
    assert kept(np.hstack([looks, looks]), options) == kept(looks, options)


def test_by_hand() -> None:
    """Two features of standard deviations 0.4 and 0.1."""
    looks = [[0.1, 0.5], [0.9, 0.5], [0.1, 0.7], [0.9, 0.7]]
    # 0 and 2 differ by 2 deviations in one of two features: d = √(4 / 2) = 1.41.
    assert kept(looks, DiversityOptions(1, distance=1.42)) == (0, 3)
    assert kept(looks, DiversityOptions(1, distance=1.41)) == (0, 1, 2, 3)
    assert kept(looks, DiversityOptions(2, distance=1.42)) == (0, 1, 2)  # 3 looks like 1 and like 2
    assert kept(looks, DiversityOptions(2, distance=2.01)) == (0, 1)


def test_no_three_of_one_look() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.1, 0.9, 0.5], [0.8, 0.2, 0.5], [0.5, 0.5, 0.9]])
    looks = centres[np.arange(30) % 3] + rng.normal(0, 0.01, (30, 3))
    assert kept(looks, DiversityOptions(), 10) == (0, 1, 2, 3, 4, 5)


def test_slides_that_all_look_the_same_are_one_look() -> None:
    """Differences of a level or two in 255 are not blown up to several looks."""
    looks = np.full((20, 4), 0.6) + np.random.default_rng(0).normal(0, 0.004, (20, 4))
    assert kept(looks, DiversityOptions()) == (0, 1)
    assert len(kept(looks, DiversityOptions(least_spread=0.001))) > 10


@pytest.mark.parametrize(
    "wrong",
    [{"per_look": 0}, {"distance": -0.1}, {"distance": float("nan")}, {"least_spread": 0.0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_options_out_of_range_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DiversityOptions(**wrong)


@pytest.mark.parametrize(
    "looks", [[[]], [0.1, 0.2], [[0.1], [float("nan")]], [[0.1], [0.1, 0.2]]], ids=["none", "flat", "nan", "ragged"]
)
def test_what_is_no_look_is_refused(looks: Any) -> None:
    with pytest.raises(ValueError, match=r"looks|inhomogeneous"):
        Looks(looks, DiversityOptions())
