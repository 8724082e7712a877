from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part
from bridge.coords import Window
from bridge.raster import PlanRaster, ProbabilityMap
from bridge.slides import TissueOptions, TissueRule, open_slide, tissue_mask
from models.active import MapBox, SelectionMethod
from models.data import AugmentationOptions, PatchOptions, TrainingSlide
from models.errors import TrainingDataError
from models.nets import EncoderName, NetKind, NetOptions, PlainEncoder
from models.simulation import (
    Actions,
    CycleOptions,
    Extractor,
    GridOptions,
    SplitOptions,
    WholeNetwork,
    cell_classifier,
    run_cycles,
    simulated_slide,
)
from models.simulation.whole_network import LearnedNetwork
from models.training import Candidate, FitArguments, Patchwise, PatchwiseOptions, TrainingOptions

SIDE, COLUMNS, ROWS = 16, 10, 8
GRID = GridOptions(cell_um=8, mpp=0.5, parts=1)
SCHEME = ClassScheme({"Tumor": (255, 0, 0)})
WHOLE = TissueOptions(rule=TissueRule.WHOLE)
TINY = NetOptions(
    kind=NetKind.PATCH, encoder=EncoderName.PLAIN, encoder_channels=(8, 16), decoder_channels=(1, 1), pretrained=False
)
DESIGN = Patchwise(
    PatchwiseOptions(mpp=0.5, net=TINY, patches=PatchOptions(SIDE, SIDE), tissue=WHOLE, judging_patches=16)
)
BRIEF = TrainingOptions(
    max_steps=60,
    max_seconds=None,
    batch_size=16,
    learning_rate=1e-2,
    evaluate_every=10,
    device="cpu",
    augmentation=replace(AugmentationOptions(), warp_share=0.0),
)


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TrainingSlide]]:
    """Four slides of squares, dark where they are tumour."""
    folder = tmp_path_factory.mktemp("whole")
    with ExitStack() as stack:
        found = []
        for number in range(4):
            generator = np.random.default_rng(number)
            is_tumor = generator.random((ROWS, COLUMNS)) < 0.4
            pixels = np.where(np.kron(is_tumor, np.ones((SIDE, SIDE)))[..., None] > 0, (120, 70, 160), (230, 170, 210))
            pixels = pixels + generator.normal(0, 12, pixels.shape)
            path = folder / f"{number}.png"
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
            squares = tuple(
                LabelledShape(shapely.box(x * SIDE, y * SIDE, (x + 1) * SIDE, (y + 1) * SIDE), 1)
                for y, x in np.argwhere(is_tumor).tolist()
            )
            whole = shapely.box(0, 0, COLUMNS * SIDE, ROWS * SIDE)
            slide = stack.enter_context(open_slide(path, mpp=(0.5, 0.5)))
            found.append(TrainingSlide(slide, LabelPlan(f"{number}", squares, (whole,))))
        yield found


def _learner(slides: Sequence[TrainingSlide], design: Any = DESIGN) -> WholeNetwork:
    tissue = {slide.key: tissue_mask(slide.slide, WHOLE) for slide in slides}
    return WholeNetwork(slides, SCHEME, GRID, BRIEF, design=design, tissue=tissue)


def test_it_learns_from_what_is_revealed_and_predicts_cells(slides: list[TrainingSlide]) -> None:
    half = np.zeros((ROWS, COLUMNS), np.uint8)
    half[:, :6] = 1
    learned = _learner(slides).learn({"0": half, "1": half * 0}, {"2": half}, {}, seed=1)
    probabilities = learned.probabilities("3")
    truth = simulated_slide(slides[3], SCHEME, GRID, Extractor(PlainEncoder((4,)).eval(), "plain", (0,))).labels
    assert probabilities.shape == (2, ROWS, COLUMNS)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert ((probabilities[1] > 0.5) == (truth == 1)).mean() > 0.9


@dataclass(frozen=True)
class _Noting:
    """A design that notes what it is given."""

    fits: list[tuple[list[LabelPlan], TrainingOptions]] = field(default_factory=list)

    def fit(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        **how: Unpack[FitArguments],
    ) -> Candidate:
        self.fits.append(([slide.plan for slide in slides], options))
        return DESIGN.fit(slides, scheme, replace(options, max_steps=2), **how)

    def predictor(self, checkpoint: Any, **how: Any) -> Any:
        return DESIGN.predictor(checkpoint, **how)


def test_a_training_sees_no_label_outside_the_revealed_cells(slides: list[TrainingSlide]) -> None:
    noting = _Noting()
    times = np.zeros((ROWS, COLUMNS), np.uint8)
    times[1:4, 2:5] = 1
    nothing = times * 0
    _learner(slides, noting).learn({"0": times, "1": nothing}, {"2": times}, {"1": [(MapBox(0, 0, 2, 3), 1)]}, seed=7)
    ((plans, options),) = noting.fits
    first, second, judge = plans
    area = shapely.box(2 * SIDE, SIDE, 5 * SIDE, 4 * SIDE)
    for plan in (first, judge):
        assert shapely.union_all(plan.complete).equals(area)
        assert all(area.covers(shape.geometry) for shape in plan.shapes)
        expected = shapely.union_all([s.geometry for s in slides[int(plan.slide_key)].plan.shapes]).intersection(area)
        assert shapely.union_all([shape.geometry for shape in plan.shapes]).area == expected.area
    assert first.hold_out == () and shapely.union_all(judge.hold_out).equals(area)
    assert (second.complete, second.shapes) == ((), ())
    ((region, label),) = [(patch.region.bounds, patch.label) for patch in second.patch_labels]
    assert (region, label) == ((0, 0, 2 * SIDE, 3 * SIDE), 1)
    assert (options.seed, options.min_labels) == (7, 1)


def test_what_no_person_labelled_is_no_background(slides: list[TrainingSlide]) -> None:
    noting = _Noting()
    times = np.ones((ROWS, COLUMNS), np.uint8)
    left = shapely.box(0, 0, 4 * SIDE, ROWS * SIDE)
    partly = [replace(slide, plan=replace(slide.plan, complete=(left,))) for slide in slides]
    _learner(partly, noting).learn({"0": times}, {"1": times}, {}, seed=0)
    ((plans, _),) = noting.fits
    for plan, slide in zip(plans, partly, strict=False):
        raster = PlanRaster(plan, SCHEME, SIDE, Part.HOLD_OUT if plan.hold_out else Part.TRAINING)
        labels = raster.burn(Window(0, 0, COLUMNS, ROWS, SIDE)).labels
        known = PlanRaster(slide.plan, SCHEME, SIDE, Part.TRAINING).burn(Window(0, 0, COLUMNS, ROWS, SIDE)).labels
        np.testing.assert_array_equal(labels, known)
    assert (labels[:, 4:] == 255).any() and (labels[:, 4:] == 1).any()


def test_validation_judges_by_accepted_predictions_too(slides: list[TrainingSlide]) -> None:
    noting = _Noting()
    times = np.ones((ROWS, COLUMNS), np.uint8)
    accepted = [
        replace(slide, plan=replace(slide.plan, shapes=tuple(replace(s, is_blind=False) for s in slide.plan.shapes)))
        for slide in slides
    ]
    _learner(accepted, noting).learn({"0": times}, {"1": times}, {}, seed=0)
    (((_, judge), _),) = noting.fits
    labels = PlanRaster(judge, SCHEME, SIDE, Part.HOLD_OUT).burn(Window(0, 0, COLUMNS, ROWS, SIDE)).labels
    assert (labels == 1).any() and not (labels == 255).any()


def test_nothing_revealed_is_refused(slides: list[TrainingSlide]) -> None:
    nothing = np.zeros((ROWS, COLUMNS), np.uint8)
    with pytest.raises(TrainingDataError, match="nothing is revealed"):
        _learner(slides).learn({"0": nothing}, {"1": nothing + 1}, {}, seed=0)


def test_cycles_run_with_it(slides: list[TrainingSlide]) -> None:
    extractor = Extractor(PlainEncoder((4,)).eval(), "plain", (0,))
    cells = [
        simulated_slide(slide, SCHEME, GRID, extractor, tissue=tissue_mask(slide.slide, WHOLE)) for slide in slides
    ]
    options = CycleOptions(
        SelectionMethod.STANDARD, 3, 1, cycles=2, seed=0, split=SplitOptions(2), actions=Actions(patch_labels=True)
    )
    runs = [list(run_cycles(cells[:3], cells[3:], _learner(slides), options, SCHEME.names)) for _ in range(2)]
    assert len(runs[0]) == 2
    assert runs[0] == runs[1]


@dataclass(frozen=True)
class _Bands:
    """A predictor whose positive probability is a given map, in bands of two rows."""

    positive: np.ndarray
    downsample: float

    names = ("Background", "Tumor")

    def predict(self, slide: object, tissue: object) -> Iterator[ProbabilityMap]:
        for y in range(0, self.positive.shape[0], 2):
            part = self.positive[y : y + 2].astype(np.float32)
            window = Window(0, y, part.shape[1], part.shape[0], self.downsample)
            yield ProbabilityMap(np.stack([1 - part, part]), window, self.names)


def test_finer_maps_are_averaged_over_each_cell(slides: list[TrainingSlide]) -> None:
    fine = np.random.default_rng(0).random((ROWS * 4, COLUMNS * 4))
    tissue = tissue_mask(slides[0].slide, WHOLE)
    learned = LearnedNetwork(_Bands(fine, 4.0), {"0": slides[0]}, lambda key: tissue, GRID)  # type: ignore[arg-type]
    expected = fine.reshape(ROWS, 4, COLUMNS, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(learned.probabilities("0")[1], expected, atol=1e-6)


def test_coarser_maps_give_each_cell_what_lies_under_its_middle(slides: list[TrainingSlide]) -> None:
    coarse = np.random.default_rng(0).random((ROWS // 2, COLUMNS // 2))
    tissue = tissue_mask(slides[0].slide, WHOLE)
    learned = LearnedNetwork(_Bands(coarse, 32.0), {"0": slides[0]}, lambda key: tissue, GRID)  # type: ignore[arg-type]
    expected = coarse.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(learned.probabilities("0")[1], expected, atol=1e-6)


def test_cells_without_tissue_are_background(slides: list[TrainingSlide]) -> None:
    mask = tissue_mask(slides[0].slide, WHOLE)
    left = replace(mask, mask=mask.mask & (np.arange(mask.mask.shape[1]) < mask.mask.shape[1] // 2))
    sure = _Bands(np.ones((ROWS, COLUMNS)), 16.0)
    learned = LearnedNetwork(sure, {"0": slides[0]}, lambda key: left, GRID)  # type: ignore[arg-type]
    assert learned.probabilities("0")[1].tolist() == [[1.0] * 5 + [0.0] * 5] * ROWS


def test_the_patches_of_the_default_design_are_cells() -> None:
    model = cell_classifier(GridOptions(cell_um=64, mpp=1)).model
    assert (model.patches.patch_px, model.map_stride_px, model.mpp) == (64, 64, 1)
