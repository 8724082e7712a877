"""What slides are made of: materials, each with the colours of a real tissue (``tissue_colours.json``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_NUMBERS = Path(__file__).with_name("tissue_colours.json")


class Material(IntEnum):
    """What a pixel shows. Truth is never read from it: truth is geometry."""

    GLASS = 0
    LUMEN = 1
    STROMA = 2
    EPITHELIUM = 3
    PALE_EPITHELIUM = 4
    NEST = 5
    MEMBRANE = 6
    MUSCLE = 7
    BLOOD = 8
    NECROSIS = 9
    CAPSULE = 10
    BOWMAN_SPACE = 11
    TUFT = 12
    CAPILLARY = 13
    TUFT_NUCLEUS = 14
    SCLEROSIS = 15
    NUCLEUS_EPITHELIAL = 16
    NUCLEUS_CONNECTIVE = 17
    NUCLEUS_INFLAMMATORY = 18
    NUCLEUS_NEOPLASTIC = 19
    LYMPHOID = 20
    GERMINAL = 21
    SINUS = 22
    HISTIOCYTE = 23


NOTHING = 255
"""Where no shape was burnt."""

# Material → (measured tissue, factor of hematoxylin, of eosin, of the texture's sd). What was not in the measured
# picture is a neighbour of what was: muscle, sclerosis and red cells as stroma with more eosin, histiocytes and
# what fills sinuses as stroma with less of both, epithelium as cytoplasm with less hematoxylin.
_RECIPES: dict[Material, tuple[str, float, float, float]] = {
    Material.GLASS: ("stroma", 0.0, 0.0, 0.0),
    Material.LUMEN: ("stroma", 0.03, 0.05, 0.07),
    Material.STROMA: ("stroma", 0.45, 1.0, 0.5),
    Material.EPITHELIUM: ("cytoplasm", 0.5, 1.15, 0.5),
    Material.PALE_EPITHELIUM: ("cytoplasm", 0.45, 0.7, 0.5),
    Material.NEST: ("cytoplasm", 1.15, 0.95, 0.9),
    Material.MEMBRANE: ("stroma", 0.3, 0.6, 0.3),
    Material.MUSCLE: ("stroma", 0.4, 1.45, 0.4),
    Material.BLOOD: ("stroma", 0.1, 2.0, 0.5),
    Material.NECROSIS: ("stroma", 0.8, 1.5, 0.9),
    Material.CAPSULE: ("stroma", 0.5, 1.3, 0.4),
    Material.BOWMAN_SPACE: ("stroma", 0.03, 0.05, 0.07),
    Material.TUFT: ("cytoplasm", 0.85, 0.9, 0.7),
    Material.CAPILLARY: ("stroma", 0.12, 0.3, 0.4),
    Material.TUFT_NUCLEUS: ("nucleus_connective", 0.95, 0.7, 0.6),
    Material.SCLEROSIS: ("stroma", 0.4, 1.45, 0.5),
    Material.NUCLEUS_EPITHELIAL: ("nucleus_neoplastic", 1.15, 0.9, 0.8),
    Material.NUCLEUS_CONNECTIVE: ("nucleus_connective", 1.0, 0.9, 0.7),
    Material.NUCLEUS_INFLAMMATORY: ("nucleus_inflammatory", 1.0, 0.8, 0.6),
    Material.NUCLEUS_NEOPLASTIC: ("nucleus_neoplastic", 1.2, 1.05, 1.0),
    Material.LYMPHOID: ("cytoplasm", 0.85, 0.6, 0.6),
    Material.GERMINAL: ("cytoplasm", 0.6, 0.6, 0.6),
    Material.SINUS: ("stroma", 0.15, 0.3, 0.5),
    Material.HISTIOCYTE: ("stroma", 0.3, 0.75, 0.5),
}


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Colours by material number, as tables to index with a material map.

    Parameters
    ----------
    stains
        Unit optical densities of hematoxylin and eosin, shape (2, 3).
    white
        RGB of glass.
    mean
        Stain densities, (materials, 2).
    spread
        Cholesky factor of their covariance, (materials, 2, 2).
    bands
        Square roots of the shares of fine, medium and coarse texture, (materials, 3).
    """

    stains: NDArray[np.float64]
    white: NDArray[np.float64]
    mean: NDArray[np.float32]
    spread: NDArray[np.float32]
    bands: NDArray[np.float32]


@cache
def palette() -> Palette:
    """Read the measured numbers and mix the materials from them."""
    numbers = json.loads(_NUMBERS.read_text(encoding="utf-8"))
    mean, spread, bands = [], [], []
    for material in Material:
        tissue, hematoxylin, eosin, texture = _RECIPES[material]
        measured = numbers["tissues"][tissue]
        mean.append(np.multiply(measured["mean"], (hematoxylin, eosin)))
        spread.append(np.linalg.cholesky(np.array(measured["covariance"])) * texture)
        bands.append(np.sqrt(measured["band_shares"]))
    tables = [np.array(table, dtype=np.float32) for table in (mean, spread, bands)]
    return Palette(np.array(numbers["stains"]), np.array(numbers["white"]), *tables)
