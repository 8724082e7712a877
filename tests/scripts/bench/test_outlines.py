from __future__ import annotations

import numpy as np
import pytest
import shapely

from bridge.annotations import Annotation
from scripts.bench.measuring import Scale
from scripts.bench.outlines import SIZES, _loss, map_with_nuclei, marching_squares, read_plainly, rows, write_plainly


def square_with_hole() -> np.ndarray:
    labels = np.zeros((6, 8), np.uint8)
    labels[1:5, 1:5] = 1
    labels[2:4, 2:4] = 0
    return labels


def test_marching_squares_know_of_no_holes() -> None:
    found = marching_squares(square_with_hole())
    assert [len(polygon.interiors) for polygon in found] == [0, 0]
    assert found[0].bounds == pytest.approx((1, 1, 5, 5))


def test_loss_tells_what_does_not_come_back() -> None:
    labels = square_with_hole()
    assert _loss([shapely.box(1, 1, 5, 5)], labels) == "1 polygons, 0 invalid, 0 holes, IoU 0.7500"
    crossed = shapely.Polygon([(1, 1), (5, 5), (5, 1), (1, 5)])
    assert "1 invalid" in _loss([crossed], labels)


def test_plain_geojson_comes_back() -> None:
    drawn = Annotation("a", shapely.box(0, 0, 3, 2), "Tumor")
    ((geometry, properties),) = read_plainly(write_plainly([drawn]))
    assert geometry.equals(drawn.geometry)
    assert properties == {"classification": {"name": "Tumor"}}


def test_nuclei_lie_inside_the_map() -> None:
    labels = map_with_nuclei(64, 40, np.random.default_rng(0))
    assert 0 < labels.mean() < 1
    assert not labels[0].any() and not labels[:, -1].any()


def test_every_row_of_the_smoke_run_has_a_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, Scale.SMOKE, type(SIZES[Scale.SMOKE])(96, 4, 64, 20, 30, 1, False))
    found = list(rows(Scale.SMOKE))
    assert len(found) == 4
    assert all(row.theirs is not None and row.ratio is not None for row in found)
