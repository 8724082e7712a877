"""Nuclei of breast tissue: which kind stands where, by what lies under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scripts.experiments.breast_objects import Code
from scripts.experiments.chance import CellField, Sites
from scripts.experiments.frame import Frame
from scripts.experiments.options import Grade, SlideOptions, TumourOptions
from scripts.experiments.scene import Drawn, Materials
from scripts.experiments.shapes import Ellipses, polygons
from scripts.experiments.tissues import Material

_SMALL_UM = 6.6  # between small nuclei; lymphocytes in a crowd nearly touch
_LARGE_UM: dict[Grade, float] = {1: 8.6, 2: 10.0, 3: 12.0}
_RADIUS_UM: dict[Grade, float] = {1: 3.4, 2: 4.1, 3: 5.0}  # Nottingham's nuclear score: size …
_UNEVEN: dict[Grade, float] = {1: 0.1, 2: 0.2, 3: 0.38}  # … and its variation


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What nuclei are placed into: materials without nuclei, objects' codes, tumour share, the fibres' direction."""

    frame: Frame
    materials: Materials
    codes: NDArray[np.uint8]
    share: NDArray[np.float32]
    angle: float


def place_nuclei(around: Around, slide: SlideOptions, tumour: TumourOptions) -> list[Drawn]:
    """Return every nucleus that may touch a frame."""
    return [*_small(around, slide, tumour), *_large(around, slide, tumour)]


def _small(around: Around, slide: SlideOptions, tumour: TumourOptions) -> list[Drawn]:
    sites, under, code, share = _sites("small nuclei", _SMALL_UM, around, slide)
    chance = sites.uniform(slide.seed, "small/kept")
    kind = sites.uniform(slide.seed, "small/kind")
    in_crowd = code == Code.LYMPHOCYTES
    lymphocyte = (in_crowd & (chance < 0.8)) | ((under == Material.STROMA) & ~in_crowd & (chance > 0.985))
    lining = (under == Material.EPITHELIUM) & (chance < 0.6)
    spindle = np.isin(under, (Material.STROMA, Material.MEMBRANE)) & ~in_crowd & (chance < 0.085)
    odd = spindle & (share <= 0) & (kind < tumour.background_likeness)
    return [
        *_drawn(sites.where(lymphocyte), 3.0, 0.08, 1.1, None, Material.NUCLEUS_INFLAMMATORY, slide),
        *_drawn(sites.where(lining), 2.7, 0.1, 1.3, None, Material.NUCLEUS_EPITHELIAL, slide),
        *_drawn(sites.where(spindle & ~odd), 2.3, 0.15, 3.0, around.angle, Material.NUCLEUS_CONNECTIVE, slide),
        *_drawn(sites.where(odd), _RADIUS_UM[tumour.grade], 0.2, 1.3, None, Material.NUCLEUS_NEOPLASTIC, slide),
    ]


def _large(around: Around, slide: SlideOptions, tumour: TumourOptions) -> list[Drawn]:
    sites, under, code, _ = _sites("large nuclei", _LARGE_UM[tumour.grade], around, slide)
    kept = (under == Material.NEST) & (sites.uniform(slide.seed, "large/kept") < 0.88)
    even = kept & (code == Code.DUCT_FILLING) & (sites.uniform(slide.seed, "large/kind") >= tumour.likeness)
    radius, uneven = _RADIUS_UM[tumour.grade], _UNEVEN[tumour.grade]
    return [
        *_drawn(sites.where(kept & ~even), radius, uneven, 1.3, None, Material.NUCLEUS_NEOPLASTIC, slide),
        *_drawn(sites.where(even), 3.0, 0.06, 1.1, None, Material.NUCLEUS_EPITHELIAL, slide),
    ]


def _sites(
    stream: str, pitch_um: float, around: Around, slide: SlideOptions
) -> tuple[Sites, Materials, NDArray[np.uint8], NDArray[np.float32]]:
    frame = around.frame
    sites = CellField(slide.seed, stream, pitch_um, 0.3).sites(*frame.bounds_um)
    row, column, inside = frame.pixels_of(sites)
    row, column = row[inside], column[inside]
    return sites.where(inside), around.materials[row, column], around.codes[row, column], around.share[row, column]


def _drawn(
    sites: Sites,
    radius_um: float,
    uneven: float,
    elongation: float,
    angle: float | None,
    material: Material,
    slide: SlideOptions,
) -> list[Drawn]:
    """Return nuclei of one kind; sizes vary evenly by ± ``uneven``, angles freely or about one direction."""
    turn = sites.uniform(slide.seed, "nuclei/angle")
    angles = np.pi * turn if angle is None else angle + 0.7 * (turn - 0.5)
    radius = radius_um * (1 + uneven * (2 * sites.uniform(slide.seed, "nuclei/size") - 1))
    look = Ellipses(radius, elongation * (0.85 + 0.3 * sites.uniform(slide.seed, "nuclei/long")), angles)
    return [(outline, int(material)) for outline in polygons(sites, look, slide.mpp, slide.seed)]
