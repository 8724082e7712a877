"""A proposal: a box offered to a person for labelling, with its reason."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.coords import Region


@dataclass(frozen=True, slots=True)
class Proposal:
    """A region to label next.

    Parameters
    ----------
    region
        Level-0 pixels.
    rank
        1 is the first to label.
    score
        Mean priority over the box, in the acquisition's own unit; 0 for random boxes.
    reason
        In words: ``"uncertain Tumor / Stroma"``.
    """

    region: Region
    rank: int
    score: float
    reason: str

    @property
    def text(self) -> str:
        """What the person reads: rank, reason and score.

        Examples
        --------
        >>> Proposal(Region(0, 0, 9, 9), 2, 0.41, "uncertain Tumor").text
        '#2 uncertain Tumor, 0.41'
        """
        return f"#{self.rank} {self.reason}, {self.score:.2f}"
