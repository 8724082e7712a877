"""What ``status`` tells of a slide's file, small enough to be kept: of a slide that is as it was nothing is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import shapely

from bridge.annotations.labels import Taught, taught_by
from bridge.annotations.roles import Role
from scripts.loop.patch_labels import unheeded, unheeded_count
from scripts.loop.pull import SlideState, suspicion
from scripts.options import ModelOptions, SourceKind
from scripts.plain_words import counted

_WORDS: Mapping[Role, tuple[str, str]] = {
    Role.ANNOTATION: ("annotation", "annotations"),
    Role.ROI: ("ROI", "ROIs"),
    Role.IGNORE: ("ignored area", "ignored areas"),
    Role.PREDICTION: ("prediction", "predictions"),
    Role.PROPOSAL: ("proposal", "proposals"),
    Role.PATCH_LABEL: ("patch label", "patch labels"),
    Role.OTHER: ("other object", "other objects"),
}


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """One slide, as it was read.

    Parameters
    ----------
    facts
        For machines.
    said
        The same in a few words.
    warnings
        Of reading it.
    suspicion, unheeded
        A line for people: why its save isn't believed, and what of it isn't learned from.
    unheeded_count
        Patch labels that the design doesn't learn from.
    is_labelled
        It teaches something, or judges.
    """

    facts: Mapping[str, object]
    said: str
    warnings: tuple[str, ...]
    suspicion: str | None
    unheeded: str | None
    unheeded_count: int
    taught: Taught
    is_labelled: bool

    @classmethod
    def of(cls, state: SlideState, model: ModelOptions, kind: SourceKind) -> SlideFacts:
        """Return those of a slide that was read."""
        reading = state.reading
        left = unheeded(reading, model, kind)
        return cls(
            _facts(state),
            _said(state),
            reading.warnings,
            suspicion(reading) if state.is_suspicious else None,
            f"{reading.entry.name}: {left}" if left is not None else None,
            unheeded_count([reading], model),
            taught_by(state.plan),
            not state.plan.is_empty,
        )

    def as_json(self) -> dict[str, object]:
        """Return what ``from_json`` takes; for a slide whose save is believed."""
        return {
            "facts": dict(self.facts),
            "said": self.said,
            "warnings": list(self.warnings),
            "unheeded": self.unheeded,
            "unheeded_count": self.unheeded_count,
            "shapes": sorted(self.taught.shapes),
            "patches": sorted(self.taught.patches),
            "has_background": self.taught.has_background,
            "is_labelled": self.is_labelled,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> SlideFacts:
        """Return what ``as_json`` gave."""
        taught = Taught(frozenset(kept["shapes"]), frozenset(kept["patches"]), kept["has_background"])
        return cls(
            kept["facts"],
            kept["said"],
            tuple(kept["warnings"]),
            None,
            kept["unheeded"],
            kept["unheeded_count"],
            taught,
            kept["is_labelled"],
        )


def labelled_area(state: SlideState) -> float:
    """Return the area that is labelled completely, level-0 px²: the exact union of the ROIs."""
    return float(shapely.union_all(list(state.plan.complete)).area) if state.plan.complete else 0.0


def _facts(state: SlideState) -> Mapping[str, object]:
    reading = state.reading
    counts = reading.found.counts
    return {
        "objects": len(reading.found),
        "objects_of_people": reading.human_count,
        "roles": {role.value: len(found) for role in Role if (found := reading.reconciled.of(role))},
        "unknown_classes": dict(reading.reconciled.unknown),
        "repaired": counts.repaired,
        "verbatim": dict(counts.verbatim),
        "off_slide": counts.off_slide,
        "labelled_um2": round(labelled_area(state) * reading.mpp[0] * reading.mpp[1], 1),
        "hold_out_areas": len(state.plan.hold_out),
        "suspicious": state.is_suspicious,
        "failed_save": reading.is_held,
    }


def _said(state: SlideState) -> str:
    found = {role: len(items) for role in Role if (items := state.reading.reconciled.of(role))}
    held_out = len(state.plan.hold_out)
    told = ", ".join(counted(n, *_WORDS[role]) for role, n in found.items()) or "no objects"
    return told + (f", {counted(held_out, 'area')} held out" if held_out else "")
