from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.coords import Region
from bridge.raster import rasterize
from scripts.experiments.options import KidneyOptions, LymphOptions, SlideOptions, TumourOptions
from scripts.experiments.painting import GeneratedSlide
from scripts.experiments.tissues import Material
from scripts.experiments.truth import scheme_of

SLIDE = SlideOptions(1000, 600, mpp=1.0, seed=4, tissue_share=0.7)
KIDNEY = KidneyOptions(glomeruli_per_mm2=40.0, cortex_share=1.0)
TUMOUR = TumourOptions(truth_classes=("Tumor", "In situ"), in_situ_per_mm2=4.0, in_situ_filled=1.0, border_um=0.0)
LYMPH = LymphOptions(metastases=3, metastasis_um=120.0, likeness=0.4)
GLOMERULAR = range(Material.CAPSULE, Material.TUFT_NUCLEUS + 1)


@pytest.fixture(scope="module", params=[KIDNEY, TUMOUR, LYMPH], ids=["kidney", "tumour", "lymph"])
def generated(request: pytest.FixtureRequest) -> GeneratedSlide:
    return GeneratedSlide(SLIDE, request.param)


@pytest.fixture(scope="module")
def whole(generated: GeneratedSlide) -> np.ndarray:
    return generated.read(generated.bounds)


@settings(max_examples=3, deadline=None)
@given(x=st.integers(0, 850), y=st.integers(0, 480), width=st.integers(1, 150), height=st.integers(1, 120))
def test_crop_made_alone_equals_crop_of_the_whole(
    generated: GeneratedSlide, whole: np.ndarray, x: int, y: int, width: int, height: int
) -> None:
    alone = GeneratedSlide(generated.options, generated.scene_options).read(Region(x, y, width, height))

    assert np.array_equal(alone, whole[y : y + height, x : x + width])


def test_blocks_meet_without_a_seam(generated: GeneratedSlide, whole: np.ndarray) -> None:
    """Steps between columns across a border of blocks are no larger than between other columns."""
    steps = np.abs(np.diff(whole.astype(float), axis=1)).mean(axis=(0, 2))

    assert steps[511] < np.percentile(steps[460:560], 95) + 0.5


def test_another_seed_gives_another_slide(generated: GeneratedSlide, whole: np.ndarray) -> None:
    other = GeneratedSlide(replace(SLIDE, seed=5), generated.scene_options)
    crop = Region(300, 100, 200, 200)

    assert not np.array_equal(other.read(crop), whole[100:300, 300:500])


def test_truth_is_valid_inside_the_slide_and_on_the_grid_that_files_keep(generated: GeneratedSlide) -> None:
    outlines = [annotation.geometry for annotation in generated.truth.annotations]

    assert outlines
    assert all(outline.is_valid and outline.area > 0 for outline in outlines)
    assert generated.bounds.to_polygon().covers(shapely.union_all(outlines))
    coordinates = shapely.get_coordinates(np.array(outlines, dtype=object))
    assert np.array_equal(coordinates * 4, np.round(coordinates * 4))


def test_glomeruli_are_painted_where_truth_says_and_nowhere_else() -> None:
    plain = replace(KIDNEY, sclerosed_share=0.0, vessels_per_mm2=0.0)
    slide = GeneratedSlide(SLIDE, plain)

    truth = rasterize(slide.truth, Region(0, 0, 512, 512), scheme_of(slide)).labels
    painted = slide.materials(0, 0)

    assert np.array_equal(truth > 0, np.isin(painted, GLOMERULAR))
    assert np.array_equal(truth == 2, painted == Material.TUFT_NUCLEUS)
    assert (truth == 2).any()


def test_rasterized_truth_has_the_drawn_area() -> None:
    slide = GeneratedSlide(SLIDE, KIDNEY)
    glomeruli = [a.geometry for a in slide.truth.annotations if a.path_class == "Glomerulus"]

    labels = rasterize(slide.truth, slide.bounds, scheme_of(slide)).labels

    drawn = sum(g.area for g in glomeruli)
    assert (labels > 0).sum() == pytest.approx(drawn, rel=0.005)
    assert shapely.union_all(glomeruli).area == pytest.approx(drawn, rel=1e-9)


def test_nuclei_of_the_truth_lie_inside_glomeruli() -> None:
    slide = GeneratedSlide(SLIDE, KIDNEY)
    glomeruli = shapely.union_all([a.geometry for a in slide.truth.annotations if a.path_class == "Glomerulus"])
    nuclei = [a.geometry for a in slide.truth.annotations if a.path_class == "Nucleus"]

    assert len(nuclei) > 100
    assert all(glomeruli.contains(nucleus) for nucleus in nuclei)


def test_nests_keep_to_the_tumours_outline_when_its_border_is_sharp() -> None:
    slide = GeneratedSlide(SLIDE, replace(TUMOUR, in_situ_per_mm2=0.0, truth_classes=("Tumor",), islands=1))
    cells = [slide.materials(c, 0) for c in (0, 1)]
    painted = np.concatenate(cells, axis=1)

    truth = rasterize(slide.truth, Region(0, 0, 1024, 512), scheme_of(slide)).labels == 1
    nests = painted == Material.NEST

    assert nests.sum() > 1000
    assert (nests & ~truth).sum() < 0.02 * nests.sum()
    assert shapely.get_num_interior_rings(shapely.get_parts([a.geometry for a in slide.truth.annotations])).sum() > 0


def test_more_fuzzy_borders_let_more_nests_out() -> None:
    def outside(border_um: float) -> int:
        slide = GeneratedSlide(SLIDE, TumourOptions(border_um=border_um, in_situ_per_mm2=0))
        truth = rasterize(slide.truth, Region(0, 0, 512, 512), scheme_of(slide)).labels == 1
        return int((slide.materials(0, 0) == Material.NEST)[~truth].sum())

    assert outside(0.0) * 5 < outside(200.0)


def test_reading_beyond_the_slide_is_refused(generated: GeneratedSlide) -> None:
    with pytest.raises(ValueError, match="beyond the slide"):
        generated.read(Region(900, 0, 200, 10))


def test_centres_stain_differently_and_without_variation_alike() -> None:
    def mean_color(center: str, variation: float) -> np.ndarray:
        options = replace(SLIDE, center=center, stain_variation=variation)
        return GeneratedSlide(options, KIDNEY).read(Region(200, 200, 200, 200)).mean(axis=(0, 1))

    assert np.abs(mean_color("A", 1.0) - mean_color("B", 1.0)).max() > 4
    assert np.abs(mean_color("A", 0.0) - mean_color("B", 0.0)).max() < 0.5
