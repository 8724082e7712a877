from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from bridge.store import LookRecord, Store

LOOK = LookRecord("s1", "c1", 5.25, True, datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_the_newest_look_of_a_slide_stands(store: Store) -> None:
    newer = replace(LOOK, checkpoint_id="c2", distance=1.0, is_far=False)
    assert store.looks() == ()
    assert store.record_look(LOOK) and not store.record_look(LOOK)
    assert store.looks() == (LOOK,)
    assert store.record_look(newer) and store.record_look(replace(LOOK, slide_key="s0"))
    assert store.looks() == (replace(LOOK, slide_key="s0"), newer)
