"""Budgets, against a plain account of the same rules."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.active import Allotment, Budget, Candidate, DiversityOptions, Fate, allot

scores = st.sampled_from([0.0, 0.25, 0.5, 0.75])
budgets = st.builds(Budget, st.integers(0, 4), st.one_of(st.none(), st.integers(0, 8)))


def lists(score: st.SearchStrategy[float] = scores) -> st.SearchStrategy[list[Candidate]]:
    look = st.tuples(st.integers(0, 4).map(lambda n: n / 4), st.integers(0, 4).map(lambda n: n / 4))
    return st.lists(st.builds(Candidate, st.sampled_from("abcd"), score, look), max_size=14)


def places(candidates: list[Candidate]) -> list[int]:
    """Return each candidate's place among those of its slide."""
    return [
        sum(earlier.slide == candidate.slide for earlier in candidates[:index])
        for index, candidate in enumerate(candidates)
    ]


@given(lists(), budgets)
@settings(deadline=None, max_examples=80)
def test_no_other_choice_within_the_budget_scores_more(candidates: list[Candidate], budget: Budget) -> None:
    """Every choice of as many or fewer is tried."""
    candidates = candidates[:9]
    chosen = allot(candidates, budget).chosen
    total = sum(candidates[index].score for index in chosen)
    most = len(candidates) if budget.total is None else min(budget.total, len(candidates))
    for count in range(most + 1):
        for other in combinations(candidates, count):
            if max(Counter(candidate.slide for candidate in other).values(), default=0) <= budget.per_slide:
                assert sum(candidate.score for candidate in other) <= total
                assert count <= len(chosen)


@given(lists(), budgets, st.one_of(st.none(), st.just(DiversityOptions())))
@settings(deadline=None, max_examples=80)
def test_law_of_every_allotment(
    candidates: list[Candidate], budget: Budget, diversity: DiversityOptions | None
) -> None:
    found = allot(candidates, budget, diversity)
    assert found == allot(candidates, budget, diversity)
    assert len(set(found.chosen)) == len(found.chosen)
    assert {index for index, fate in enumerate(found.fates) if fate is Fate.CHOSEN} == set(found.chosen)
    assert len(found.fates) == len(candidates)
    per_slide = Counter(candidates[index].slide for index in found.chosen)
    assert max(per_slide.values(), default=0) <= budget.per_slide
    assert budget.total is None or len(found.chosen) <= budget.total
    falling = [candidates[index].score for index in found.chosen]
    assert falling == sorted(falling, reverse=True)
    assert diversity is not None or Fate.LOOKS_THE_SAME not in found.fates
    slides = len({candidate.slide for candidate in candidates}) * budget.per_slide
    wanted = slides if budget.total is None else min(slides, budget.total)
    assert (found.reason is None) == (len(found.chosen) == wanted)


@given(lists(st.just(0.0)), st.integers(0, 12))
@settings(deadline=None, max_examples=60)
def test_equal_scores_are_spread_evenly(candidates: list[Candidate], total: int) -> None:
    """No slide gets a second one while another that has one left got none."""
    chosen = allot(candidates, Budget(len(candidates), total)).chosen
    got = Counter(candidates[index].slide for index in chosen)
    has = Counter(candidate.slide for candidate in candidates)
    for slide in has:
        for other in has:
            assert got[slide] <= got[other] + 1 or got[other] == has[other]
    place = places(candidates)
    assert all(place[index] < got[candidates[index].slide] for index in chosen)  # each slide's own first ones


@given(lists(st.floats(0.001, 1)), budgets, st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_order_matters_only_between_equal_scores(candidates: list[Candidate], budget: Budget, seed: int) -> None:
    candidates = list({candidate.score: candidate for candidate in candidates}.values())
    shuffled = random.Random(seed).sample(candidates, len(candidates))
    for diversity in (None, DiversityOptions()):
        first, second = allot(candidates, budget, diversity), allot(shuffled, budget, diversity)
        assert [candidates[i] for i in first.chosen] == [shuffled[i] for i in second.chosen]
        assert Counter(first.fates) == Counter(second.fates)


@given(lists(), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_never_more_of_one_look_than_allowed(candidates: list[Candidate], per_look: int) -> None:
    """Looks either equal or far apart: at distance 0 each value is a look of its own."""
    found = allot(candidates, Budget(99), DiversityOptions(per_look, distance=0.0))
    counts = Counter(candidates[index].look for index in found.chosen)
    there = Counter(candidate.look for candidate in candidates)
    assert counts == {look: min(per_look, count) for look, count in there.items()}


def test_better_ones_of_another_slide_come_first() -> None:
    candidates = [
        Candidate("a", 0.9),
        Candidate("a", 0.8),
        Candidate("a", 0.7),
        Candidate("b", 0.3),
        Candidate("b", 0.2),
    ]
    fates = (Fate.CHOSEN, Fate.CHOSEN, Fate.SLIDE_IS_FULL, Fate.CHOSEN, Fate.PROJECT_IS_FULL)
    assert allot(candidates, Budget(2, 3)) == Allotment((0, 1, 3), fates)


def test_random_regions_go_round() -> None:
    candidates = [Candidate(slide, 0.0) for slide in "aaabbbccc"]
    assert allot(candidates, Budget(3, 5)).chosen == (0, 3, 6, 1, 4)


def test_look_that_is_passed_over_makes_room_for_the_next() -> None:
    dark, light = (0.1, 0.1), (0.9, 0.9)
    candidates = [
        Candidate("a", 0.9, dark),
        Candidate("b", 0.8, dark),
        Candidate("c", 0.7, dark),
        Candidate("c", 0.6, light),
    ]
    found = allot(candidates, Budget(1, 3), DiversityOptions())
    assert found.chosen == (0, 1, 3)
    assert found.fates[2] is Fate.LOOKS_THE_SAME
    assert found.reason is None
    assert allot(candidates, Budget(1, 3)).chosen == (0, 1, 2)


def test_one_not_chosen_for_the_budget_takes_no_look_away() -> None:
    """The second dark one of slide a is over the slide's share, and doesn't count as a look."""
    dark, light = (0.1, 0.1), (0.9, 0.9)
    candidates = [
        Candidate("a", 0.9, dark),
        Candidate("a", 0.8, dark),
        Candidate("b", 0.7, dark),
        Candidate("c", 0.1, light),
    ]
    found = allot(candidates, Budget(1), DiversityOptions())
    assert found.chosen == (0, 2, 3)
    assert found.fates[1] is Fate.SLIDE_IS_FULL


@pytest.mark.parametrize(
    ("slides", "diversity", "reason"),
    [
        (None, None, None),
        (3, None, "3 of 4 boxes: the slides have no more candidates"),
        (3, DiversityOptions(1), "1 of 4 boxes: 2 more look like chosen ones"),
    ],
    ids=["slides with candidates only", "a slide without any", "one look"],
)
def test_fewer_than_allowed_is_said(slides: int | None, diversity: DiversityOptions | None, reason: str | None) -> None:
    candidates = [Candidate("a", 0.9, (0.5,)), Candidate("b", 0.8, (0.5,)), Candidate("b", 0.7, (0.5,))]
    budget = Budget(2, 3 if slides is None else 4)
    assert allot(candidates, budget, diversity, slides=slides).reason == reason


def test_nothing_to_choose_from() -> None:
    assert allot([], Budget(5, 10), DiversityOptions()) == Allotment((), ())
    assert allot([], Budget(5), slides=2).reason == "0 of 10 boxes: the slides have no more candidates"


@pytest.mark.parametrize("wrong", [(-1, None), (1, -1)], ids=str)
def test_negative_budget_is_refused(wrong: tuple[int, int | None]) -> None:
    with pytest.raises(ValueError, match="negative"):
        Budget(*wrong)


def test_missing_look_is_refused() -> None:
    with pytest.raises(ValueError, match=r"look|inhomogeneous"):
        allot([Candidate("a", 0.5), Candidate("b", 0.5, (0.1,))], Budget(1), DiversityOptions())


def test_score_without_an_order_is_refused() -> None:
    with pytest.raises(ValueError, match="score"):
        Candidate("a", math.nan)


def test_what_must_come_first_does() -> None:
    candidates = [Candidate("a", 0.9), Candidate("b", math.inf), Candidate("c", 0.1)]
    assert allot(candidates, Budget(1, 2)).chosen == (1, 0)
