import numpy as np
import pytest
from scipy import ndimage

from scripts.experiments.options import SlideOptions, TumourOptions
from scripts.experiments.painting import GeneratedSlide
from scripts.experiments.tissues import Material, palette


@pytest.mark.parametrize("material", [Material.STROMA, Material.NEST])
def test_painted_tissue_has_the_measured_colours(material: Material) -> None:
    slide = GeneratedSlide(
        SlideOptions(512, 512, mpp=0.5, seed=1, stain_variation=0.0, tissue_share=1.0),
        TumourOptions(folds=0, fat_share=0.0, tumours=1, tumour_share=0.3),
    )
    shown = ndimage.binary_erosion(slide.materials(0, 0) == material, iterations=4)
    colors = palette()

    optical = -np.log(np.maximum(slide.block(0, 0)[shown], 1) / colors.white).mean(axis=0)

    assert shown.sum() > 1000
    assert optical == pytest.approx(colors.mean[material] @ colors.stains, rel=0.2, abs=0.03)


def test_kinds_of_nuclei_are_darker_than_what_they_lie_in_and_differ() -> None:
    hematoxylin = palette().mean[:, 0]

    assert hematoxylin[Material.NUCLEUS_INFLAMMATORY] > hematoxylin[Material.NUCLEUS_NEOPLASTIC]
    assert hematoxylin[Material.NUCLEUS_NEOPLASTIC] > hematoxylin[Material.NEST] > hematoxylin[Material.STROMA]
