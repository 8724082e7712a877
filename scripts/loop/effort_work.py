"""What people did, counted, and the time that is known of it: by slide and iteration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, fields

from bridge.annotations.roles import Fate
from bridge.store import SaveRecord

Place = tuple[str, int]
"""Key of a slide, and the iteration whose predictions the person saw there."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a person did, counted.

    Parameters
    ----------
    accepted, corrected, rejected
        Predictions.
    added
        Objects drawn by hand.
    declined, patch_labels, boxes
        Proposals: deleted, given one class, labelled completely.
    """

    accepted: int = 0
    corrected: int = 0
    rejected: int = 0
    added: int = 0
    declined: int = 0
    patch_labels: int = 0
    boxes: int = 0

    @property
    def regions(self) -> int:
        """Outlines that are the person's now: the *regions annotated* of H-AI-L."""
        return self.accepted + self.corrected + self.added

    @property
    def on_outlines(self) -> int:
        """Pieces of work on outlines; a rejected prediction leaves no region, but takes time."""
        return self.regions + self.rejected

    @property
    def pieces(self) -> int:
        """Everything."""
        return sum(self.as_counts().values())

    def as_counts(self) -> Mapping[str, int]:
        """Return the counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __add__(self, other: Work) -> Work:
        """Return both together."""
        return Work(*(mine + theirs for mine, theirs in zip(self._counts(), other._counts(), strict=True)))

    def _counts(self) -> tuple[int, ...]:
        return tuple(self.as_counts().values())


_FIELDS: Mapping[Fate, str] = {
    Fate.ACCEPTED: "accepted",
    Fate.CORRECTED: "corrected",
    Fate.REJECTED: "rejected",
    Fate.DECLINED: "declined",
    Fate.PATCH_LABEL: "patch_labels",
    Fate.LABELLED: "boxes",
}


@dataclass(frozen=True, slots=True)
class Time:
    """Time that is known of the work on one slide in one iteration.

    Parameters
    ----------
    regions
        Outlines that it brought.
    seconds
        Spent on outlines, rejected predictions among them.
    box_seconds
        Spent on saves that brought answers to boxes only; no part of a time per region.
    """

    regions: int = 0
    seconds: float = 0.0
    box_seconds: float = 0.0

    def __add__(self, other: Time) -> Time:
        """Return both together."""
        return Time(self.regions + other.regions, self.seconds + other.seconds, self.box_seconds + other.box_seconds)


def work_of(save: SaveRecord) -> Mapping[Place, Work]:
    """Return what one save brought, by iteration; cleared classes count nothing."""
    counts: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for (iteration, fate), number in save.fates.items():
        if fate in _FIELDS:
            counts[iteration][_FIELDS[fate]] += number
    for iteration, number in save.added.items():
        counts[iteration]["added"] += number
    return {(save.slide_key, iteration): Work(**counts[iteration]) for iteration in sorted(counts)}
