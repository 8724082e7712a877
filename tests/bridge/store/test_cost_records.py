from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.store import CostRecord, Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COST = CostRecord("s1", "c1", NOON, 14.25, 3.5, 11.75, 0.5, 0.75, 0.25, 210, 31.4e6, "onnxruntime on cpu")


def test_a_cost_comes_back_as_it_was_recorded(store: Store) -> None:
    assert store.costs() == () and store.newest_costs() == ()
    store.record_cost(COST)
    assert store.costs() == (COST,) and store.newest_costs() == (COST,)


def test_a_model_s_last_prediction_of_a_slide_stands(store: Store) -> None:
    dearer = replace(COST, predicted_at=NOON + timedelta(hours=1), wall_seconds=20.0)
    store.record_cost(COST)
    store.record_cost(dearer)
    assert store.costs() == (dearer,)


def test_the_newest_model_s_cost_is_the_slide_s(store: Store) -> None:
    newer = replace(COST, checkpoint_id="c0", predicted_at=NOON + timedelta(seconds=1))
    other = replace(COST, slide_key="s0")
    for cost in (newer, other, COST):  # whatever the order in which they come
        store.record_cost(cost)
    assert store.costs() == (other, COST, newer)
    assert store.newest_costs() == (other, newer)


def test_costs_of_slides_that_left_the_project_are_forgotten(store: Store) -> None:
    for key in ("s1", "s2", "s3"):
        store.record_cost(replace(COST, slide_key=key))
        store.record_cost(replace(COST, slide_key=key, checkpoint_id="c2"))
    assert store.forget_costs(["s2", "never seen"]) == 4
    assert {cost.slide_key for cost in store.costs()} == {"s2"}
    assert store.forget_costs(["s2"]) == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=25))
def test_a_slide_keeps_a_handful_of_its_newest_models(tmp_path_factory: object, models: list[int]) -> None:
    kept: dict[str, int] = {}
    with Store.open(tmp_path_factory.mktemp("store")) as store:  # type: ignore[attr-defined]
        for second, model in enumerate(models):
            kept.pop(f"c{model}", None)
            kept[f"c{model}"] = second
            store.record_cost(replace(COST, checkpoint_id=f"c{model}", predicted_at=NOON + timedelta(seconds=second)))
        found = [cost.checkpoint_id for cost in store.costs()]
    assert found == list(kept)[-5:]
