"""What one cycle of a simulation ends in, and how it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from models.active import MapBox


@dataclass(frozen=True, slots=True)
class CycleStep:
    """One cycle: what was annotated, what it cost and how well the model that learned it does.

    Parameters
    ----------
    cycle
        From 0.
    annotated_share
        Of all tissue of the training and validation slides, what boxes have covered so far; exact, 0 to 1.
    iou
        Class → mean intersection over union of the test slides that hold it; the paper's mIoU(Tumor) is the entry of
        its class. Without background, and without classes that no test slide holds.
    miou
        Mean of those.
    clicks, seconds
        What the boxes cost so far.
    regions
        Boxes so far.
    boxes
        Slide key → boxes of this cycle, in cells.
    patch_labels
        Slide key → those of them that were given one class instead of being drawn.
    reasons
        Slide key → why there are fewer than asked for.
    corrected
        Boxes so far whose prediction was corrected.
    """

    cycle: int
    annotated_share: float
    iou: Mapping[str, float]
    miou: float
    clicks: float
    seconds: float
    regions: int
    boxes: Mapping[str, tuple[MapBox, ...]] = field(default_factory=dict)
    patch_labels: Mapping[str, tuple[tuple[MapBox, int], ...]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    corrected: int = 0

    def to_data(self) -> dict[str, Any]:
        """Return it as plain values that JSON can hold."""
        return {
            "cycle": self.cycle,
            "annotated_share": self.annotated_share,
            "iou": dict(self.iou),
            "miou": self.miou,
            "clicks": self.clicks,
            "seconds": self.seconds,
            "regions": self.regions,
            "boxes": {key: [list(box) for box in boxes] for key, boxes in self.boxes.items()},
            "patch_labels": {key: [[list(b), label] for b, label in found] for key, found in self.patch_labels.items()},
            "reasons": dict(self.reasons),
            "corrected": self.corrected,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_data` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            Something else.
        """
        boxes = {key: tuple(MapBox(*box) for box in found) for key, found in data["boxes"].items()}
        labels = {k: tuple((MapBox(*box), int(c)) for box, c in found) for k, found in data["patch_labels"].items()}
        return cls(**{**data, "boxes": boxes, "patch_labels": labels})
