"""Simplifying, turning and moving what was read."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.annotations import Annotation, AnnotationSet, Shape
from bridge.annotations.transforms import Turn
from bridge.coords import Window
from bridge.errors import ConfigError
from bridge.raster import LabelMask, simplify_outlines, vectorize
from scripts.conversion.reading import Material, SlideFacts
from scripts.conversion.transforming import Transform, simplified


def material(labels: np.ndarray) -> Material:
    height, width = labels.shape
    found = vectorize(LabelMask(labels, Window(0, 0, width, height), ()))
    annotations = tuple(
        Annotation(f"M{i}", polygon, f"class {label}", Shape.GEOMETRY if polygon.interiors else Shape.POLYGON)
        for i, (label, polygon) in enumerate(found)
    )
    return Material(AnnotationSet(annotations), "seed", size=(width, height), mpp=(0.5, 0.5), downsample=1.0)


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 10_000), st.floats(0.1, 4))
def test_outlines_simplified_by_groups_neither_cross_nor_overlap(seed: int, tolerance_um: float) -> None:
    noise = np.random.default_rng(seed).random((40, 50))
    smooth = sum(np.roll(noise, (dy, dx), (0, 1)) for dy in range(-2, 3) for dx in range(-2, 3))
    labels = np.digitize(smooth, np.quantile(smooth, [0.6, 0.8, 0.9])).astype(np.uint8)
    given_material = material(labels)
    apart = [a.geometry for a in simplified(given_material, tolerance_um).found.annotations]
    assert len(apart) == len(given_material.found)
    assert shapely.is_valid(apart).all()
    assert shapely.coverage_is_valid(np.array(apart, dtype=object))


def test_nothing_is_simplified_to_nothing() -> None:
    empty = material(np.zeros((9, 9), np.uint8))
    assert simplified(empty, 1.0) is empty
    kept = simplified(material(np.eye(9, dtype=np.uint8)), 100.0)
    assert len(kept.found) == 9 and not any(a.geometry.is_empty for a in kept.found.annotations)


def test_a_hole_that_goes_makes_a_plain_polygon() -> None:
    labels = np.ones((90, 90), np.uint8)
    labels[40:42, 40:42] = 0
    before, after = material(labels), simplified(material(labels), 5.0)
    assert before.found.annotations[0].shape is Shape.GEOMETRY
    (one,) = after.found.annotations
    assert (one.shape is Shape.GEOMETRY) is bool(one.geometry.interiors)


def test_the_scale_turns_with_the_view_where_no_slide_says_it() -> None:
    given_material = Material(AnnotationSet(), "seed", size=(300, 700), mpp=(0.5, 0.25), downsample=1.0)
    turned = Transform(Turn.ROTATE_90).apply(given_material, None)
    assert (turned.size, turned.mpp) == ((700, 300), (0.25, 0.5))
    slide = SlideFacts("a", (700, 300), (0.5, 0.25))
    on_slide = Transform(Turn.ROTATE_90).apply(given_material.with_slide(slide), slide)
    assert (on_slide.size, on_slide.mpp) == ((700, 300), (0.5, 0.25))


def test_what_is_not_asked_for_is_not_done() -> None:
    given_material = material(np.eye(9, dtype=np.uint8))
    assert Transform().apply(given_material, None) is given_material
    with pytest.raises(ConfigError, match="--slide"):
        Transform(Turn.FLIP_X).apply(Material(AnnotationSet(), "seed"), None)


def test_what_stands_apart_is_simplified_as_it_would_be_with_the_others() -> None:
    y, x = np.mgrid[:120, :240]
    labels = ((x % 120 - 60) ** 2 + (y - 60) ** 2 < 50**2).astype(np.uint8)
    labels[:, 60:] *= 2
    given_material = material(labels)
    outlines = [(1, a.geometry) for a in given_material.found.annotations]
    together = simplify_outlines(outlines, tolerance_px=4)
    apart = simplified(given_material, 2.0).found.annotations
    assert len(apart) == 3
    assert all(a.geometry.equals(polygon) for a, (_, polygon) in zip(apart, together, strict=True))
