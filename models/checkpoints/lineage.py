"""What one slide gave to a training: which save of its annotations, and how much of what was drawn there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SlideLineage:
    """One slide's share in a training.

    Parameters
    ----------
    revision
        SHA-256 of the annotation file that its label plan was made of; empty where nobody told the training.
    objects
        Labelled areas of a class that were trained on, at least in part.
    areas
        Areas labelled completely, likewise. Zero of everything: all of the slide is held out, it only judged.
    patch_labels
        Boxes with one class.
    """

    revision: str = ""
    objects: int = 0
    areas: int = 0
    patch_labels: int = 0

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return what a card holds."""
        return {
            "revision": self.revision,
            "objects": self.objects,
            "areas": self.areas,
            "patch_labels": self.patch_labels,
        }

    @classmethod
    def from_json(cls, data: Any) -> SlideLineage:  # Any: whatever a card held
        """Read what `to_json` wrote; raises KeyError, TypeError or ValueError where it didn't."""
        return cls(str(data["revision"]), int(data["objects"]), int(data["areas"]), int(data["patch_labels"]))
