"""What of a label plan is new since it was last learned from, and whether anything learned from has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import shapely
from shapely.geometry.base import BaseGeometry

from bridge.annotations.geometry import repair_area, repair_areas
from bridge.annotations.labels import IGNORE_PREFIX, area_key, learned_keys, patch_key, shape_keys, training_shapes
from bridge.annotations.plan import LabelPlan


@dataclass(frozen=True, slots=True)
class NewLabels:
    """What one slide has to teach that no training learned from.

    Parameters
    ----------
    area
        Newly labelled area that trains, level-0 px²: what overlaps counts once.
    patches
        New patch labels.
    is_corrected
        Something that the last training learned from is gone, or is another shape or class now.
    """

    area: float
    patches: int
    is_corrected: bool


def new_labels(plan: LabelPlan, learned: Collection[str], last_digest: str | None) -> NewLabels:
    """Compare a plan with what was learned from.

    Parameters
    ----------
    learned
        ``learned_keys`` of every training so far, together.
    last_digest
        ``keys_digest`` of those of the last training; None when it didn't learn from the slide.
    """
    keys = learned_keys(plan)
    known = keys & frozenset(learned)
    held = {area_key(area) for area in plan.hold_out}
    fresh = [a for a in plan.complete if (key := area_key(a)) not in held and key not in known]
    trains = training_shapes(plan)
    fresh += [s.geometry for s, name in zip(trains, shape_keys(trains), strict=True) if name not in known]
    # What was known and is here no more shows in the digest; so does an ignored area that is new: it takes away.
    takes_away = any(key.startswith(IGNORE_PREFIX) for key in keys - known)
    is_corrected = last_digest is not None and (takes_away or keys_digest(known) != last_digest)
    patches = sum(patch_key(patch) not in known for patch in plan.patch_labels)
    return NewLabels(_area_of(plan, fresh), patches, is_corrected)


def without_news(plan: LabelPlan) -> LabelPlan:
    """Return the plan for a training that begins anew: what is new is no more to it than all the rest.

    What people rejected stays emphasized.
    """
    labelled = [*plan.complete, *(shape.geometry for shape in plan.shapes)]
    labelled += [patch.region.to_polygon() for patch in plan.patch_labels]
    if plan.hold_out:  # what is emphasized was cut there
        held = shapely.union_all(plan.hold_out)
        labelled += [repair_area(shapely.difference(area, held)) for area in labelled if area.intersects(held)]
    news = {area_key(area) for area in labelled if not area.is_empty}
    return replace(plan, emphasis=tuple(area for area in plan.emphasis if area_key(area) not in news))


def keys_digest(keys: Collection[str]) -> str:
    """Name a set of keys, in whatever order they come."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()[:32]


def _area_of(plan: LabelPlan, fresh: Sequence[BaseGeometry]) -> float:
    if not fresh:
        return 0.0
    together = shapely.union_all(repair_areas(fresh))
    away = [*plan.hold_out, *plan.ignore]
    left = shapely.difference(together, shapely.union_all(repair_areas(away))) if away else together
    return float(left.area)
