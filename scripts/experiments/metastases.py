"""Where the metastases of a lymph node are: outlines, and how dense their cells are around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from shapely.geometry import Polygon

from scripts.experiments.chance import Floats, key_of, normal, uniform
from scripts.experiments.invasion import cell_share, joined
from scripts.experiments.options import LymphOptions, SlideOptions
from scripts.experiments.shapes import Blob

_TRIES = 40  # places looked at for one metastasis before it may overlap another
_WIDEST = 0.85  # of the section's half extents
_MOST_SD = 2.0  # a lognormal's tail is cut here: no slide is one metastasis by chance
_SMALL_UM = 300.0  # radius up to which an outline has few vertices


@dataclass(frozen=True, slots=True)
class _Metastasis:
    area: Blob
    reach_um: float  # no cell of it lies farther from its middle


class Metastases:
    """The metastases of one slide. Outline and density come of one formula: on the outline half of the cells are left.

    Parameters
    ----------
    slide, lymph
        What was asked for.
    tissue
        The section's outline.
    """

    def __init__(self, slide: SlideOptions, lymph: LymphOptions, tissue: Blob) -> None:
        self._slide, self._lymph = slide, lymph
        self._placed: list[_Metastasis] = []
        radii = self._radii(tissue)
        for number in np.argsort(-radii, kind="stable").tolist():  # large ones first: they find place
            self._placed.append(self._place(number, float(radii[number]), tissue))

    def share(self, x_um: Floats, y_um: Floats) -> Floats:
        """Return how far a place has the inside's density of cells: 0 outside, 0.5 on an outline, 1 inside."""
        densest = np.zeros(np.shape(x_um))
        for one in self._placed:
            near = (np.abs(x_um - one.area.x_um) <= one.reach_um) & (np.abs(y_um - one.area.y_um) <= one.reach_um)
            if near.any():
                depth = one.area.depth_um(x_um[near], y_um[near])
                share = cell_share(depth, self._lymph.border_um, self._slide.mpp)
                densest[near] = np.maximum(densest[near], share)
        return densest

    def outlines(self, tissue: Polygon) -> list[Polygon]:
        """Return the truth: joined where they overlap, cut off where the section ends."""
        areas = [one.area for one in self._placed]
        outlines = [area.polygon(self._slide.mpp, 240 if area.width_um < _SMALL_UM else 720) for area in areas]
        return joined(outlines, tissue, self._slide)

    def _radii(self, tissue: Blob) -> Floats:
        """Return lognormal radii, scaled to the share of the section that was asked for, if any was."""
        places = np.arange(self._lymph.metastases)
        sd = np.clip(normal(key_of(self._slide.seed, "metastases/size"), places, places), -_MOST_SD, _MOST_SD)
        radii = self._lymph.metastasis_um / 2 * np.exp(self._lymph.metastasis_spread * sd.astype(np.float64))
        if self._lymph.metastasis_share is not None and len(radii):
            wanted = self._lymph.metastasis_share * tissue.width_um * tissue.height_um
            radii *= np.sqrt(wanted / np.square(radii).sum())
        return np.asarray(np.minimum(radii, _WIDEST * min(tissue.width_um, tissue.height_um)))

    def _place(self, number: int, radius: float, tissue: Blob) -> _Metastasis:
        """Take the first of many places that lies in the section and clear of the others; else the first inside."""
        tries, slot = np.arange(_TRIES), np.full(_TRIES, number)
        chance = [uniform(key_of(self._slide.seed, f"metastases/{axis}"), tries, slot) for axis in ("x", "y", "long")]
        x = tissue.x_um + (2 * chance[0] - 1) * tissue.width_um
        y = tissue.y_um + (2 * chance[1] - 1) * tissue.height_um
        room = tissue.depth_um(x, y) - radius * (1 + self._lymph.wobble)
        gaps = [np.hypot(x - o.area.x_um, y - o.area.y_um) - 1.3 * (radius + o.area.width_um) for o in self._placed]
        clear = np.minimum.reduce([room, *gaps])
        chosen = int(np.argmax(clear > 0)) if (clear > 0).any() else int(np.argmax(room))
        stretch = 0.85 + 0.3 * float(chance[2][0])
        name = f"metastasis/{number}"
        area = Blob(
            float(x[chosen]),
            float(y[chosen]),
            radius * stretch,
            radius / stretch,
            self._lymph.wobble,
            self._slide.seed,
            name,
            16,
        )
        return _Metastasis(area, self._reach_um(area))

    def _reach_um(self, area: Blob) -> float:
        """Return the largest distance from the middle along an axis at which the density is not yet 0."""
        left, top, right, bottom = (v * self._slide.mpp for v in area.polygon(self._slide.mpp, 360).bounds)
        farthest = max(right - area.x_um, area.x_um - left, bottom - area.y_um, area.y_um - top)
        soft = max(self._lymph.border_um, self._slide.mpp) / 2 / min(area.width_um, area.height_um)
        return farthest * (1 + soft) * 1.02 + self._slide.mpp
