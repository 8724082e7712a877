from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely

from bridge.annotations import LabelledShape, LabelPlan, Part
from bridge.coords import Window
from bridge.raster import PlanRaster
from models.data import TrainingSlide, index_slide

ALL = Window(0, 0, 192, 128)


def labels_at(ground: Any, plan: LabelPlan, positions: np.ndarray, part: Part = Part.TRAINING) -> set[int]:
    labels = PlanRaster(plan, ground.scheme, 1.0, part).burn(ALL).labels
    return set(labels[positions[:, 1], positions[:, 0]].tolist())


def test_positions_carry_their_label(ground: Any) -> None:
    plan = ground.plan()
    index = index_slide(TrainingSlide(ground.slide, plan), ground.scheme, 0.5, index_px=2)
    assert set(index.positions) == {0, 1, 2}
    for label, positions in index.positions.items():
        # the centre of a coarse pixel is a corner of fine ones, so that a border may be one off
        assert label in labels_at(ground, plan, positions)
        assert len(positions) > 100


def test_counts_are_about_the_labelled_pixels(ground: Any) -> None:
    plan = ground.plan()
    labels = PlanRaster(plan, ground.scheme, 1.0, Part.TRAINING).burn(ALL).labels
    index = index_slide(TrainingSlide(ground.slide, plan), ground.scheme, 0.5)
    for label, count in index.pixel_counts.items():
        assert count == pytest.approx((labels == label).sum(), rel=0.15)


def test_held_out_areas_are_not_trained_on_and_the_other_way_round(ground: Any) -> None:
    slide = TrainingSlide(ground.slide, ground.plan(hold_out=True))
    training = index_slide(slide, ground.scheme, 0.5)
    judging = index_slide(slide, ground.scheme, 0.5, Part.HOLD_OUT)
    assert max(p[:, 0].max() for p in training.positions.values()) < 128
    assert min(p[:, 0].min() for p in judging.positions.values()) >= 128


def test_a_class_too_thin_for_the_coarse_raster_is_found(ground: Any) -> None:
    line = LabelledShape(shapely.box(10.6, 20, 11.6, 60), 2)
    discs = tuple(disc for disc in ground.discs if disc.label == 1 and disc.geometry.bounds[2] < 128)
    plan = replace(ground.plan(), shapes=(*discs, line))
    index = index_slide(TrainingSlide(ground.slide, plan), ground.scheme, 0.5, index_px=8)
    assert labels_at(ground, plan, index.positions[2]) == {2}
    assert index.pixel_counts[2] == 40


def test_what_is_new_lies_in_the_emphasized_area(ground: Any) -> None:
    plan = ground.plan(emphasis=(shapely.box(0, 0, 32, 32),))
    index = index_slide(TrainingSlide(ground.slide, plan), ground.scheme, 0.5)
    assert set(index.fresh) == {0, 1}
    assert all(points.max() < 32 for points in index.fresh.values())
    assert max(points.max() for points in index.positions.values()) > 100


def test_what_is_drawn_beyond_the_slide_gives_no_position(ground: Any) -> None:
    plan = LabelPlan("one", complete=(shapely.box(-50, -50, 20, 20), shapely.box(180, 100, 400, 400)))
    index = index_slide(TrainingSlide(ground.slide, plan), ground.scheme, 0.5)
    points = index.positions[0]
    assert points.min() >= 0
    assert points[:, 0].max() < 192
    assert points[:, 1].max() < 128


def test_nothing_labelled_gives_no_positions(ground: Any) -> None:
    index = index_slide(TrainingSlide(ground.slide, LabelPlan("one")), ground.scheme, 0.5)
    assert index.positions == {}
    assert index.areas.shape == (0, 4)
