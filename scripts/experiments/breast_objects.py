"""Ducts and crowds of lymphocytes, as geometry: what lies outside the invasive tumour and may be taken for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from shapely.geometry import Polygon

from scripts.experiments.chance import Floats, Sites
from scripts.experiments.invasion import Invasion
from scripts.experiments.options import SlideOptions, TumourOptions
from scripts.experiments.scene import Drawn, fits, sites_on_slide
from scripts.experiments.shapes import Blob, largest
from scripts.experiments.tissues import Material

_DUCT_UM = (60.0, 175.0)  # radii
_CROWD_UM = (50.0, 150.0)
_ROOM = 1.15


class Code(IntEnum):
    """What of an object a pixel shows, in the order of painting."""

    LYMPHOCYTES = 1
    DUCT_WALL = 2
    DUCT_LINING = 3
    DUCT_FILLING = 4
    DUCT_LUMEN = 5
    DUCT_NECROSIS = 6

    @property
    def material(self) -> Material:
        """What it is made of, nuclei apart."""
        return _MATERIALS[self]


_MATERIALS = {
    Code.LYMPHOCYTES: Material.STROMA,
    Code.DUCT_WALL: Material.MEMBRANE,
    Code.DUCT_LINING: Material.EPITHELIUM,
    Code.DUCT_FILLING: Material.NEST,
    Code.DUCT_LUMEN: Material.LUMEN,
    Code.DUCT_NECROSIS: Material.NECROSIS,
}


@dataclass(slots=True)
class Objects:
    """What was placed on one slide."""

    drawn: list[Drawn] = field(default_factory=list)
    filled_ducts: list[Polygon] = field(default_factory=list)
    aggregates: list[Polygon] = field(default_factory=list)
    normal_ducts: int = 0


def place_objects(slide: SlideOptions, tumour: TumourOptions, tissue: Blob, invasion: Invasion) -> Objects:
    """Place crowds anywhere in the tissue, then ducts outside tumours; nothing of one kind overlaps another."""
    objects = Objects()
    ducts, duct_radius = _place("ducts", tumour.in_situ_per_mm2, _DUCT_UM, slide, tissue)
    clear = np.asarray(invasion.depth_um(ducts.x_um, ducts.y_um) < -(duct_radius * 1.2 + tumour.border_um / 2))
    ducts, duct_radius = ducts.where(clear), duct_radius[clear]
    crowds, crowd_radius = _place("crowds", tumour.lymphocyte_aggregates_per_mm2, _CROWD_UM, slide, tissue)
    gap = np.hypot(crowds.x_um[:, None] - ducts.x_um, crowds.y_um[:, None] - ducts.y_um)
    apart = np.all(gap > 1.25 * (crowd_radius[:, None] + duct_radius), axis=1)
    crowds, crowd_radius = crowds.where(apart), crowd_radius[apart]
    for i, radius in enumerate(crowd_radius.tolist()):
        blob = _blob(crowds, i, radius * 0.9, 0.2, slide, "crowd", 8)
        objects.aggregates.append(blob.polygon(slide.mpp, 72))
        objects.drawn.append((objects.aggregates[-1], int(Code.LYMPHOCYTES)))
    filled = ducts.uniform(slide.seed, "ducts/filled") < tumour.in_situ_filled
    for i, radius in enumerate(duct_radius.tolist()):
        (_draw_filled if filled[i] else _draw_normal)(ducts, i, radius, slide, objects)
    return objects


def _place(
    stream: str, per_mm2: float, radii_um: tuple[float, float], slide: SlideOptions, tissue: Blob
) -> tuple[Sites, Floats]:
    most = 2 * radii_um[1]
    cell = min(most * 1.6, max(most * _ROOM, 1e3 / np.sqrt(max(per_mm2, 1e-6))))
    sites = sites_on_slide(slide, stream, cell, most)
    sites = sites.where(sites.uniform(slide.seed, f"{stream}/kept") < per_mm2 * cell**2 / 1e6)
    radius = radii_um[0] + (radii_um[1] - radii_um[0]) * sites.uniform(slide.seed, f"{stream}/size")
    kept = fits(sites, radius, tissue, slide)
    return sites.where(kept), radius[kept]


def _blob(sites: Sites, i: int, radius: float, wobble: float, slide: SlideOptions, stream: str, harmonics: int) -> Blob:
    name = f"{stream}/{sites.column[i]}/{sites.row[i]}"
    return Blob(float(sites.x_um[i]), float(sites.y_um[i]), radius, radius, wobble, slide.seed, name, harmonics)


def _draw_filled(sites: Sites, i: int, radius: float, slide: SlideOptions, objects: Objects) -> None:
    """Draw an in-situ duct: wall, cells up to small lumens, dead cells in the middle of wide ones."""
    outline = _blob(sites, i, 0.92 * radius, 0.08, slide, "duct", 6).polygon(slide.mpp, 90)
    filling = _blob(sites, i, 0.92 * radius - 5, 0.08, slide, "duct", 6).polygon(slide.mpp, 90)
    objects.filled_ducts.append(outline)
    objects.drawn += [(outline, int(Code.DUCT_WALL)), (largest(filling.intersection(outline)), int(Code.DUCT_FILLING))]
    if radius > 110:
        dead = _blob(sites, i, 0.3 * radius, 0.2, slide, "dead", 8).polygon(slide.mpp, 60)
        objects.drawn.append((dead, int(Code.DUCT_NECROSIS)))


def _draw_normal(sites: Sites, i: int, radius: float, slide: SlideOptions, objects: Objects) -> None:
    """Draw a normal duct: wall, two rows of cells, a folded lumen."""
    for size, wobble, stream, code in (
        (0.92 * radius, 0.1, "duct", Code.DUCT_WALL),
        (0.92 * radius - 5, 0.1, "duct", Code.DUCT_LINING),
        (0.92 * radius - 26, 0.22, "lumen", Code.DUCT_LUMEN),
    ):
        objects.drawn.append((_blob(sites, i, size, wobble, slide, stream, 8).polygon(slide.mpp, 90), int(code)))
    objects.normal_ducts += 1
