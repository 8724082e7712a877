"""The label plan: what is labelled, complete, ignored and held out on one slide, as geometry, not pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations.outlines import as_array
from bridge.coords import Region


class Part(Enum):
    """Which labels a raster of the plan shows; the rest is ignored there."""

    TRAINING = "training"  # everything but what is held out
    HOLD_OUT = "hold-out"  # held-out areas only, without labels that began as predictions


@dataclass(frozen=True, slots=True)
class LabelledShape:
    """An area of one class.

    Parameters
    ----------
    geometry
        Valid polygon or multipolygon, level-0 pixels.
    label
        Integer of the class in the scheme.
    is_blind
        False when the shape began as a prediction: it trains but never judges.
    """

    geometry: BaseGeometry
    label: int
    is_blind: bool = True


@dataclass(frozen=True, slots=True)
class PatchLabel:
    """One class for a box: cheap, mostly right, no mask (L2S)."""

    region: Region
    label: int


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """What one slide teaches; the order in which things are listed means nothing.

    Parameters
    ----------
    slide_key
        The slide within its project.
    shapes
        Labelled areas, in whatever order: overlap is decided by the scheme's priority.
    complete
        Areas (ROIs) inside which unlabelled pixels are background. Outside, unlabelled pixels are ignored.
    ignore
        Areas never learned from nor judged; stronger than everything else.
    hold_out
        Areas, each within ``complete``, that judge and never train.
    emphasis
        Areas drawn more often: what is new or corrected since the last training, rejected predictions inside ROIs.
    patch_labels
        Boxes with one class.
    """

    slide_key: str
    shapes: tuple[LabelledShape, ...] = ()
    complete: tuple[BaseGeometry, ...] = ()
    ignore: tuple[BaseGeometry, ...] = ()
    hold_out: tuple[BaseGeometry, ...] = ()
    emphasis: tuple[BaseGeometry, ...] = ()
    patch_labels: tuple[PatchLabel, ...] = ()
    _hash: list[str] = field(default_factory=list, init=False, repr=False, compare=False)  # once it was asked for

    @property
    def is_empty(self) -> bool:
        """Whether nothing is labelled."""
        return not (self.shapes or self.complete or self.patch_labels)

    def content_hash(self) -> str:
        """Return a SHA-256 over everything that decides the labels; same plan, same hash, whatever is listed first."""
        if not self._hash:
            self._hash.append(self._hashed())
        return self._hash[0]

    def _hashed(self) -> str:
        digest = hashlib.sha256(f"{self.slide_key}\0".encode())
        outlines = _wkb([shape.geometry for shape in self.shapes])
        said = [f"shape {shape.label} {shape.is_blind}".encode() for shape in self.shapes]
        for wkb, what in sorted(zip(outlines, said, strict=True)):
            digest.update(what)
            digest.update(wkb)
        for title, areas in (("complete", self.complete), ("ignore", self.ignore), ("hold-out", self.hold_out)):
            for wkb in sorted(_wkb(areas)):
                digest.update(title.encode())
                digest.update(wkb)
        for line in sorted(f"patch {patch.label} {patch.region.bounds}" for patch in self.patch_labels):
            digest.update(line.encode())
        return digest.hexdigest()


def _wkb(areas: Sequence[BaseGeometry]) -> Sequence[bytes]:
    """Return the WKB of areas, made of all at once."""
    return list(shapely.to_wkb(as_array(areas)))
