from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.store import ReadRecord
from scripts.report.area import labelled_area

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = NOON + timedelta(days=100)


def read(key: str, hours: int, um2: float | None) -> ReadRecord:
    at = NOON + timedelta(hours=hours)
    return ReadRecord(key, f"{key}{hours}", at, at, 1, um2)


def test_steps_reckoned_by_hand() -> None:
    reads = {
        "a": [read("a", 0, 1e6), read("a", 2, 3e6)],
        "b": [read("b", 1, 2e6), read("b", 3, 2e6), read("b", 4, 0.0)],
    }
    found = labelled_area(reads, {"a": 3e6, "b": 5e5}, END)
    hours = [(point.at - NOON) / timedelta(hours=1) for point in found[:-1]]
    assert list(zip(hours, [point.mm2 for point in found], strict=False)) == [(0, 1), (1, 3), (2, 5), (4, 3)]
    assert found[-1].at == END and found[-1].mm2 == pytest.approx(3.5)


def test_readings_of_before_areas_were_recorded_say_nothing() -> None:
    assert labelled_area({"a": [read("a", 0, None)]}, {}, END) == ()
    (now,) = labelled_area({"a": [read("a", 0, None)]}, {"a": 2e6}, END)
    assert now.mm2 == 2.0


_areas = st.lists(st.tuples(st.integers(0, 2000), st.floats(0, 1e9)), max_size=600)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from("abcd"), _areas, max_size=4))
def test_last_reading_of_each_slide_counts_and_time_goes_on(drawn: Mapping[str, list[tuple[int, float]]]) -> None:
    reads = {key: [read(key, h, um2) for h, um2 in sorted(found)] for key, found in drawn.items()}
    found = labelled_area(reads, {}, END)
    last = sum(some[-1].labelled_area_um2 or 0.0 for some in reads.values() if some)
    assert not found or found[-1].mm2 == pytest.approx(last / 1e6)
    assert [p.at for p in found] == sorted({p.at for p in found})
    assert len(found) <= 402 and bool(found) == any(reads.values())
