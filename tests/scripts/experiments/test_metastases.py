import numpy as np
import pytest
from shapely.geometry import Polygon

from scripts.experiments.metastases import Metastases
from scripts.experiments.options import LymphOptions, SlideOptions
from scripts.experiments.scene import tissue_blob

SLIDE = SlideOptions(2000, 2000, mpp=1.0, seed=5)
TISSUE = tissue_blob(SLIDE, 0.1)
STEP_UM = 4.0


def _shares(options: LymphOptions, seed: int = 5) -> np.ndarray:
    slide = SlideOptions(2000, 2000, mpp=1.0, seed=seed)
    x, y = np.meshgrid(*(np.arange(0, 2000, STEP_UM),) * 2)
    return Metastases(slide, options, TISSUE).share(x, y)


@pytest.mark.parametrize("border_um", [60.0, 400.0])
def test_density_falls_off_without_a_step(border_um: float) -> None:
    """A steeper fall than the border's would be a place where a metastasis is forgotten too early."""
    share = _shares(LymphOptions(metastases=4, metastasis_um=300.0, border_um=border_um, wobble=0.1))

    steepest = max(np.abs(np.diff(share, axis=axis)).max() for axis in (0, 1))
    assert share.max() == pytest.approx(1.0, abs=0.35)
    assert share.min() == 0
    assert steepest < 3 * STEP_UM / border_um


def test_what_is_not_asked_for_is_not_there() -> None:
    assert not _shares(LymphOptions(metastases=0)).any()
    assert Metastases(SLIDE, LymphOptions(metastases=0, metastasis_share=0.5), TISSUE).outlines(_outline()) == []


def test_metastases_that_find_room_lie_apart_and_inside() -> None:
    options = LymphOptions(metastases=8, metastasis_um=120.0)
    outlines = Metastases(SLIDE, options, TISSUE).outlines(_outline())

    assert len(outlines) == 8
    assert all(_outline().contains(outline) for outline in outlines)


def test_none_is_larger_than_the_section() -> None:
    outlines = Metastases(SLIDE, LymphOptions(metastases=1, metastasis_um=9000.0), TISSUE).outlines(_outline())

    assert len(outlines) == 1
    assert _outline().buffer(1).contains(outlines[0])
    assert outlines[0].area < 0.9 * _outline().area


def _outline() -> Polygon:
    return TISSUE.polygon(SLIDE.mpp, 720)
