from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import LabelPlan
from bridge.coords import Window
from bridge.slides import Slide, open_slide
from models.data import DyedSlide, Stains, TrainingSlide, combine_stains, dye_like, reference_stains, slide_stains

USUAL = Stains((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (1.2, 0.8))
OTHER = Stains((0.55, 0.76, 0.34), (0.20, 0.93, 0.30), (0.8, 1.3))


def _unit(stains: Stains) -> Stains:
    h, e = (np.array(v) / np.linalg.norm(v) for v in (stains.haematoxylin, stains.eosin))
    return Stains(tuple(h), tuple(e), stains.strengths)  # type: ignore[arg-type]


def tissue(stains: Stains) -> np.ndarray:
    """The same tissue, dyed: a strip of glass at the top, below it cells in a pink ground."""
    generator = np.random.default_rng(0)
    amounts = np.empty((320, 384, 2))
    amounts[..., 0] = np.where(generator.random((320, 384)) < 0.3, 1.0, 0.1) * stains.strengths[0]
    amounts[..., 1] = generator.uniform(0.2, 1.0, (320, 384)) * stains.strengths[1]
    amounts[:64] = 0
    return combine_stains(amounts, _unit(stains))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Slide]]:
    folder: Path = tmp_path_factory.mktemp("slides")
    slides = {}
    for name, pixels in (
        ("usual", tissue(USUAL)),
        ("other", tissue(OTHER)),
        ("glass", np.full((320, 384, 3), 250, np.uint8)),
    ):
        Image.fromarray(pixels).save(folder / f"{name}.png")
        slides[name] = open_slide(folder / f"{name}.png", mpp=(0.5, 0.5))
    yield slides.__getitem__
    for slide in slides.values():
        slide.close()


def pixels_of(slide: Slide, downsample: float = 1.0) -> np.ndarray:
    return slide.read_window(slide.pyramid.window_at(downsample)).astype(float)


def test_a_slide_dyed_otherwise_comes_to_look_like_the_reference(opened: Callable[[str], Slide]) -> None:
    reference = slide_stains(opened("usual"), 0.5)
    assert reference is not None
    target, raw = pixels_of(opened("usual")), pixels_of(opened("other"))
    dyed = pixels_of(dye_like(opened("other"), reference, 0.5))
    assert np.abs(raw - target).mean() > 20
    assert np.abs(dyed - target).mean() < 6


def test_a_pixel_is_dyed_the_same_in_any_window(opened: Callable[[str], Slide]) -> None:
    slide = dye_like(opened("other"), _unit(USUAL), 0.5)
    whole = slide.read_window(Window(0, 0, 384, 320))
    for window in (Window(0, 60, 64, 64), Window(300, 200, 84, 120), Window(17, 100, 3, 5)):
        rows, columns = slice(window.y, window.bottom), slice(window.x, window.right)
        assert (slide.read_window(window) == whole[rows, columns]).all()
    assert (whole[:64] == 255).all()  # glass is glass


def test_a_slide_is_dyed_the_same_each_time(opened: Callable[[str], Slide]) -> None:
    assert slide_stains(opened("other"), 0.5) == slide_stains(opened("other"), 0.5)


def test_a_slide_without_two_dyes_stays_as_it_is(opened: Callable[[str], Slide]) -> None:
    slide = dye_like(opened("glass"), _unit(USUAL), 0.5)
    assert isinstance(slide, DyedSlide)
    assert (pixels_of(slide) == pixels_of(opened("glass"))).all()


def training(slide: Slide, *held_out: shapely.Polygon) -> TrainingSlide:
    return TrainingSlide(slide, LabelPlan(slide.path.stem, complete=held_out, hold_out=held_out))


def test_the_reference_is_one_tile_of_the_first_slide_that_shows_two_dyes(opened: Callable[[str], Slide]) -> None:
    glass, usual, other = (training(opened(name)) for name in ("glass", "usual", "other"))
    found = reference_stains([glass, usual, other], 0.5)
    assert found is not None
    assert found == reference_stains([usual], 0.5)
    assert found != reference_stains([other], 0.5)
    assert found != slide_stains(opened("usual"), 0.5)  # one tile, not all
    assert reference_stains([glass], 0.5) is None


def test_the_reference_is_none_of_what_is_held_out(opened: Callable[[str], Slide]) -> None:
    usual, other = opened("usual"), opened("other")
    judging = training(other, shapely.box(0, 0, 384, 320))
    assert reference_stains([judging, training(usual)], 0.5) == reference_stains([training(usual)], 0.5)
    assert reference_stains([judging], 0.5) is None
    in_part = reference_stains([training(usual, shapely.box(0, 0, 384, 200))], 0.5)
    assert in_part not in (None, reference_stains([training(usual)], 0.5))
