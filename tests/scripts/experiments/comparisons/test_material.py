from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from bridge.annotations import Part
from bridge.coords import Region, Window
from bridge.raster import PlanRaster
from scripts.experiments.comparisons.material import described, opened_slides, resized, scheme_of
from scripts.experiments.comparisons.pictures import (
    NUCLEUS,
    Picture,
    judged_pictures,
    opened_pictures,
    training_pictures,
)
from scripts.experiments.options import KidneyOptions
from scripts.experiments.settings import setting

REAL = Path(__file__).parents[5] / "shared" / "data"
DENSE = replace(
    resized(setting("deepzoom-adverse"), 768), scene=KidneyOptions(glomeruli_per_mm2=30.0, cortex_share=1.0)
)


def test_slides_are_written_once_and_labelled_with_the_chosen_classes(tmp_path: Path) -> None:
    scheme = scheme_of(["Glomerulus"])
    with opened_slides(DENSE, [0, 2], 1, tmp_path, scheme) as slides:
        keys = [slide.key for slide in slides]
        whole = PlanRaster(slides[0].plan, scheme, 2.0, Part.TRAINING).burn(Window(0, 0, 384, 384, 2.0)).labels
        assert [slide.metadata["center"] for slide in slides] == ["A", "A"]
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tif")}

    with opened_slides(DENSE, [0, 2], 1, tmp_path, scheme) as slides:
        assert [slide.key for slide in slides] == keys

    assert len(stamps) == 2
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tif")} == stamps
    truth = DENSE.slides(1, seed=1)[0].truth
    area = sum(a.geometry.area for a in truth.annotations if a.path_class == "Glomerulus")
    assert set(np.unique(whole)) == {0, 1}
    assert (whole == 1).sum() * 4 == pytest.approx(area, rel=0.02)


def test_another_setting_is_described_otherwise() -> None:
    chosen = setting("deepzoom-medium")

    assert described(chosen) == described(setting("deepzoom-medium"))
    assert described(chosen) != described(resized(chosen, 1024))
    assert described(chosen) != described(setting("deepzoom-adverse"))


def picture(folder: Path) -> Picture:
    mask = np.zeros((1000, 1000), np.uint8)
    mask[100:140, 580:640] = 1  # across the border at 600
    mask[300:320, 100:120] = 1
    Image.fromarray(np.full((1000, 1000, 3), 200, np.uint8)).save(folder / "TCGA-B0-1.tif")
    Image.fromarray(mask).save(folder / "TCGA-B0-1.png")
    return Picture(folder / "TCGA-B0-1.tif", folder / "TCGA-B0-1.png")


def test_nuclei_are_cut_at_the_border_of_what_is_labelled(tmp_path: Path) -> None:
    drawn = picture(tmp_path)

    with opened_pictures([drawn], Region(0, 0, 600, 1000)) as left, opened_pictures([drawn]) as whole:
        labels = PlanRaster(left[0].plan, NUCLEUS, 1.0, Part.TRAINING).burn(Window(0, 0, 1000, 1000, 1.0)).labels
        areas = sorted(shape.geometry.area for shape in whole[0].plan.shapes)
        assert left[0].slide.pyramid.mpp == (0.25, 0.25)

    assert areas == [400, 2400]
    assert (labels == 1).sum() == 400 + 40 * 20
    assert np.all(labels[:, 600:] == 255)
    assert labels[0, 0] == 0
    assert drawn.organ == "kidney"


def test_changed_file_changes_the_digest(tmp_path: Path) -> None:
    drawn = picture(tmp_path)
    before = drawn.digest()

    Image.fromarray(np.zeros((1000, 1000), np.uint8)).save(drawn.truth)

    assert drawn.digest() != before


def test_absent_data_has_no_pictures(tmp_path: Path) -> None:
    for data in (None, tmp_path):
        assert training_pictures(data) == judged_pictures(data) == []


@pytest.mark.skipif(not (REAL / "segmentation").is_dir(), reason="no real pictures here")
def test_real_pictures_have_their_nuclei() -> None:
    training, judged = training_pictures(REAL), judged_pictures(REAL)

    assert (len(training), len(judged)) == (14, 7)
    assert all(p.organ for p in training)
    assert not {p.name for p in training} & {p.name for p in judged}
    with opened_pictures([training[0], judged[0]]) as slides:
        for slide in slides:
            outlines = [shape.geometry for shape in slide.plan.shapes]
            assert 200 < len(outlines) < 2000
            assert 0.02 < shapely.union_all(outlines).area / 1e6 < 0.6
