from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import polygon2mask
from skimage.measure import label as connected
from skimage.measure import regionprops

from models.metrics import FrocOptions, SlideDetections, detect, find_lesions, froc
from models.metrics.froc import major_axis

RATES = (0.25, 0.5, 1, 2, 4, 8)
scores = st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.7, 0.9]), max_size=6)


def by_the_definition(slides: Sequence[SlideDetections], rates: Sequence[float]) -> list[float]:
    """Return sensitivities at rates: at every threshold count, then go along the curve from threshold to threshold."""
    lesions = sum(slide.lesions for slide in slides)
    corners = [(0.0, 0.0)]
    for threshold in sorted({s for slide in slides for s in (*slide.hits, *slide.false_positives)}, reverse=True):
        false = sum(s >= threshold for slide in slides for s in slide.false_positives) / len(slides)
        corners.append((false, sum(s >= threshold for slide in slides for s in slide.hits) / lesions))
    found_at = []
    for rate in rates:
        before = [corner for corner in corners if corner[0] <= rate][-1]
        after = next((corner for corner in corners if corner[0] > rate), None)
        part = (rate - before[0]) / (after[0] - before[0]) if after else 0.0
        found_at.append(before[1] + part * ((after or before)[1] - before[1]))
    return found_at


@given(st.lists(st.tuples(scores, scores, st.integers(0, 3)), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_curve_is_that_of_the_definition(drawn: list[tuple[list[float], list[float], int]]) -> None:
    slides = [SlideDetections(len(hits) + missed, tuple(hits), tuple(false)) for hits, false, missed in drawn]
    if not any(slide.lesions for slide in slides):
        with pytest.raises(ValueError, match="needs lesions"):
            froc(slides)
        return
    curve = froc(slides)
    assert curve.at_rates == pytest.approx(by_the_definition(slides, RATES))
    assert curve.score == pytest.approx(np.mean(by_the_definition(slides, RATES)))
    assert all(np.diff(curve.false_positives) >= 0)
    assert all(np.diff(curve.sensitivities) >= 0)


def test_by_hand() -> None:
    # Two slides, four lesions. Thresholds: .9 finds 1 at no false positive, .8 the second at half a one per slide,
    # .6 nothing but two more false positives (1.5 per slide), .4 the third.
    slides = [SlideDetections(3, (0.9, 0.4), (0.8, 0.6)), SlideDetections(1, (0.8,), (0.6,))]
    curve = froc(slides)
    assert curve.false_positives == (0, 0, 0.5, 1.5, 1.5)
    assert curve.sensitivities == (0, 0.25, 0.5, 0.5, 0.75)
    assert curve.at_rates == pytest.approx([0.375, 0.5, 0.5, 0.75, 0.75, 0.75])
    assert (curve.slides, curve.lesions) == (2, 4)


def test_what_is_found_after_a_false_positive_is_not_found_before_it() -> None:
    # As the challenge's np.interp over all thresholds: one lesion, then a false positive, then nine lesions.
    curve = froc([SlideDetections(10, (0.9, *[0.7] * 9), (0.8,))])
    assert curve.at_rates == pytest.approx([0.1, 0.1, 1, 1, 1, 1])


def test_slides_without_lesions_count_among_the_slides() -> None:
    sick, healthy = SlideDetections(1, (0.5,)), SlideDetections(0, (), (0.9, 0.8))
    assert froc([sick, healthy]).false_positives == (0, 0.5, 1, 1)
    assert froc([sick]).score == 1


def test_a_lesion_is_hit_once_by_its_surest_detection() -> None:
    lesions = find_lesions([shapely.box(0, 0, 400, 400), shapely.box(1000, 0, 1400, 400)], 1.0)
    found = detect(lesions, [(10, 10), (200, 200), (1200, 50), (700, 700)], [0.3, 0.8, 0.5, 0.9])
    assert found == SlideDetections(2, (0.8, 0.5), (0.9,))


def test_beside_a_lesion_is_in_it_up_to_half_the_growth() -> None:
    lesions = find_lesions([shapely.box(0, 0, 400, 400)], 1.0)
    assert detect(lesions, [(-37, 200)], [0.5]).hits == (0.5,)
    assert detect(lesions, [(-38, 200)], [0.5]).false_positives == (0.5,)


def test_isolated_tumour_cells_are_neither_hit_nor_false_positive() -> None:
    lesions = find_lesions([shapely.Point(0, 0).buffer(99), shapely.Point(1000, 0).buffer(101)], 1.0)
    assert sorted(lesions.counts) == [False, True]  # 198 and 202 µm across, 75 more when grown
    assert detect(lesions, [(0, 0), (1000, 0)], [0.9, 0.8]) == SlideDetections(1, (0.8,))


def test_resolution_counts() -> None:
    disc = shapely.Point(0, 0).buffer(101)
    assert find_lesions([disc], 1.0).counts == (True,)
    assert find_lesions([disc], 0.5).counts == (False,), "at half a micrometre per pixel it is half as large"


def test_neighbours_nearer_than_the_growth_are_one_lesion_and_holes_are_filled() -> None:
    ring = shapely.Point(0, 0).buffer(400).difference(shapely.Point(0, 0).buffer(300))
    near, far = shapely.box(470, -50, 700, 50), shapely.box(900, -50, 1200, 50)
    inside = shapely.Point(0, 0).buffer(20)
    lesions = find_lesions([ring, near, far, inside], 1.0)
    assert len(lesions.areas) == 2
    assert detect(lesions, [(150, 0)], [1.0]).hits == (1.0,), "in the ring's hole, beside what lies there"


def test_no_outlines_are_no_lesions() -> None:
    assert find_lesions([], 0.5).areas == ()
    assert detect(find_lesions([], 0.5), [(1, 1)], [0.4]) == SlideDetections(0, (), (0.4,))
    assert detect(find_lesions([shapely.box(0, 0, 999, 999)], 0.5), [], []) == SlideDetections(1)


def test_scores_without_places_are_refused() -> None:
    with pytest.raises(ValueError, match="1 places and 2 scores"):
        detect(find_lesions([], 1.0), [(0, 0)], [0.1, 0.2])


def test_lesions_are_those_of_the_challenges_raster_rule() -> None:
    # The challenge grows a mask by a distance transform, fills it, labels it and measures it with regionprops.
    generator, um_per_px, side = np.random.default_rng(6), 4.0, 500
    centres = generator.uniform(50, side - 50, (12, 2))
    discs = [shapely.Point(*c).buffer(r, 6) for c, r in zip(centres, generator.uniform(8, 40, 12), strict=True)]
    outlines = [shapely.affinity.scale(disc, 1.0, ratio) for disc, ratio in zip(discs, [1.0, 0.4] * 6, strict=True)]
    mask = np.zeros((side, side), bool)
    for shape in outlines:
        mask |= polygon2mask((side, side), np.array(shape.exterior.coords)[:, ::-1] - 0.5)
    grown = ndimage.binary_fill_holes(ndimage.distance_transform_edt(~mask) < 75 / um_per_px / 2)
    found = regionprops(connected(grown, connectivity=2))
    lesions = find_lesions(outlines, um_per_px)
    assert len(lesions.areas) == len(found) > 3
    ours = sorted((area.centroid.x, area.centroid.y, major_axis(area)) for area in lesions.areas)
    theirs = sorted((r.centroid[1] + 0.5, r.centroid[0] + 0.5, r.axis_major_length) for r in found)
    np.testing.assert_allclose(ours, theirs, atol=1.5)
    assert sum(lesions.counts) == sum(r.axis_major_length * um_per_px >= 275 for r in found)
    assert 0 < sum(lesions.counts) < len(found), "some of each kind, else this shows nothing"


@pytest.mark.parametrize("angle", [0, 30, 77])
def test_the_major_axis_is_that_of_the_ellipse(angle: float) -> None:
    ellipse = shapely.affinity.scale(shapely.Point(0, 0).buffer(1, 200), 50, 20)
    moved = shapely.affinity.translate(shapely.affinity.rotate(ellipse, angle), 1e6, -3e6)
    assert major_axis(moved) == pytest.approx(100, rel=1e-3)
    assert major_axis(shapely.box(0, 0, 30, 10)) == pytest.approx(4 * np.sqrt(30**2 / 12))


def test_other_numbers_than_the_challenges() -> None:
    options = FrocOptions(grown_um=0, least_um=10, rates=(1.0,))
    lesions = find_lesions(
        [shapely.box(0, 0, 40, 40), shapely.box(41, 0, 80, 40), shapely.box(90, 0, 92, 2)], 1, options
    )
    assert lesions.counts.count(True) == 2
    assert froc([detect(lesions, [(1, 1), (200, 0)], [0.5, 0.9])], options).at_rates == (0.5,)
