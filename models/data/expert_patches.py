"""The patches that experts gave a class to: boxes with one label, no masks."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import ClassScheme, LabelPlan
from bridge.coords import Region
from bridge.errors import UnknownPathClassError
from models.data.patch_ground import PatchGround, PatchOptions, PatchSet

_EPSILON = 1e-6  # working pixels; boxes are whole level-0 pixels divided by a downsample


def expert_patches(plan: LabelPlan, scheme: ClassScheme, ground: PatchGround) -> Iterator[PatchSet]:
    """Yield the patches of each box that an expert gave a class to, away from what is held out or ignored.

    A box gives the patches inside it, on a lattice that begins at its corner; along a side that is shorter than a patch
    it gives the one around its middle. What of a box is off the slide counts for nothing. Patches that hold too little
    tissue are left out, but the one that holds most: somebody looked at the box.

    Raises
    ------
    UnknownPathClassError
        A label that the scheme doesn't have.
    """
    for box in plan.patch_labels:
        if not 0 <= box.label < len(scheme.names):
            raise UnknownPathClassError(f"label {box.label}", scheme.names)
        starts = _starts(box.region, ground)
        patches = PatchSet(starts, np.full(len(starts), box.label, np.int64))
        patches = patches.where(~ground.overlapping(patches, plan.hold_out))
        patches = patches.where(ground.share_outside(patches, plan.ignore) >= ground.options.min_labelled)
        yield patches.where(_rich_in_tissue(patches, ground))


def _starts(region: Region, ground: PatchGround) -> NDArray[np.int64]:
    d = ground.extent.downsample
    columns = _along(region.x / d, region.right / d, ground.extent.width, ground.options)
    rows = _along(region.y / d, region.bottom / d, ground.extent.height, ground.options)
    return np.array([(x, y) for y in rows for x in columns], np.int64).reshape(-1, 2)


def _along(low: float, high: float, slide_px: int, options: PatchOptions) -> list[int]:
    """Return where patches start along one side of a box, moved onto the slide; nowhere if the box is off it."""
    low, high = max(low, 0.0), min(high, slide_px)
    if low >= high:
        return []
    first, last = math.ceil(low - _EPSILON), math.floor(high + _EPSILON) - options.patch_px
    if last < first:
        first = last = round((low + high - options.patch_px) / 2)
    slack = slide_px - options.patch_px  # negative on a slide that is smaller than a patch
    least, most = min(0, slack), max(0, slack)
    return sorted({min(max(start, least), most) for start in range(first, last + 1, options.stride_px)})


def _rich_in_tissue(patches: PatchSet, ground: PatchGround) -> NDArray[np.bool_]:
    shares = np.array([ground.tissue_share(start) for start in patches.starts.tolist()])
    is_rich = shares > ground.options.min_tissue
    if len(shares) and not is_rich.any():
        is_rich[shares.argmax()] = True
    return is_rich
