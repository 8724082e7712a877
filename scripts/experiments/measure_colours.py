"""How ``tissue_colours.json`` was made: ``python -m scripts.experiments.measure_colours [--cache FOLDER]``.

The source is the demo's H&E picture (histolytics wheel, BSD-3), with outlined nuclei of three kinds. Only numbers leave
it: two stain directions, and per kind of tissue the mean and covariance of the two stains' densities and how that
variance is shared between fine, medium and coarse texture. No pixel is kept.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scripts.demo.material import MPP, PACKAGE, Material, load_material

TARGET = Path(__file__).with_name("tissue_colours.json")
BANDS_UM = (0.5, 2.0)  # the Gaussians' sd that split fine from medium and medium from coarse texture
_WHITE_SATURATION = 0.12  # the least coloured of the picture: holes in the tissue
_BLACK = 3.0  # a density beyond which 8 bits tell nothing
_NEAR_UM = 10.0  # what lies within a nucleus' reach counts as its cytoplasm or its stroma
_RING_UM = 1.0  # left out around nuclei: outlines are not exact to the pixel

_KEPT = (5, 95)  # percentiles; what lies beyond is drawn in to them

Densities = NDArray[np.float64]
Mask = NDArray[np.bool_]


def measure(material: Material) -> dict[str, object]:
    """Return the statistics as they go into the JSON file."""
    pixels = material.pixels.astype(np.float64)
    areas = tissue_areas(material)
    white = np.median(pixels[areas["glass"]], axis=0)
    optical = -np.log(np.clip(pixels, 1.0, None) / white)
    stains = stain_directions(optical[~areas["glass"]])
    densities = optical @ np.linalg.pinv(stains)
    return {
        "source": f"{PACKAGE} data/hgsc_nest.jpg (ovarian carcinoma, H&E), BSD-3-Clause; numbers only, no pixels",
        "made_by": "python -m scripts.experiments.measure_colours",
        "unit": "natural-log optical density along unit stain vectors (hematoxylin, eosin); RGB order",
        "um_per_pixel": MPP,
        "bands_um": list(BANDS_UM),
        "white": white.round(1).tolist(),
        "stains": stains.round(4).tolist(),
        "tissues": {name: _statistics(densities, mask) for name, mask in areas.items() if name != "glass"},
    }


def tissue_areas(material: Material) -> dict[str, Mask]:
    """Return which pixels are which: nuclei as outlined, what lies around them by the nearest nucleus' kind."""
    top, bottom = material.pixels.max(axis=2).astype(float), material.pixels.min(axis=2).astype(float)
    pale = (top - bottom) / np.maximum(top, 1.0) < _WHITE_SATURATION
    glass = ndimage.binary_opening(pale & (bottom > 200), iterations=2)
    nucleus = material.labels > 0
    distance, nearest = ndimage.distance_transform_edt(~nucleus, return_indices=True)
    kind = material.labels[tuple(nearest)]
    around = (distance * MPP > _RING_UM) & (distance * MPP < _NEAR_UM) & ~ndimage.binary_dilation(pale, iterations=3)
    return {
        "glass": glass,
        "stroma": around & (kind == 1),
        "cytoplasm": around & (kind == 3),
        "nucleus_connective": material.labels == 1,
        "nucleus_inflammatory": material.labels == 2,
        "nucleus_neoplastic": material.labels == 3,
    }


def stain_directions(optical: Densities) -> Densities:
    """Return hematoxylin and eosin as unit vectors, shape (2, 3): the extreme angles in the plane of most variance.

    Macenko et al., ISBI 2009, with its constants (density over 0.15, first and ninety-ninth percentile of the angle).
    """
    strong = optical[((optical > 0.15) & (optical < _BLACK)).all(axis=1)]
    _, vectors = np.linalg.eigh(np.cov(strong.T))
    plane = vectors[:, [2, 1]] * np.sign(vectors[:, [2, 1]].sum(axis=0))
    angles = np.arctan2(strong @ plane[:, 1], strong @ plane[:, 0])
    extremes = [plane @ (np.cos(a), np.sin(a)) for a in np.percentile(angles, (1, 99))]
    stains = np.stack([e / np.linalg.norm(e) for e in extremes])
    return stains[np.argsort(-stains[:, 0])]  # hematoxylin takes more of the red than eosin does


def _statistics(densities: Densities, mask: Mask) -> dict[str, object]:
    values = densities[mask]
    values = np.clip(values, *np.percentile(values, _KEPT, axis=0))  # black pixels have no density, only a bound
    shares = np.mean([_band_shares(densities[..., i], mask) for i in range(2)], axis=0)
    return {
        "pixels": int(mask.sum()),
        "mean": values.mean(axis=0).round(4).tolist(),
        "covariance": np.cov(values.T).round(5).tolist(),
        "band_shares": (shares / shares.sum()).round(3).tolist(),
    }


def _band_shares(density: Densities, mask: Mask) -> Densities:
    """Return the variance of fine, medium and coarse texture inside a mask; blurs look at the mask's pixels only."""
    blurred = [density, *(_masked_blur(density, mask, um / MPP) for um in BANDS_UM)]
    bands = [blurred[0] - blurred[1], blurred[1] - blurred[2], blurred[2]]
    return np.array([band[mask].var() for band in bands])


def _masked_blur(density: Densities, mask: Mask, sigma_px: float) -> Densities:
    weight = np.maximum(ndimage.gaussian_filter(mask.astype(float), sigma_px), 1e-6)
    return np.asarray(ndimage.gaussian_filter(np.where(mask, density, 0.0), sigma_px) / weight)


def main() -> None:
    """Measure, and write the numbers beside this module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="folder that holds, or gets, the picture's files")
    arguments = parser.parse_args()
    TARGET.write_text(json.dumps(measure(load_material(arguments.cache)), indent=2) + "\n", encoding="utf-8")
    print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
