"""H-AI-L's nested classes: nuclei inside glomeruli, the first pass kept as it found glomeruli."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import Point

from bridge.annotations import ClassScheme, LabelledShape, LabelPlan, Part
from bridge.coords import Window
from bridge.raster import PlanRaster
from bridge.slides import TissueOptions, TissueRule, open_slide, tissue_mask
from models.checkpoints import NetRole
from models.data import TrainingSlide
from models.inference import HotSpotOptions, PredictionOptions
from models.training import DeepZoom, evaluate

SIDE = 192
GLOMERULUS, NUCLEUS = 1, 2
ONLY_GLOMERULI = ClassScheme({"Glomerulus": (255, 0, 0)})
NESTED = ClassScheme({"Glomerulus": (255, 0, 0), "Nucleus": (0, 0, 255)}, priority=("Glomerulus", "Nucleus"))


@dataclass(frozen=True)
class Kidney:
    """Pink tissue with four pale glomeruli, dark nuclei in each and none outside."""

    slide: Any
    glomeruli: tuple[shapely.Polygon, ...]
    nuclei: tuple[shapely.Polygon, ...]

    def slides(self, *, nested: bool) -> list[TrainingSlide]:
        shapes = [LabelledShape(area, GLOMERULUS) for area in self.glomeruli]
        if nested:  # drawn first: not the order of drawing decides, the priority does
            shapes = [*(LabelledShape(area, NUCLEUS) for area in self.nuclei), *shapes]
        box = shapely.box(0, 0, SIDE, SIDE)
        return [TrainingSlide(self.slide, LabelPlan("kidney", tuple(shapes), (box,)))]


@pytest.fixture(scope="module")
def kidney(tmp_path_factory: pytest.TempPathFactory) -> Any:
    centres = [(44, 44), (148, 52), (52, 148), (140, 140)]
    glomeruli = tuple(Point(*centre).buffer(26) for centre in centres)
    spots = [(x + dx, y + dy) for x, y in centres for dx, dy in ((-10, -8), (10, -6), (0, 11))]
    nuclei = tuple(Point(*spot).buffer(6) for spot in spots)
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    pixels = np.full((SIDE, SIDE, 3), (230, 150, 190), np.float64)
    for areas, color in ((glomeruli, (170, 170, 220)), (nuclei, (60, 30, 110))):
        for area in areas:
            pixels[shapely.contains_xy(area, columns, rows)] = color
    pixels += np.random.default_rng(1).normal(0, 5, pixels.shape)
    path = tmp_path_factory.mktemp("kidney") / "kidney.png"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    with open_slide(path, mpp=(0.5, 0.5)) as slide:
        yield Kidney(slide, glomeruli, nuclei)


@pytest.fixture(scope="module")
def design(tiny_model: Any) -> DeepZoom:
    model = replace(tiny_model, one_network=False, low_factor=2.0)
    return DeepZoom(model, HotSpotOptions(threshold=0.5, min_area_um2=20.0, padding_um=1.0))


@pytest.fixture(scope="module")
def enough(brief: Any) -> Any:
    return replace(brief, max_steps=45, batch_size=4, tile_px=48)


@pytest.fixture(scope="module")
def before(design: DeepZoom, kidney: Kidney, enough: Any) -> Any:
    return design.fit(kidney.slides(nested=False), ONLY_GLOMERULI, enough).checkpoint


@pytest.fixture(scope="module")
def after(design: DeepZoom, kidney: Kidney, enough: Any, before: Any) -> Any:
    keeping = replace(design, model=replace(design.model, keep_low=True))
    return keeping.fit(kidney.slides(nested=True), NESTED, enough, parent=before).checkpoint


def test_the_first_pass_is_the_parent_s_bit_for_bit_and_the_second_knows_more(before: Any, after: Any) -> None:
    old, new = before.net_weights(NetRole.LOW), after.net_weights(NetRole.LOW)
    assert old.keys() == new.keys()
    assert all((old[key] == new[key]).all() for key in old)
    assert after.card.net(NetRole.LOW) == before.card.net(NetRole.LOW)
    assert after.card.class_names == ("Background", "Glomerulus", "Nucleus")


def test_hot_spots_are_the_glomeruli_that_the_first_pass_knew_though_classes_differ(
    design: DeepZoom, kidney: Kidney, before: Any, after: Any
) -> None:
    tissue = tissue_mask(kidney.slide, TissueOptions(rule=TissueRule.WHOLE))
    options = PredictionOptions(tile_px=64, overlap_px=16, batch_size=4)
    spots = [
        design.predictor(checkpoint, device="cpu").find_hot_spots(kidney.slide, tissue, options)  # type: ignore[attr-defined]
        for checkpoint in (before, after)
    ]
    assert np.array_equal(spots[0].mask.mask, spots[1].mask.mask)
    hot = spots[1].mask.mask
    assert all(spots[1].fraction(_region(area)) > 0.7 for area in kidney.glomeruli)
    assert hot.mean() < 0.6, "most of the tissue is left out"


def test_nuclei_are_found_inside_glomeruli_and_nowhere_else(design: DeepZoom, kidney: Kidney, after: Any) -> None:
    slides = kidney.slides(nested=True)
    scores = evaluate(design.predictor(after, device="cpu"), slides, NESTED, part=Part.TRAINING)
    assert scores.dice["Nucleus"] > 0.7
    assert scores.dice["Glomerulus"] > 0.8


def test_the_priority_decides_what_lies_under_both(kidney: Kidney) -> None:
    (slide,) = kidney.slides(nested=True)
    window = Window(0, 0, SIDE, SIDE, 1.0)
    x, y = kidney.nuclei[0].centroid.coords[0]
    over = PlanRaster(slide.plan, NESTED, 1.0, Part.TRAINING).burn(window)
    under = replace(NESTED, priority=("Nucleus", "Glomerulus"))
    below = PlanRaster(slide.plan, under, 1.0, Part.TRAINING).burn(window)
    labels = [np.asarray(mask.labels)[int(y), int(x)] for mask in (over, below)]
    assert labels == [NUCLEUS, GLOMERULUS]


def test_a_training_from_the_start_keeps_the_first_pass_of_the_model_in_use(
    design: DeepZoom, kidney: Kidney, before: Any, brief: Any, tmp_path: Path
) -> None:
    keeping = replace(design, model=replace(design.model, keep_low=True))
    anew = keeping.fit(kidney.slides(nested=True), NESTED, replace(brief, max_steps=2), in_use=before)
    old, new = before.net_weights(NetRole.LOW), anew.checkpoint.net_weights(NetRole.LOW)
    assert all((old[key] == new[key]).all() for key in old)
    assert set(anew.history) == {NetRole.HIGH}
    assert anew.checkpoint.card.parent is None
    assert anew.checkpoint.card.versions["nets_kept_from"] == before.id


def _region(area: shapely.Polygon) -> Any:
    from bridge.coords import Region

    x0, y0, x1, y1 = (int(v) for v in area.bounds)
    return Region(x0 + 6, y0 + 6, x1 - x0 - 12, y1 - y0 - 12)
