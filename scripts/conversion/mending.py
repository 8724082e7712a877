"""What ``--repair``, ``--snap`` and ``--least`` do to outlines as read; the report says what they met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shapely.geometry.base import BaseGeometry

from bridge.annotations import Annotation, Repaired, Shape, repair
from bridge.annotations.seams import snap_neighbours, without_slivers, without_tiny_holes
from bridge.errors import ConfigError
from scripts.conversion.reading import Material
from scripts.plain_words import counted

_NO_AREA = "repair leaves no area of {count} outlines (points, lines drawn back and forth): they stay as drawn"


@dataclass(frozen=True, slots=True)
class Mending:
    """What is done to outlines before they are written; in the source they stay as they were drawn.

    Parameters
    ----------
    is_asked
        Make outlines valid, with the area that they were drawn with.
    snap_um
        Close gaps and overlaps between neighbours up to this, in µm; 0 closes none.
    least_um2
        Drop parts, and fill holes, smaller than this, in µm²; 0 does neither.
    """

    is_asked: bool = False
    snap_um: float = 0.0
    least_um2: float = 0.0

    def apply(self, material: Material) -> Material:
        """Return the material with its outlines mended, and lines that say what was met.

        Raises
        ------
        ConfigError
            A measure in µm, and the µm per pixel are not known.
        """
        if not (self.is_asked or self.snap_um or self.least_um2):
            return material
        annotations = list(material.found.annotations)
        places = [i for i, a in enumerate(annotations) if a.shape.is_area and not a.geometry.is_empty]
        mended = self._mended([repair(annotations[i].geometry) for i in places], material.mpp)
        for place, item in zip(places, mended, strict=True):
            annotations[place] = _with_area(annotations[place], item)
        counts = replace(material.found.counts, repaired=sum(bool(item.defects) for item in mended))
        found = replace(material.found, annotations=tuple(annotations), counts=counts)
        return replace(material, found=found, notes=(*material.notes, *_told(mended)))

    def _mended(self, items: Sequence[Repaired], mpp: tuple[float, float] | None) -> Sequence[Repaired]:
        if not (self.snap_um or self.least_um2):
            return items
        if mpp is None:
            raise ConfigError("--snap and --least are in µm, and nobody knows the µm per pixel; give --slide PATH")
        if self.snap_um:
            items = snap_neighbours(items, tolerance_um=self.snap_um, mpp=mpp)
        if self.least_um2:
            items = [without_slivers(item, least_um2=self.least_um2, mpp=mpp) for item in items]
            items = [without_tiny_holes(item, least_um2=self.least_um2, mpp=mpp) for item in items]
        return items


def _with_area(annotation: Annotation, item: Repaired) -> Annotation:
    if not item.defects or item.area.is_empty:
        return annotation
    parts: Sequence[BaseGeometry] = list(item.area.geoms)
    is_plain = len(parts) == 1 and not item.area.geoms[0].interiors
    geometry = parts[0] if len(parts) == 1 else item.area
    return replace(annotation, geometry=geometry, shape=Shape.POLYGON if is_plain else Shape.GEOMETRY)


def _told(mended: Sequence[Repaired]) -> Iterator[str]:
    met: Counter[str] = Counter()
    for item in mended:
        met.update({defect.value: count for defect, count in item.defects.items()})
    if met:
        changed = [item for item in mended if item.defects]
        drawn, area = (sum(areas) for areas in zip(*((i.drawn_px2, i.area_px2) for i in changed), strict=True))
        kinds = ", ".join(f"{count} {what}" for what, count in sorted(met.items()))
        outlines = counted(len(changed), "outline")
        yield f"{outlines} repaired ({kinds}): {drawn:.1f} px² as drawn, {area:.1f} px² as written"
    without = sum(item.area.is_empty for item in mended)
    if without:
        yield _NO_AREA.format(count=without)
