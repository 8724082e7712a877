"""Cells of a lymph node: lymphocytes everywhere, and who stands between them, by zone and by metastasis."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from scripts.experiments.chance import CellField, Floats, Sites, SmoothField, key_of
from scripts.experiments.frame import Frame
from scripts.experiments.options import LymphOptions, SlideOptions
from scripts.experiments.scene import Materials
from scripts.experiments.shapes import Ellipses
from scripts.experiments.stamps import stamp
from scripts.experiments.tissues import Material

_LARGE_UM, _MIDDLE_UM, _SMALL_UM = 12.5, 8.5, 6.4  # between large cells, those of germinal centres, lymphocytes
_CLUMP_UM = 45.0  # size of the clumps in which coherent metastases thin out
_HISTIOCYTES = 0.45  # of places in a sinus


class Zone(IntEnum):
    """Where in the node a pixel lies, in the order of painting."""

    PULP = 1
    SINUS = 2
    CAPSULE = 3
    MANTLE = 4
    GERMINAL = 5

    @property
    def material(self) -> Material:
        """What lies between its cells."""
        return _GROUND[self]


_GROUND = {
    Zone.PULP: Material.LYMPHOID,
    Zone.SINUS: Material.SINUS,
    Zone.CAPSULE: Material.CAPSULE,
    Zone.MANTLE: Material.LYMPHOID,
    Zone.GERMINAL: Material.GERMINAL,
}
_LYMPHOCYTES = np.array([0.0, 0.9, 0.22, 0.02, 1.0, 0.3])  # share of their places that is taken, by zone


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """What cells are placed into: the frame's zones, share of the metastases' density, and the section's middle."""

    frame: Frame
    zones: NDArray[np.uint8]
    share: NDArray[np.float32]
    middle_um: tuple[float, float]


def paint_cells(materials: Materials, node: Node, slide: SlideOptions, lymph: LymphOptions) -> None:
    """Paint large cells with their bodies, then smaller ones where no body lies, then the large ones' nuclei."""
    large = _Large.of(node, slide, lymph)
    seed, frame = slide.seed, node.frame
    body, nucleus = large.epithelial, large.epithelial
    stamp(materials, large.histiocytes, _look(large.histiocytes, 5.2, 0.15, 1.2, seed), Material.HISTIOCYTE, frame)
    stamp(materials, body, _look(body, 8.6, 0.12, 1.15, seed), Material.PALE_EPITHELIUM, frame)
    _paint_lymphocytes(materials, node, seed)
    _paint_germinal(materials, node, seed)
    _paint_capsule(materials, node, seed)
    stamp(materials, large.histiocytes, _look(large.histiocytes, 2.7, 0.15, 1.4, seed), _EVEN, frame)
    stamp(materials, nucleus, _look(nucleus, 4.5, 0.28, 1.3, seed), Material.NUCLEUS_NEOPLASTIC, frame)


_EVEN = Material.NUCLEUS_EPITHELIAL


@dataclass(frozen=True, slots=True, eq=False)
class _Large:
    """Large cells: epithelial ones (tumour, and what looks as if), and plain histiocytes of the sinuses."""

    epithelial: Sites
    histiocytes: Sites

    @classmethod
    def of(cls, node: Node, slide: SlideOptions, lymph: LymphOptions) -> _Large:
        sites, zone, row, column = _sites("large", _LARGE_UM, node, slide.seed)
        is_tumour = _rank(sites, slide.seed, lymph.dispersal) < lymph.cellularity * node.share[row, column]
        kept, kind = sites.uniform(slide.seed, "large/kept"), sites.uniform(slide.seed, "large/kind")
        is_like = kind < lymph.likeness
        in_sinus = (zone == Zone.SINUS) & (kept < _HISTIOCYTES) & ~is_tumour
        mistaken = is_like & (in_sinus | ((zone == Zone.GERMINAL) & (kept < lymph.cellularity)))
        return cls(sites.where(is_tumour | mistaken), sites.where(in_sinus & ~is_like))


def _rank(sites: Sites, seed: int, dispersal: float) -> Floats:
    """Return a number in 0 to 1 per place, evenly spread: smooth where cells cohere, each its own where dispersed."""
    alone = sites.uniform(seed, "large/rank")
    if dispersal == 1:
        return alone
    clumped = ndtr(SmoothField(key_of(seed, "clumps"), _CLUMP_UM).at(sites.x_um, sites.y_um))
    return np.asarray(np.where(sites.uniform(seed, "large/alone") < dispersal, alone, clumped))


def _paint_lymphocytes(materials: Materials, node: Node, seed: int) -> None:
    sites, zone, row, column = _sites("small", _SMALL_UM, node, seed)
    free = ~np.isin(materials[row, column], (Material.PALE_EPITHELIUM, Material.HISTIOCYTE))
    sites = sites.where(free & (sites.uniform(seed, "small/kept") < _LYMPHOCYTES[zone]))
    stamp(materials, sites, _look(sites, 2.75, 0.12, 1.1, seed), Material.NUCLEUS_INFLAMMATORY, node.frame)


def _paint_germinal(materials: Materials, node: Node, seed: int) -> None:
    sites, zone, row, column = _sites("middle", _MIDDLE_UM, node, seed)
    free = materials[row, column] == Material.GERMINAL
    sites = sites.where(free & (zone == Zone.GERMINAL) & (sites.uniform(seed, "middle/kept") < 0.85))
    stamp(materials, sites, _look(sites, 3.3, 0.15, 1.25, seed), _EVEN, node.frame)


def _paint_capsule(materials: Materials, node: Node, seed: int) -> None:
    sites, zone, _, _ = _sites("spindles", _LARGE_UM, node, seed)
    sites = sites.where((zone == Zone.CAPSULE) & (sites.uniform(seed, "spindles/kept") < 0.5))
    along = np.arctan2(sites.y_um - node.middle_um[1], sites.x_um - node.middle_um[0]) + np.pi / 2
    look = Ellipses(np.full(len(sites), 2.0), np.full(len(sites), 3.0), along)
    stamp(materials, sites, look, Material.NUCLEUS_CONNECTIVE, node.frame)


def _sites(
    stream: str, pitch_um: float, node: Node, seed: int
) -> tuple[Sites, NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of one kind in the frame, their zones, and their rows and columns."""
    sites = CellField(seed, f"lymph/{stream}", pitch_um, 0.36).sites(*node.frame.bounds_um)
    row, column, inside = node.frame.pixels_of(sites)
    row, column = row[inside], column[inside]
    return sites.where(inside), node.zones[row, column], row, column


def _look(sites: Sites, radius_um: float, uneven: float, elongation: float, seed: int) -> Ellipses:
    """Return how cells of one kind look: sizes vary evenly by ± ``uneven``, they lie in any direction."""
    radius = radius_um * (1 + uneven * (2 * sites.uniform(seed, "cell/size") - 1))
    longer = elongation * (0.85 + 0.3 * sites.uniform(seed, "cell/long"))
    return Ellipses(radius, longer, np.pi * sites.uniform(seed, "cell/angle"))
