from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage
from shapely.geometry import Polygon

from bridge.coords import Window
from bridge.raster import LabelMask, ShapeIndex, vectorize, vectorize_bands

NAMES = ("Background", "A", "B")
DOWNSAMPLES = (1.0, 1.1, 2.0, 3.7, 4.0, 16.0)

label_arrays = hnp.arrays(
    np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.sampled_from([0, 1, 2, 255])
)
origins = st.sampled_from([(0, 0), (-5, -9), (123_457, 98_765)])


def mask_of(labels: NDArray[np.uint8], origin: tuple[int, int] = (0, 0), downsample: float = 1.0) -> LabelMask:
    height, width = labels.shape
    return LabelMask(labels, Window(*origin, width, height, downsample), NAMES)


def burnt(polygons: Iterable[tuple[int, Polygon]], window: Window) -> NDArray[np.uint8]:
    return ShapeIndex([(p, label) for label, p in polygons], window.downsample).burn(window)


def canonical(polygons: Iterable[tuple[int, Polygon]]) -> list[tuple[int, bytes]]:
    return sorted((label, shapely.to_wkb(shapely.normalize(p))) for label, p in polygons)


def cut(mask: LabelMask, heights: Iterable[int]) -> Iterator[LabelMask]:
    window, y = mask.window, mask.window.y
    for height in heights:
        if y < window.bottom:
            height = min(height, window.bottom - y)
            part = Window(window.x, y, window.width, height, window.downsample)
            yield LabelMask(mask.labels[window.slices(part)], part, mask.names)
            y += height


@settings(max_examples=120, deadline=None)
@given(label_arrays, origins, st.sampled_from(DOWNSAMPLES))
def test_burning_the_outlines_gives_the_mask_back(
    labels: NDArray[np.uint8], origin: tuple[int, int], downsample: float
) -> None:
    mask = mask_of(labels, origin, downsample)
    assert np.array_equal(burnt(vectorize(mask), mask.window), np.where(labels == 255, 0, labels))


@settings(max_examples=80, deadline=None)
@given(label_arrays, st.sampled_from(DOWNSAMPLES))
def test_outlines_are_valid_and_one_per_connected_area(labels: NDArray[np.uint8], downsample: float) -> None:
    polygons = vectorize(mask_of(labels, (7, -3), downsample), skip=())
    assert all(p.is_valid and p.geom_type == "Polygon" for _, p in polygons)
    for label in (0, 1, 2, 255):
        assert sum(found == label for found, _ in polygons) == ndimage.label(labels == label)[1]
    area = sum(p.area for _, p in polygons)
    assert area == pytest.approx(labels.size * downsample**2)


@settings(max_examples=120, deadline=None)
@given(label_arrays, origins, st.sampled_from(DOWNSAMPLES), st.lists(st.integers(1, 5), min_size=14, max_size=14))
def test_bands_give_the_same_outlines_as_the_whole(
    labels: NDArray[np.uint8], origin: tuple[int, int], downsample: float, heights: list[int]
) -> None:
    mask = mask_of(labels, origin, downsample)
    assert canonical(vectorize_bands(cut(mask, heights), skip=())) == canonical(vectorize(mask, skip=()))


def test_outlines_have_corners_only() -> None:
    comb = np.ones((6, 9), np.uint8)
    comb[:5, 1::2] = 0
    for polygons in (vectorize(mask_of(comb)), list(vectorize_bands(cut(mask_of(comb), [2, 1, 3])))):
        (_, outline), *others = polygons
        assert not others
        assert len(outline.exterior.coords) - 1 == 4 * 5


def test_polygons_are_yielded_as_soon_as_no_band_can_change_them() -> None:
    labels = np.zeros((9, 4), np.uint8)
    labels[0:2, 0] = 1  # ends with the first band
    labels[2:5, 2] = 1  # goes on into the second band
    labels[8, :] = 2
    taken: list[int] = []

    def bands() -> Iterator[LabelMask]:
        for number, band in enumerate(cut(mask_of(labels), [3, 3, 3])):
            taken.append(number)
            yield band

    seen = [(label, max(taken)) for label, _ in vectorize_bands(bands())]
    assert seen == [(1, 0), (1, 1), (2, 2)]


def test_diagonal_neighbours_are_two_polygons() -> None:
    assert len(vectorize(mask_of(np.eye(2, dtype=np.uint8)))) == 2


def test_seam_joins_equal_labels_only() -> None:
    labels = np.array([[1, 1, 2], [2, 1, 2]], np.uint8)
    polygons = list(vectorize_bands(cut(mask_of(labels), [1, 1])))
    assert sorted((label, p.area) for label, p in polygons) == [(1, 3.0), (2, 1.0), (2, 2.0)]


def test_skipped_labels_get_no_polygons() -> None:
    labels = np.array([[0, 1, 255, 2]], np.uint8)
    assert [label for label, _ in vectorize(mask_of(labels))] == [1, 2]
    assert [label for label, _ in vectorize(mask_of(labels), skip=(1,))] == [0, 255, 2]


def test_nothing_gives_nothing() -> None:
    assert vectorize(mask_of(np.zeros((3, 3), np.uint8))) == []
    assert list(vectorize_bands([])) == []


@pytest.mark.parametrize(
    "second", [Window(0, 3, 4, 2), Window(0, 2, 5, 2), Window(1, 2, 4, 2), Window(0, 2, 4, 2, 2.0)]
)
def test_band_that_does_not_continue_is_refused(second: Window) -> None:
    bands = [LabelMask(np.ones(w.shape, np.uint8), w, NAMES) for w in (Window(0, 0, 4, 2), second)]
    with pytest.raises(ValueError, match="continue"):
        list(vectorize_bands(bands))
