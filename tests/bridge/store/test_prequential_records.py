from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bridge.store import PrequentialRecord, Store


@pytest.fixture
def score(now: datetime) -> PrequentialRecord:
    return PrequentialRecord("s1", "roi 1", 3, now, ("Background", "Tumor"), ((10, 2), (3, 40)))


def test_scores_come_back_oldest_first(store: Store, score: PrequentialRecord) -> None:
    newer = replace(score, slide_key="s0", scored_at=score.scored_at + timedelta(seconds=1))
    store.record_prequential(newer)
    store.record_prequential(score)
    assert store.prequential() == (score, newer)


def test_area_is_scored_once(store: Store, score: PrequentialRecord) -> None:
    store.record_prequential(score)
    store.record_prequential(replace(score, iteration=4, confusion=((50, 0), (0, 5))))
    assert store.prequential() == (score,)


def test_scored_areas_are_those_of_the_slide(store: Store, score: PrequentialRecord) -> None:
    store.record_prequential(score)
    store.record_prequential(replace(score, area_key="roi 2"))
    store.record_prequential(replace(score, slide_key="s2", area_key="roi 3"))
    assert store.scored_areas("s1") == {"roi 1", "roi 2"}
    assert store.scored_areas("unknown") == frozenset()
