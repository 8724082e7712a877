from dataclasses import replace

import numpy as np
import pytest
import shapely
from scipy import ndimage

from bridge.coords import Region
from bridge.raster import rasterize
from scripts.experiments.options import LymphOptions, SlideOptions
from scripts.experiments.painting import GeneratedSlide
from scripts.experiments.tissues import Material
from scripts.experiments.truth import scheme_of

SLIDE = SlideOptions(1024, 1024, mpp=1.0, seed=3, tissue_share=0.7)
ONE = LymphOptions(metastases=1, metastasis_um=350.0, metastasis_spread=0.0, border_um=0.0, likeness=0.0)
EPITHELIAL = (Material.PALE_EPITHELIUM, Material.NUCLEUS_NEOPLASTIC)
_BODY_UM = 11  # tumour cells reach at most so far from their middle


def _whole(generated: GeneratedSlide) -> np.ndarray:
    """Materials of the four blocks of ``SLIDE``."""
    return np.block([[generated.materials(column, row) for column in (0, 1)] for row in (0, 1)])


def _truth(generated: GeneratedSlide) -> np.ndarray:
    return np.asarray(rasterize(generated.truth, generated.bounds, scheme_of(generated)).labels == 1)


def _density(materials: np.ndarray, where: np.ndarray) -> float:
    return float(np.isin(materials, EPITHELIAL)[where].mean())


def test_tumour_cells_keep_to_the_truth_when_its_border_is_sharp() -> None:
    generated = GeneratedSlide(SLIDE, ONE)
    materials, truth = _whole(generated), _truth(generated)
    distance = ndimage.distance_transform_edt(~truth)

    assert _density(materials, truth) > 0.85
    assert not np.isin(materials, EPITHELIAL)[distance > _BODY_UM].any()


def test_half_of_the_cells_are_left_on_the_outline_of_a_fuzzy_metastasis() -> None:
    generated = GeneratedSlide(SLIDE, replace(ONE, border_um=120.0, dispersal=1.0))
    materials, truth = _whole(generated), _truth(generated)
    depth = ndimage.distance_transform_edt(truth) - ndimage.distance_transform_edt(~truth)
    nuclei = materials == Material.NUCLEUS_NEOPLASTIC

    rim, middle, far = (nuclei[where].mean() for where in (np.abs(depth) < 12, depth > 80, depth < -90))
    assert rim == pytest.approx(middle / 2, rel=0.2)
    assert far < 0.02 * middle


def test_dispersed_cells_stand_alone_and_others_in_clumps() -> None:
    def clumps(dispersal: float) -> int:
        materials = _whole(GeneratedSlide(SLIDE, replace(ONE, border_um=200.0, dispersal=dispersal)))
        return int(ndimage.label(np.isin(materials, EPITHELIAL))[1])

    assert clumps(1.0) > 2 * clumps(0.0)


def test_likeness_fills_germinal_centres_with_cells_that_look_like_tumour() -> None:
    node = LymphOptions(metastases=0, follicles_per_mm2=8.0, germinal_share=1.0, cortex_share=1.0)

    def look_alike(likeness: float) -> int:
        generated = GeneratedSlide(SLIDE, replace(node, likeness=likeness))
        assert generated.scene.facts["germinal_centres"]
        assert not generated.truth.annotations
        return int((_whole(generated) == Material.NUCLEUS_NEOPLASTIC).sum())

    none, some, all_of_them = (look_alike(likeness) for likeness in (0.0, 0.5, 1.0))
    assert none == 0
    assert 0.3 * all_of_them < some < 0.7 * all_of_them


def test_the_node_lies_in_its_capsule_and_is_full_of_lymphocytes() -> None:
    generated = GeneratedSlide(SLIDE, replace(ONE, metastases=0))
    materials = _whole(generated)
    depth = ndimage.distance_transform_edt(materials != Material.GLASS)

    rim, inside = materials[(depth > 3) & (depth < 20)], materials[depth > 120]
    assert np.isin(rim, (Material.CAPSULE, Material.NUCLEUS_CONNECTIVE)).mean() > 0.95
    assert not (inside == Material.CAPSULE).any()
    assert (inside == Material.NUCLEUS_INFLAMMATORY).mean() > 0.35


def test_metastases_cover_the_share_that_was_asked_for() -> None:
    wide = replace(SLIDE, width_px=4096, height_px=4096)
    for count, share in ((2, 0.2), (30, 0.1)):
        generated = GeneratedSlide(wide, LymphOptions(metastases=count, metastasis_share=share))
        outlines = [a.geometry for a in generated.truth.annotations]
        assert sum(o.area for o in outlines) / generated.scene.tissue.area == pytest.approx(share, rel=0.15)
        assert generated.scene.facts["metastatic_share"] == pytest.approx(
            sum(o.area for o in outlines) / generated.scene.tissue.area, abs=1e-6
        )
        assert shapely.union_all(outlines).area == pytest.approx(sum(o.area for o in outlines)), "none overlaps another"


def test_diameters_are_lognormal_around_the_median() -> None:
    wide = replace(SLIDE, width_px=8192, height_px=8192)
    options = LymphOptions(metastases=60, metastasis_um=120.0, metastasis_spread=0.5, wobble=0.1)
    slides = [GeneratedSlide(replace(wide, seed=seed), options) for seed in range(3)]
    logs = np.log([2 * np.sqrt(a.geometry.area / np.pi) for s in slides for a in s.truth.annotations])

    assert len(logs) == 180
    assert np.exp(np.median(logs)) == pytest.approx(120.0, rel=0.12)
    assert logs.std() == pytest.approx(0.5, rel=0.2)


def test_a_block_far_from_all_metastases_is_as_without_them() -> None:
    generated = GeneratedSlide(replace(SLIDE, width_px=4096, height_px=4096), replace(ONE, border_um=60.0))
    far = shapely.box(*generated.truth.annotations[0].geometry.bounds).centroid
    column = 1 if far.x > 2048 else 6

    without = GeneratedSlide(generated.options, replace(ONE, metastases=0))
    assert np.array_equal(generated.materials(column, 4), without.materials(column, 4))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"likeness": 2.0}, "likeness"),
        ({"metastases": -1}, "metastases"),
        ({"metastasis_um": 0.0}, "metastasis_um"),
        ({"metastasis_share": 1.5}, "metastasis_share"),
        ({"metastasis_spread": 9.0}, "metastasis_spread"),
        ({"border_um": -1.0}, "border_um"),
    ],
    ids=["likeness", "count", "size", "share", "spread", "border"],
)
def test_impossible_nodes_are_refused_by_name(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        replace(LymphOptions(), **wrong)  # type: ignore[arg-type]


def test_regions_are_the_same_whatever_is_read_around_them() -> None:
    options = replace(ONE, metastases=3, metastasis_um=150.0, border_um=80.0, likeness=0.5)
    small = replace(SLIDE, width_px=700, height_px=600)
    whole = GeneratedSlide(small, options).read(Region(0, 0, 700, 600))

    assert np.array_equal(GeneratedSlide(small, options).read(Region(470, 300, 90, 260)), whole[300:560, 470:560])
