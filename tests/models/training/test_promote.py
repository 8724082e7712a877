from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models.checkpoints import Checkpoint
from models.training import fit, promote


@pytest.fixture(scope="module")
def good_and_bad(judged_slides: Any, ground: Any, tiny_model: Any, brief: Any) -> tuple[Checkpoint, Checkpoint]:
    good = fit(judged_slides, ground.scheme, tiny_model, replace(brief, max_steps=40, batch_size=4))
    bad = fit(judged_slides, ground.scheme, tiny_model, replace(brief, max_steps=1))
    return good.checkpoint, bad.checkpoint


def test_the_better_one_is_kept(good_and_bad: Any, judged_slides: Any, ground: Any) -> None:
    good, bad = good_and_bad
    better = promote(good, bad, judged_slides, ground.scheme)
    assert better.promoted
    worse = promote(bad, good, judged_slides, ground.scheme)
    assert not worse.promoted
    assert worse.reason.startswith("the model before stays in use")
    assert (better.candidate_score, better.champion_score) == (worse.champion_score, worse.candidate_score)


def test_force_overrules(good_and_bad: Any, judged_slides: Any, ground: Any) -> None:
    good, bad = good_and_bad
    decision = promote(bad, good, judged_slides, ground.scheme, force=True)
    assert decision.promoted
    assert "by force" in decision.reason


def test_equal_is_good_enough(good_and_bad: Any, judged_slides: Any, ground: Any) -> None:
    good, _ = good_and_bad
    assert promote(good, good, judged_slides, ground.scheme).promoted


def test_the_first_needs_no_opponent(good_and_bad: Any, judged_slides: Any, ground: Any) -> None:
    decision = promote(good_and_bad[1], None, judged_slides, ground.scheme)
    assert decision.promoted
    assert decision.champion_score is None


def test_without_a_hold_out_it_says_so(good_and_bad: Any, disc_slides: Any, ground: Any) -> None:
    decision = promote(good_and_bad[1], good_and_bad[0], disc_slides, ground.scheme)
    assert decision.promoted
    assert "nothing is held out" in decision.reason


def test_the_reason_says_how_much_it_rests_on(good_and_bad: Any, judged_slides: Any, ground: Any) -> None:
    decision = promote(*good_and_bad, judged_slides, ground.scheme)
    assert decision.candidate_scores is not None
    areas = sum(len(slide.plan.hold_out) for slide in judged_slides)
    assert f"{decision.candidate_scores.pixels:,} pixels in {areas} held-out area" in decision.reason
