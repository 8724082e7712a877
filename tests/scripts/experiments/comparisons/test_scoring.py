import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Window
from bridge.raster import LabelMask
from scripts.experiments.comparisons.scoring import ObjectCounts, count_objects, objects_of

TRUTH = [shapely.box(0, 0, 10, 10), shapely.box(20, 0, 30, 10), shapely.box(40, 0, 50, 10)]


def test_objects_are_found_missed_and_false() -> None:
    predicted = [shapely.box(1, 0, 11, 10), shapely.box(26, 0, 36, 10), shapely.box(70, 70, 80, 80)]

    counts = count_objects(predicted, TRUTH)

    assert counts == ObjectCounts(found=1, false_positives=2, missed=2)
    assert counts.f1 == pytest.approx(2 / 6)


def test_half_of_an_object_is_just_enough() -> None:
    assert count_objects([shapely.box(0, 0, 10, 5)], TRUTH[:1]).found == 1
    assert count_objects([shapely.box(0, 0, 10, 4.9)], TRUTH[:1]).found == 0


def test_pieces_of_one_object_find_it_once_at_most() -> None:
    pieces = [shapely.box(0, 0, 10, 6), shapely.box(0, 6, 10, 10)]

    assert count_objects(pieces, TRUTH[:1]) == ObjectCounts(found=1, false_positives=1, missed=0)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.booleans(), max_size=3), st.integers(0, 4))
def test_every_object_is_counted_once(hits: list[bool], strays: int) -> None:
    predicted = [TRUTH[i] for i, hit in enumerate(hits) if hit]
    predicted += [shapely.box(100 * i, 500, 100 * i + 9, 509) for i in range(strays)]

    counts = count_objects(predicted, TRUTH)

    assert counts.found + counts.missed == len(TRUTH)
    assert counts.found + counts.false_positives == len(predicted)
    assert counts.found == sum(hits)


def test_nothing_anywhere_has_no_f1() -> None:
    assert np.isnan(count_objects([], []).f1)
    assert count_objects([], TRUTH).f1 == 0


def test_objects_lie_at_level_0_without_holes_and_specks() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[2:10, 2:10] = 1
    labels[5:7, 5:7] = 0  # a hole
    labels[15, 15] = 1  # a speck of 4 px² at level 0
    labels[2:10, 20:28] = 2  # another class
    bands = [LabelMask(labels[:8], Window(0, 0, 30, 8, 2.0), ("Background", "a", "b"))]
    bands.append(LabelMask(labels[8:], Window(0, 8, 30, 12, 2.0), ("Background", "a", "b")))

    outlines = objects_of(bands, 1, least_px2=5)

    assert len(outlines) == 1
    assert outlines[0].equals(shapely.box(4, 4, 20, 20))
