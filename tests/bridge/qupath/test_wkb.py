from __future__ import annotations

from struct import pack

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.qupath.wkb import is_plain_wkb

_KINDS = [
    "POINT (1 2)",
    "LINESTRING (0 0, 1 1, 2 0)",
    "POLYGON ((0 0, 9 0, 9 9, 0 0), (1 1, 2 1, 2 2, 1 1))",
    "POLYGON EMPTY",
    "MULTIPOINT (1 2, 3 4)",
    "MULTIPOLYGON (((0 0, 9 0, 9 9, 0 0)), ((20 20, 21 20, 21 21, 20 20)))",
    "GEOMETRYCOLLECTION (POINT (1 2), MULTILINESTRING ((0 0, 1 1)))",
]


@pytest.mark.parametrize("byte_order", [0, 1])
@pytest.mark.parametrize("wkt", _KINDS)
def test_whole_geometries_and_nothing_else(wkt: str, byte_order: int) -> None:
    wkb = shapely.to_wkb(shapely.from_wkt(wkt), byte_order=byte_order)
    assert is_plain_wkb(wkb)
    assert not any(is_plain_wkb(wkb[:size]) for size in range(len(wkb)))
    assert not is_plain_wkb(wkb + b"\0")


def test_other_dimensions_and_kinds_are_none() -> None:
    assert not is_plain_wkb(shapely.to_wkb(shapely.from_wkt("POINT Z (1 2 3)"), output_dimension=3))
    assert not is_plain_wkb(shapely.to_wkb(shapely.set_srid(shapely.Point(1, 2), 4326), include_srid=True))
    assert not is_plain_wkb(pack(">BI", 0, 99) + bytes(16))


def test_nesting_without_end_is_none() -> None:
    deep = pack(">BII", 0, 7, 1) * 100_000 + pack(">BIdd", 0, 1, 0, 0)
    assert not is_plain_wkb(deep)
    assert not is_plain_wkb(pack(">BII", 0, 6, 1) * 100_000)


def test_huge_counts_are_none() -> None:
    assert not is_plain_wkb(pack(">BII", 0, 3, 2**32 - 1))
    assert not is_plain_wkb(pack(">BII", 0, 2, 2**32 - 1) + bytes(16))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 7))
def test_what_is_let_through_geos_survives(tail: bytes, kind: int) -> None:
    data = pack(">BI", 0, kind) + tail
    if is_plain_wkb(data):
        shapely.from_wkb(data, on_invalid="ignore")
