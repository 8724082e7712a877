"""The adaptive method, written a second time, slowly: the paper's text (section 2.2) and our stated fallbacks.

Nothing here is shared with the implementation: whole maps instead of crops, every box tried, percentiles in fractions,
components by flooding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.active import MapBox, SelectionMethod, SelectionOptions, SizeRule, select_regions

Map = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Pixel = tuple[int, int]


@dataclass
class Reference:
    """The state of one selection."""

    important: Map
    tissue: Mask
    taken: Mask
    options: SelectionOptions

    def select(self) -> list[MapBox]:
        boxes: list[MapBox] = []
        for values in (
            median_of_nine(self.important),
            self.important,
        ):  # thin areas, which the median removes, come last
            while len(boxes) < self.options.k:
                left = np.where(self.taken, 0, values)
                peak = self.peak(left)
                if peak is None:
                    break
                boxes.append(self.box_around(left, peak))
                self.taken[crop(boxes[-1])] = True
        return boxes

    def peak(self, left: Map) -> Pixel | None:
        held = np.zeros(left.shape, bool)
        for box in self.small_boxes():
            held[crop(box)] = True
        best = (left * held).max()
        return None if best == 0 else next(p for p in np.ndindex(left.shape) if held[p] and left[p] == best)

    def box_around(self, left: Map, peak: Pixel) -> MapBox:
        box = self.free_part(self.wanted(left, peak), peak)
        if self.is_small(box) or not self.has_tissue(box):
            holding = [small for small in self.small_boxes() if holds(small, peak)]
            return max(holding, key=lambda small: self.important[crop(small)].sum())  # the first of equal ones
        return box

    def wanted(self, left: Map, peak: Pixel) -> MapBox:
        low, high = map(Fraction, self.options.percentiles)
        small = None
        for _ in range(self.options.rounds):
            tau = (low + high) / 2
            box = bounding_box(component(left, peak, percentile(left, tau)))
            if self.is_large(box):
                low = tau
            elif self.is_small(box):
                small, high = box, tau
            else:
                return box
        if small is None:  # the last resort is the smallest area there is
            small = bounding_box(component(left, peak, percentile(left, Fraction(self.options.percentiles[1]))))
        if self.is_small(small):
            small = self.placed(small, max(small.width, self.least[0]), max(small.height, self.least[1]))
        height, width = left.shape
        side = self.options.size
        around = self.placed(MapBox(peak[1], peak[0], 1, 1), min(side, width), min(side, height))
        return around if self.is_large(small) else small

    @property
    def least(self) -> tuple[int, int]:
        height, width = self.tissue.shape
        half = math.ceil(self.options.size / 2)
        return min(half, width), min(half, height)

    def small_boxes(self) -> Iterator[MapBox]:
        """Yield l/2 × l/2 everywhere: free and with enough tissue."""
        height, width = self.tissue.shape
        for y in range(height - self.least[1] + 1):
            for x in range(width - self.least[0] + 1):
                box = MapBox(x, y, *self.least)
                if not self.taken[crop(box)].any() and self.has_tissue(box):
                    yield box

    def free_part(self, box: MapBox, peak: Pixel) -> MapBox:
        y, x = peak
        parts = [
            MapBox(left, y - up, right - left, up + down + 1)
            for up in range(y - box.y + 1)
            for down in range(box.y + box.height - y)
            for left in range(box.x, x + 1)
            for right in range(x + 1, box.x + box.width + 1)
        ]
        free = [part for part in parts if not self.taken[crop(part)].any()]
        return max(free, key=lambda part: part.width * part.height)

    def placed(self, box: MapBox, width: int, height: int) -> MapBox:
        """Return a box of a size about a box's centre (half a pixel up and left of it), moved onto the map."""
        rows, columns = self.tissue.shape
        x, y = box.x - (width - box.width) // 2, box.y - (height - box.height) // 2
        return MapBox(max(0, min(x, columns - width)), max(0, min(y, rows - height)), width, height)

    def has_tissue(self, box: MapBox) -> bool:
        return bool(self.tissue[crop(box)].mean() >= self.options.min_tissue - 1e-9)

    def is_large(self, box: MapBox) -> bool:
        most = Fraction(3 * self.options.size, 2)
        if self.options.size_rule is SizeRule.SIDE:
            return box.width > most or box.height > most
        return box.width * box.height > most**2

    def is_small(self, box: MapBox) -> bool:
        """Say whether a box is below l/2 × l/2, or, on a map smaller than that, below the map."""
        if self.options.size_rule is SizeRule.SIDE:
            return box.width < self.least[0] or box.height < self.least[1]
        return box.width * box.height < min(Fraction(self.options.size, 2) ** 2, self.least[0] * self.least[1])


def crop(box: MapBox) -> tuple[slice, slice]:
    return np.s_[box.y : box.y + box.height, box.x : box.x + box.width]


def holds(box: MapBox, pixel: Pixel) -> bool:
    return box.y <= pixel[0] < box.y + box.height and box.x <= pixel[1] < box.x + box.width


def median_of_nine(values: Map) -> Map:
    height, width = values.shape
    out = np.empty_like(values)
    for y, x in np.ndindex(values.shape):
        rows = [min(max(row, 0), height - 1) for row in (y - 1, y, y + 1)]
        columns = [min(max(column, 0), width - 1) for column in (x - 1, x, x + 1)]
        out[y, x] = sorted(values[row, column] for row in rows for column in columns)[4]
    return out


def percentile(values: Map, tau: Fraction) -> Fraction:
    """Return a percentile of all pixels, zeros included, linear between ranks."""
    ranked = [Fraction(value) for value in sorted(values.ravel().tolist())]
    place = (len(ranked) - 1) * tau / 100
    before = math.floor(place)
    after = min(before + 1, len(ranked) - 1)
    return ranked[before] + (ranked[after] - ranked[before]) * (place - before)


def component(values: Map, peak: Pixel, threshold: Fraction) -> set[Pixel]:
    """Flood from the peak over non-zero pixels that reach the threshold, or the peak where that is lower."""
    threshold = min(threshold, Fraction(float(values[peak])))
    found, ahead = {peak}, [peak]
    while ahead:
        y, x = ahead.pop()
        for pixel in [(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]:
            is_inside = 0 <= pixel[0] < values.shape[0] and 0 <= pixel[1] < values.shape[1]
            if is_inside and pixel not in found and values[pixel] > 0 and Fraction(float(values[pixel])) >= threshold:
                found.add(pixel)
                ahead.append(pixel)
    return found


def bounding_box(pixels: set[Pixel]) -> MapBox:
    rows, columns = zip(*pixels, strict=True)
    return MapBox(min(columns), min(rows), max(columns) - min(columns) + 1, max(rows) - min(rows) + 1)


def terraces(generator: np.random.Generator, shape: tuple[int, int], hills: int) -> Map:
    """Hills of any height and width in steps of a sixteenth: areas nest, from percentile to percentile."""
    rows, columns = np.indices(shape)
    values = np.zeros(shape)
    for _ in range(hills):
        y, x, radius, top = generator.uniform([0, 0, 2, 0.4], [*shape, 12, 1])
        values = np.maximum(values, top * (1 - np.hypot(rows - y, columns - x) / radius))
    return np.round(values * 16) / 16


def blots(generator: np.random.Generator, shape: tuple[int, int], count: int) -> Map:
    """Rectangles of few heights on specks: ties, thin areas and exact sizes are common."""
    values = np.asarray(generator.choice([0, 0, 0, 0.125, 0.25], shape))
    for _ in range(count):
        y, x, height, width = generator.integers([0, 0, 1, 1], [*shape, 10, 10])
        values[y : y + height, x : x + width] = generator.integers(1, 9) / 8
    return values


@st.composite
def selections(draw: st.DrawFn) -> tuple[Reference, list[tuple[int, int, int, int]]]:
    """Maps with boxes of any size taken, a pixel or two apart."""
    shape = draw(st.tuples(st.integers(1, 18), st.integers(1, 18)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    important = draw(st.sampled_from([terraces, blots]))(generator, shape, draw(st.integers(0, 5)))
    tissue = np.ones(shape, bool) if draw(st.booleans()) else generator.random(shape) < generator.uniform(0, 1)
    taken = [(x, y, w, h) for x, y, w, h in generator.integers([-3, -3, 1, 1], [18, 18, 9, 9], (6, 4)).tolist()]
    taken = taken[: draw(st.integers(0, 6))]
    is_taken = np.zeros(shape, bool)
    for x, y, width, height in taken:
        is_taken[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = True
    options = SelectionOptions(
        SelectionMethod.ADAPTIVE,
        k=draw(st.integers(1, 5)),
        size=draw(st.integers(1, 10)),
        min_tissue=draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])),
        percentiles=draw(st.sampled_from([(98.0, 100.0), (60.0, 100.0), (0.0, 90.0), (25.0, 99.5)])),
        rounds=draw(st.sampled_from([1, 2, 3, 10])),
        size_rule=draw(st.sampled_from(list(SizeRule))),
    )
    return Reference(np.where(tissue, important, 0), tissue, is_taken, options), taken


@given(selections())
@settings(deadline=None, max_examples=250)
def test_adaptive_is_the_reference(selection: tuple[Reference, list[tuple[int, int, int, int]]]) -> None:
    reference, taken = selection
    found = select_regions(reference.important, reference.tissue, taken, reference.options, np.random.default_rng(0))
    boxes = [scored.box for scored in found.boxes]
    assert boxes == reference.select()
    assert (found.reason is None) == (len(boxes) == reference.options.k)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", list(SizeRule))
def test_adaptive_is_the_reference_on_a_map_of_many_areas(rule: SizeRule, seed: int) -> None:
    generator = np.random.default_rng(seed)
    shape = (44, 52)
    important = np.maximum(terraces(generator, shape, 9), np.round(generator.random(shape) * 6) / 64)
    taken = [(5, 5, 9, 4), (30, 20, 6, 13), (12, 3, 9, 9), (30, 34, 6, 9)]
    is_taken = np.zeros(shape, bool)
    for x, y, width, height in taken:
        is_taken[y : y + height, x : x + width] = True
    options = SelectionOptions(SelectionMethod.ADAPTIVE, k=5, size=8, percentiles=(90.0, 100.0), size_rule=rule)
    tissue = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) > 9
    found = select_regions(important, tissue, taken, options, np.random.default_rng(0))
    reference = Reference(np.where(tissue, important, 0), tissue, is_taken, options)
    assert [scored.box for scored in found.boxes] == reference.select()


def test_peak_below_a_pixel_that_no_box_can_hold_keeps_its_own_area() -> None:
    """A gap of one pixel between taken boxes is the highest; the threshold then lies above the peak that is left."""
    important = np.zeros((20, 30))
    important[:, 5] = 1.0
    important[8:14, 15:21] = 0.5
    taken = [(0, 0, 5, 20), (6, 0, 5, 20)]
    options = SelectionOptions(SelectionMethod.ADAPTIVE, k=1, size=6)
    found = select_regions(important, np.ones((20, 30), bool), taken, options, np.random.default_rng(0))
    assert [scored.box for scored in found.boxes] == [(15, 8, 6, 6)]
