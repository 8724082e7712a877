"""Outlines worth writing, found many at a time: what one after another gives."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bridge.coords import Region, Window
from bridge.raster import LabelMask, vectorize
from scripts.loop import slide_outlines
from scripts.loop.slide_outlines import Outline, predictions_of, worth_writing
from scripts.options import PredictOptions

NAMES = ("Background", "A", "B")
MPP = (0.5, 0.5)
maps = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 2))


def one_after_another(found: list[Outline], bounds: Region, smallest: float) -> list[Outline]:
    """Do the plain thing: cut, measure and fill each outline by itself."""
    kept = []
    for label, outline in found:
        inside = outline.intersection(bounds.to_polygon()) if not bounds.to_polygon().covers(outline) else outline
        for part in shapely.get_parts(inside):
            if part.geom_type != "Polygon" or part.is_empty or part.area < smallest:
                continue
            holes = [ring for ring in part.interiors if shapely.Polygon(ring).area >= smallest]
            kept.append((label, shapely.Polygon(part.exterior, holes)))
    return kept


@settings(max_examples=50, deadline=None)
@given(maps, st.sampled_from([1.0, 2.0, 2.5]), st.integers(0, 2), st.floats(0, 40), st.integers(1, 5))
def test_many_at_a_time_give_what_one_after_another_gives(
    labels: np.ndarray, downsample: float, missing_px: int, smallest_px2: float, at_once: int
) -> None:
    height, width = labels.shape
    found = vectorize(LabelMask(labels, Window(0, 0, width, height, downsample), NAMES))
    # The last map pixel of each row reaches beyond the slide, or ends with it.
    sides = (
        max(math.floor((n - 1) * downsample) + 1, math.floor(n * downsample) - missing_px) for n in (width, height)
    )
    bounds = Region(0, 0, *sides)
    options = PredictOptions(min_area_um2=smallest_px2 * MPP[0] * MPP[1])
    with mock.patch.object(slide_outlines, "_AT_ONCE", at_once):
        ours = worth_writing(iter(found), bounds, downsample, MPP, options)
    plainly = one_after_another(found, bounds, smallest_px2)
    assert [label for label, _ in ours] == [label for label, _ in plainly]
    for (_, one), (_, other) in zip(ours, plainly, strict=True):
        assert one.equals_exact(other, 0) or (one.equals(other) and len(one.interiors) == len(other.interiors))


def test_nothing_gives_nothing() -> None:
    assert worth_writing([], Region(0, 0, 9, 9), 1.0, MPP, PredictOptions()) == []
    assert list(predictions_of([], NAMES, MPP, PredictOptions())) == []


def test_what_is_dropped_is_not_held_until_the_end() -> None:
    alive: list[weakref.ref[shapely.Polygon]] = []

    def specks() -> Iterator[Outline]:
        for i in range(40):
            speck = shapely.box(i, 0, i + 1, 1)
            alive.append(weakref.ref(speck))
            yield 1, speck
            del speck
            assert sum(one() is not None for one in alive) <= 2 * 8

    with mock.patch.object(slide_outlines, "_AT_ONCE", 8):
        assert worth_writing(specks(), Region(0, 0, 99, 9), 1.0, MPP, PredictOptions(min_area_um2=10)) == []
    assert len(alive) == 40


@pytest.mark.parametrize("label", [1, 2])
def test_a_prediction_has_the_class_of_its_label(label: int) -> None:
    (found,) = predictions_of([(label, shapely.box(0, 0, 9, 9))], NAMES, MPP, PredictOptions())
    assert found.path_class == NAMES[label]
