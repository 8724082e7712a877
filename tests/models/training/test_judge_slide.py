"""Everything of one slide from one look, against arrays of the whole slide, scikit-image and the judge of promotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from skimage.measure import label as connected
from skimage.measure import regionprops

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part
from bridge.coords import Window
from bridge.errors import SlideError
from bridge.raster import PlanRaster, ProbabilityMap
from bridge.slides import Slide, TissueOptions, TissueRule, open_slide
from models.data import TrainingSlide
from models.errors import DamagedSlideError
from models.metrics import Confusion, FrocOptions, JudgeOptions, ObjectCounts, SlideJudgement
from models.training import evaluate, judge_slide

WIDTH, HEIGHT = 900, 1100
NAMES = ("Background", "Gland", "Vessel")
SCHEME = ClassScheme({"Gland": (255, 0, 0), "Vessel": (0, 0, 255)})
OPTIONS = JudgeOptions(least_um2=5.0, froc=FrocOptions(least_um=20.0, grown_um=4.0))


class Painted:
    """Says of every pixel what was painted there, with a sureness of its own; its classes in another order."""

    names = ("Background", "Vessel", "Gland")
    mpp = 0.5

    def __init__(self, labels: np.ndarray, sureness: np.ndarray) -> None:
        self.labels, self.sureness = labels, sureness
        self.windows: list[Window] = []

    def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> ProbabilityMap:
        self.windows.append(window)
        planes = np.zeros((3, *window.shape), np.float32)
        planes[0] = 1
        inside = window.intersection(Window(0, 0, WIDTH, HEIGHT))
        if inside is not None:
            rows, columns = slice(inside.y, inside.bottom), slice(inside.x, inside.right)
            sure, place = self.sureness[rows, columns], np.array([0, 2, 1])[self.labels[rows, columns]]
            values = np.repeat((1 - sure)[None] / 2, 3, axis=0)
            np.put_along_axis(values, place[None], sure[None], axis=0)
            planes[:, *window.slices(inside)] = values
        return ProbabilityMap(planes, window, self.names)


def discs(seed: int, count: int, radius: tuple[float, float]) -> list[LabelledShape]:
    random = np.random.default_rng(seed)
    places = random.uniform((0, 0), (WIDTH, HEIGHT), (count, 2))
    radii = random.uniform(*radius, count)
    return [
        LabelledShape(shapely.Point(*place).buffer(r), 1 + i % 2, is_blind=i % 5 != 0)
        for i, (place, r) in enumerate(zip(places, radii, strict=True))
    ]


def burnt(shapes: Sequence[LabelledShape]) -> np.ndarray:
    plan = LabelPlan("x", tuple(shapes), (shapely.box(0, 0, WIDTH, HEIGHT),))
    return PlanRaster(plan, SCHEME, 1.0, Part.TRAINING).burn(Window(0, 0, WIDTH, HEIGHT)).labels


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrainingSlide]:
    """Three held-out areas: two share lattice rows, the third lies two rows of tiles below; one has ignored parts."""
    path = tmp_path_factory.mktemp("slides") / "white.png"
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 240, np.uint8)).save(path)
    held = (shapely.box(30, 40, 400, 330), shapely.box(520, 100, 890, 300), shapely.box(200, 1000, 700, 1150))
    more = shapely.box(0, 600, 300, 800)
    ignore = (shapely.box(100, 100, 160, 180),)
    plan = LabelPlan("one", tuple(discs(1, 160, (5, 30))), (*held, more), ignore, held)
    with open_slide(path, mpp=(0.5, 0.5)) as opened:
        yield TrainingSlide(opened, plan)


@pytest.fixture(scope="module")
def predictor() -> Painted:
    """Paints most of the true discs, moved a little, and some that aren't there."""
    shapes = [replace(s, geometry=shapely.affinity.translate(s.geometry, 4, -3)) for s in discs(1, 160, (5, 30))[:120]]
    sureness = np.random.default_rng(2).uniform(0.5, 1.0, (HEIGHT, WIDTH)).astype(np.float32)
    return Painted(burnt([*shapes, *discs(9, 60, (1, 15))]), sureness)


@pytest.fixture(scope="module")
def judgement(slide: TrainingSlide, predictor: Painted) -> SlideJudgement:
    found = judge_slide(predictor, slide, SCHEME, OPTIONS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def whole(slide: TrainingSlide, predictor: Painted) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of the whole slide at once, 255 where nothing is judged."""
    truth = PlanRaster(slide.plan, SCHEME, 1.0, Part.HOLD_OUT).burn(Window(0, 0, WIDTH, HEIGHT)).labels
    return truth, np.where(truth == 255, np.uint8(255), predictor.labels)


def masks_of(name: str, whole: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    if name == "any class":
        return tuple((a != 0) & (a != 255) for a in whole)  # type: ignore[return-value]
    return tuple(a == NAMES.index(name) for a in whole)  # type: ignore[return-value]


ANY_CLASS = pytest.mark.parametrize("name", ["Gland", "Vessel", "any class"])


def test_pixels_are_those_that_promotion_counts(
    judgement: SlideJudgement, slide: TrainingSlide, predictor: Painted, whole: tuple[np.ndarray, np.ndarray]
) -> None:
    assert (judgement.confusion.counts == evaluate(predictor, [slide], SCHEME).confusion.counts).all()
    kept = whole[0] != 255
    assert (judgement.confusion.counts == Confusion.from_labels(whole[0][kept], whole[1][kept], NAMES).counts).all()


@ANY_CLASS
def test_objects_are_those_of_the_whole_slide(
    judgement: SlideJudgement, whole: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    first, second = (connected(mask, connectivity=1) for mask in masks_of(name, whole))
    sizes = [np.bincount(a.ravel(), minlength=a.max() + 1) for a in (first, second)]
    least = 5.0 / 0.25  # pixels
    matched = set()
    for i in range(1, first.max() + 1):
        for j in set(second[first == i]) - {0}:
            shared = ((first == i) & (second == j)).sum()
            if sizes[1][j] >= least and shared >= 0.5 * (sizes[0][i] + sizes[1][j] - shared):
                matched.add((i, int(j)))
    assert len({i for i, _ in matched}) == len({j for _, j in matched}) == len(matched), "no choice: counting is enough"
    found = sum(sizes[0][i] >= least for i, _ in matched)
    missed = (sizes[0][1:] >= least).sum() - found
    spurious = (sizes[1][1:] >= least).sum() - len(matched)
    assert judgement.objects[name] == ObjectCounts(found, missed, spurious)
    assert min(found, missed, spurious) > 3, "enough of each to show something"


@ANY_CLASS
def test_detections_score_as_their_surest_pixel(
    judgement: SlideJudgement, predictor: Painted, whole: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    labels = connected(masks_of(name, whole)[1], connectivity=1)
    expected = [float(r.intensity_max) for r in regionprops(labels, predictor.sureness) if r.area >= 5.0 / 0.25]
    found = judgement.detections[name]
    ours = [*found.hits, *found.false_positives]
    assert set(np.round(ours, 5)) <= set(np.round(expected, 5))
    assert len(found.false_positives) > 3
    assert 3 < len(found.hits) <= found.lesions


@ANY_CLASS
def test_the_largest_object_is_that_of_the_whole_slide(
    judgement: SlideJudgement, whole: tuple[np.ndarray, np.ndarray], name: str
) -> None:
    labels = connected(masks_of(name, whole)[0], connectivity=1)
    expected = max(r.axis_major_length for r in regionprops(labels)) * 0.5
    assert judgement.largest_um[name] == pytest.approx(expected, rel=0.06)  # holes don't count here


def test_what_isnt_judged_isnt_predicted(slide: TrainingSlide, predictor: Painted) -> None:
    predictor.windows.clear()
    judge_slide(predictor, slide, SCHEME, OPTIONS)
    corners = [(w.x, w.y) for w in predictor.windows]
    assert len(set(corners)) == len(corners), "each tile once"
    assert not any(512 <= y < 768 for _, y in corners)


def test_the_share_of_tissue_is_what_is_labelled_of_it(slide: TrainingSlide, predictor: Painted) -> None:
    options = replace(OPTIONS, tissue=TissueOptions(TissueRule.WHOLE, mask_mpp=0.5))
    found = judge_slide(predictor, slide, SCHEME, options)
    truth = PlanRaster(slide.plan, SCHEME, 1.0, Part.HOLD_OUT).burn(Window(0, 0, WIDTH, HEIGHT)).labels
    assert found is not None
    assert found.tissue_share == pytest.approx((truth != 255).mean(), abs=0.01)


def test_asked_to_stop_it_says_nothing(slide: TrainingSlide, predictor: Painted) -> None:
    asked = iter([False, False, True])
    predictor.windows.clear()
    assert judge_slide(predictor, slide, SCHEME, OPTIONS, stop=lambda: next(asked)) is None
    assert len(predictor.windows) == 2


def test_nothing_held_out_is_no_judgement_of_anything(slide: TrainingSlide, predictor: Painted) -> None:
    open_plan = replace(slide, plan=replace(slide.plan, hold_out=()))
    found = judge_slide(predictor, open_plan, SCHEME, OPTIONS)
    assert found is not None
    assert found.confusion.pixels == 0
    assert set(found.objects.values()) == {ObjectCounts()}


def test_a_damaged_slide_is_named(slide: TrainingSlide) -> None:
    class Broken(Painted):
        def predict_window(self, slide: Slide, window: Window, *, margin_px: int = 32) -> Any:
            raise SlideError("tile 7 is cut")

    with pytest.raises(DamagedSlideError, match="tile 7 is cut") as caught:
        judge_slide(Broken(np.zeros(0), np.zeros(0)), slide, SCHEME, OPTIONS)
    assert caught.value.slide_key == "one"
