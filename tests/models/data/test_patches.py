from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part, PatchLabel
from bridge.coords import Region, Window
from bridge.errors import UnknownPathClassError
from bridge.raster import PlanRaster
from bridge.slides import TissueMask, open_slide
from models.data import PatchOptions, SamplingOptions, SlideIndex, TileDataset, TrainingSlide, TreeSampler
from models.data import index_patches as find_patches

SCHEME = ClassScheme({"Tumor": (255, 0, 0), "Stroma": (0, 0, 255)})
WIDTH, HEIGHT = 128, 96
SIDE_BY_SIDE = PatchOptions(patch_px=32, stride_px=32)
FINE = PatchOptions(patch_px=32, stride_px=8)
ALL = shapely.box(0, 0, WIDTH, HEIGHT)
EVERYWHERE = TissueMask(np.ones((HEIGHT, WIDTH), bool), Window(0, 0, WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path = tmp_path_factory.mktemp("slides") / "flat.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), (200, 120, 180), np.uint8)).save(path)
    with open_slide(path, mpp=(1.0, 1.0)) as opened:
        yield opened


def index_patches(
    slide: Any,
    plan: LabelPlan,
    options: PatchOptions = SIDE_BY_SIDE,
    part: Part = Part.TRAINING,
    tissue: TissueMask = EVERYWHERE,
) -> SlideIndex:
    return find_patches(TrainingSlide(slide, plan), SCHEME, 1.0, options, part, tissue=tissue)


def labels_at(index: SlideIndex, patch_px: int = 32) -> dict[tuple[int, int], int]:
    """Return the label of each patch by where it starts."""
    half = patch_px // 2
    return {(x - half, y - half): k for k, points in index.positions.items() for x, y in points.tolist()}


def tumor(*bounds: float) -> LabelledShape:
    return LabelledShape(shapely.box(*bounds), 1)


@pytest.mark.parametrize(
    ("shape", "label"),
    [
        ((0, 0, 16, 16), None),  # exactly 25 %
        ((0, 0, 16, 17), 1),
        ((0, 0, 1, 1), None),  # a single pixel
        ((40, 40, 41, 41), 0),  # in another patch
        ((0, 0, 32, 32), 1),
    ],
)
def test_a_quarter_of_tumor_is_too_little_and_one_pixel_too_much(
    slide: Any, shape: tuple[int, ...], label: int | None
) -> None:
    index = index_patches(slide, LabelPlan("one", (tumor(*shape),), (ALL,)))
    assert labels_at(index).get((0, 0)) == label


@pytest.mark.parametrize(("height", "is_kept"), [(7, False), (8, False), (9, True), (32, True)])
def test_a_quarter_of_tissue_is_too_little(slide: Any, height: int, is_kept: bool) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:height] = True
    tissue = TissueMask(mask, Window(0, 0, WIDTH, HEIGHT))
    index = index_patches(slide, LabelPlan("one", (), (ALL,)), tissue=tissue)
    assert ((0, 0) in labels_at(index)) == is_kept
    assert (0, 32) not in labels_at(index)


@pytest.mark.parametrize(("width", "is_background"), [(24, True), (23, False)])
def test_background_must_be_labelled_so_far_that_the_rest_could_not_be_a_class(
    slide: Any, width: int, is_background: bool
) -> None:
    index = index_patches(slide, LabelPlan("one", (), (shapely.box(0, 0, width, 32),)))
    assert labels_at(index) == ({(0, 0): 0} if is_background else {})


def test_a_class_needs_no_more_labelled_than_its_share(slide: Any) -> None:
    index = index_patches(slide, LabelPlan("one", (tumor(0, 0, 32, 9),)))
    assert labels_at(index) == {(0, 0): 1}


def test_of_several_classes_the_largest_share_counts(slide: Any) -> None:
    shapes = (tumor(0, 0, 32, 10), LabelledShape(shapely.box(0, 10, 32, 22), 2))
    assert labels_at(index_patches(slide, LabelPlan("one", shapes, (ALL,))))[0, 0] == 2
    # Together 47 %, neither of them more than a quarter: no class, and no background either.
    shapes = (tumor(0, 0, 32, 7), LabelledShape(shapely.box(0, 10, 32, 18), 2))
    assert (0, 0) not in labels_at(index_patches(slide, LabelPlan("one", shapes, (ALL,))))


@given(x=st.integers(0, WIDTH - 32), y=st.integers(0, HEIGHT - 32))
@settings(max_examples=30, deadline=None)
def test_an_roi_as_large_as_a_patch_holds_one_wherever_it_lies(slide: Any, x: int, y: int) -> None:
    index = index_patches(slide, LabelPlan("one", (), (shapely.box(x, y, x + 32, y + 32),)), FINE)
    assert set(index.positions) == {0}


def test_ignored_pixels_are_no_background(slide: Any) -> None:
    plan = LabelPlan("one", (), (ALL,), ignore=(shapely.box(0, 0, 32, 9),))
    assert (0, 0) not in labels_at(index_patches(slide, plan))
    plan = replace(plan, ignore=(shapely.box(0, 0, 32, 8),))
    assert labels_at(index_patches(slide, plan))[0, 0] == 0


def test_training_patches_keep_clear_of_what_is_held_out_and_held_out_ones_lie_in_it(slide: Any) -> None:
    held = shapely.box(64, 0, WIDTH, HEIGHT)
    plan = LabelPlan("one", (tumor(40, 0, 60, 40), tumor(70, 0, 100, 40)), (ALL, held), hold_out=(held,))
    training = labels_at(index_patches(slide, plan, FINE))
    assert training and max(x for x, _ in training) == 32
    judging = labels_at(index_patches(slide, plan, FINE, Part.HOLD_OUT))
    assert set(judging.values()) == {0, 1}
    # A quarter of a background patch may reach out; a class needs to show inside.
    assert min(x for (x, _), label in judging.items() if label == 0) >= 56
    assert not set(training) & {at for at in judging if at[0] >= 64}


shape_bounds = st.tuples(st.integers(0, 120), st.integers(0, 90), st.integers(1, 60), st.integers(1, 60))


@given(
    shapes=st.lists(st.tuples(shape_bounds, st.integers(1, 2)), max_size=5),
    roi=shape_bounds,
    patch_px=st.sampled_from([16, 32, 48]),
    parts=st.sampled_from([1, 2, 4, 8]),
)
@settings(max_examples=40, deadline=None)
def test_each_patch_of_the_lattice_is_what_its_pixels_say(
    slide: Any, shapes: list[Any], roi: tuple[int, ...], patch_px: int, parts: int
) -> None:
    def box(x: int, y: int, width: int, height: int) -> shapely.Polygon:
        return shapely.box(x, y, x + width, y + height)

    plan = LabelPlan("one", tuple(LabelledShape(box(*b), label) for b, label in shapes), (box(*roi),))
    options = PatchOptions(patch_px=patch_px, stride_px=patch_px // parts)
    raster = PlanRaster(plan, SCHEME, 1.0, Part.TRAINING)
    expected = {}
    for y in range(0, HEIGHT - patch_px + 1, options.stride_px):
        for x in range(0, WIDTH - patch_px + 1, options.stride_px):
            burnt = raster.burn(Window(x, y, patch_px, patch_px)).labels
            shares = [float((burnt == label).mean()) for label in range(3)]
            if max(shares[1:]) > 0.25:
                expected[x, y] = 1 + int(np.argmax(shares[1:]))
            elif shares[1] == shares[2] == 0 and shares[0] >= 0.75:
                expected[x, y] = 0
    assert labels_at(index_patches(slide, plan, options), patch_px) == expected


def test_on_a_slide_smaller_than_a_patch_there_is_one(slide: Any) -> None:
    options = PatchOptions(patch_px=256, stride_px=64)
    index = index_patches(slide, LabelPlan("one", (tumor(0, 0, 128, 30),), (ALL,)), options)
    assert labels_at(index, 256) == {(0, 0): 1}
    (spot,) = TreeSampler([index], {}, tile_px=256, options=SamplingOptions(jitter=0.0)).batch(0, 1)
    assert spot.window == Window(0, 0, 256, 256)


def test_what_is_drawn_without_jitter_is_a_patch_of_the_index_with_its_label(slide: Any) -> None:
    plan = LabelPlan("one", (tumor(20, 20, 70, 60),), (ALL,))
    index = index_patches(slide, plan, FINE)
    known = labels_at(index)
    sampler = TreeSampler([index], {}, tile_px=32, options=SamplingOptions(jitter=0.0))
    dataset = TileDataset([TrainingSlide(slide, plan)], SCHEME, 1.0)
    for spot in sampler.batch(0, 60):
        assert known[spot.window.x, spot.window.y] == spot.label
        share = (dataset.read("one", spot.window).labels == 1).mean()
        assert share > 0.25 if spot.label == 1 else share == 0


def test_new_areas_make_the_patches_on_them_fresh(slide: Any) -> None:
    index = index_patches(slide, LabelPlan("one", (), (ALL,), emphasis=(shapely.box(64, 32, 96, 64),)))
    assert index.fresh[0].tolist() == [[80, 48]]
    assert len(index.positions[0]) == 12


def test_an_unlabelled_slide_is_not_even_looked_at(slide: Any) -> None:
    index = find_patches(TrainingSlide(slide, LabelPlan("one")), SCHEME, 1.0, SIDE_BY_SIDE)
    assert index.positions == {}


def test_tissue_is_found_where_none_is_given(tmp_path: Path) -> None:
    pixels = np.full((256, 256, 3), 245, np.uint8)
    pixels[:, 128:] = (170, 90, 160)
    Image.fromarray(pixels).save(tmp_path / "half.png")
    with open_slide(tmp_path / "half.png", mpp=(1.0, 1.0)) as opened:
        training = TrainingSlide(opened, LabelPlan("one", (), (shapely.box(0, 0, 256, 256),)))
        found = labels_at(find_patches(training, SCHEME, 1.0, SIDE_BY_SIDE))
    assert found and min(x for x, _ in found) in (96, 128)


@pytest.mark.parametrize("wrong", [{"stride_px": 0}, {"stride_px": 48}, {"stride_px": 512}, {"min_tissue": 1.5}])
def test_options_that_make_no_lattice_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"whole part|shares of 1"):
        PatchOptions(**wrong)


def expert(*box: int, label: int = 1) -> PatchLabel:
    return PatchLabel(Region(*box), label)


@pytest.mark.parametrize(
    ("box", "starts"),
    [
        ((3, 5, 64, 32), {(3, 5), (11, 5), (19, 5), (27, 5), (35, 5)}),  # as high as a patch, twice as wide
        ((3, 5, 32, 32), {(3, 5)}),
        ((40, 40, 10, 10), {(29, 29)}),  # smaller: around its centre
        ((40, 40, 48, 10), {(40, 29), (48, 29), (56, 29)}),  # lower only
        ((0, 0, 4, 4), {(0, 0)}),  # moved onto the slide
        ((124, 92, 4, 4), {(96, 64)}),
    ],
)
def test_an_experts_box_gives_the_patches_inside_it_or_the_one_around_it(
    slide: Any, box: tuple[int, ...], starts: set[tuple[int, int]]
) -> None:
    index = index_patches(slide, LabelPlan("one", patch_labels=(expert(*box, label=2),)), FINE)
    assert labels_at(index) == dict.fromkeys(starts, 2)


@pytest.mark.parametrize("box", [(-90, 0, 64, 64), (WIDTH, 0, 32, 32), (0, HEIGHT + 9, 32, 32)])
def test_an_experts_box_off_the_slide_says_nothing_of_what_is_on_it(slide: Any, box: tuple[int, ...]) -> None:
    assert not index_patches(slide, LabelPlan("one", patch_labels=(expert(*box),)), FINE).positions


def test_experts_boxes_count_beside_masks_but_never_judge(slide: Any) -> None:
    held = shapely.box(96, 0, WIDTH, HEIGHT)
    plan = LabelPlan("one", (), (held,), hold_out=(held,), patch_labels=(expert(0, 0, 32, 32), expert(80, 0, 32, 32)))
    assert labels_at(index_patches(slide, plan)) == {(0, 0): 1}
    assert set(index_patches(slide, plan, part=Part.HOLD_OUT).positions) == {0}


def test_an_experts_patch_keeps_clear_of_ignored_areas(slide: Any) -> None:
    box = expert(0, 0, 32, 32)
    ignored = (shapely.box(0, 0, 32, 9),)
    assert not index_patches(slide, LabelPlan("one", ignore=ignored, patch_labels=(box,))).positions
    ignored = (shapely.box(0, 0, 32, 8),)
    assert index_patches(slide, LabelPlan("one", ignore=ignored, patch_labels=(box,))).positions


def test_of_an_experts_box_the_glass_is_left_out_but_something_always_stays(slide: Any) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, :40] = True
    tissue = TissueMask(mask, Window(0, 0, WIDTH, HEIGHT))
    plan = LabelPlan("one", patch_labels=(expert(0, 0, 96, 32),))
    assert labels_at(index_patches(slide, plan, tissue=tissue)) == {(0, 0): 1}
    plan = LabelPlan("one", patch_labels=(expert(34, 0, 94, 32),))
    assert labels_at(index_patches(slide, plan, tissue=tissue)) == {(34, 0): 1}


def test_an_experts_label_of_another_scheme_is_refused(slide: Any) -> None:
    with pytest.raises(UnknownPathClassError):
        index_patches(slide, LabelPlan("one", patch_labels=(expert(0, 0, 9, 9, label=3),)))
