from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box

from bridge.qupath.roi_numbers import float_columns, grid_wkb, rounded


def _array(*geometries: object) -> np.ndarray:
    array = np.empty(len(geometries), dtype=object)
    array[:] = geometries
    return array


@pytest.mark.parametrize("drop_last", [True, False])
def test_each_geometry_gets_its_own_columns(drop_last: bool) -> None:
    geometries = _array(
        Polygon([(0.004, 1), (2.25, 1), (2, 3)]), Polygon(), Polygon([(9, 9), (10, 9), (10, 10), (9, 10)])
    )
    columns = [
        (np.frombuffer(x, ">f4").tolist(), np.frombuffer(y, ">f4").tolist())
        for x, y in float_columns(geometries, drop_last=drop_last)
    ]
    end = 3 if drop_last else 4
    assert columns[0] == ([0.0, 2.25, 2.0, 0.0][:end], [1.0, 1.0, 3.0, 1.0][:end])
    assert columns[1] == ([], []), "an empty one"
    assert columns[2] == ([9.0, 10.0, 10.0, 9.0, 9.0][: end + 1], [9.0, 9.0, 10.0, 10.0, 9.0][: end + 1])
    assert list(float_columns(_array())) == []


def test_what_rounding_spoils_is_repaired_and_what_vanishes_is_none() -> None:
    spoilt = MultiPolygon([box(0, 0, 9, 9), box(9.001, 0, 20, 9)])
    tiny = box(0, 0, 0.001, 0.001)
    assert spoilt.is_valid and not rounded(_array(spoilt))[0].is_valid
    first, second, third = grid_wkb(_array(spoilt, tiny, box(0, 0, 3, 3)))
    assert first is not None and third is not None and second is None
    merged = shapely.from_wkb(first)
    assert merged.is_valid and merged.area == pytest.approx(180, abs=0.1)
    assert third[:5] == b"\x00\x00\x00\x00\x03", "big-endian, two dimensions"
