"""What the selection of regions is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class SelectionMethod(Enum):
    """How regions are found on a priority map (Qiu et al., MICCAI 2023, section 2.2)."""

    RANDOM = "random"
    """Squares anywhere in tissue: the baseline, and the first round while no model exists."""
    STANDARD = "standard"
    """The squares of the largest summed priority."""
    STANDARD_NONSQUARE = "standard_nonsquare"
    """The same with rectangles of the square's area and several aspect ratios."""
    ADAPTIVE = "adaptive"
    """The bounding box of an informative area, in size and shape as the tissue has it."""


class SelectionVariant(Enum):
    """Whose behaviour: the paper's text or the code published with it."""

    PAPER = "paper"
    """`select_regions`: the text, exact, with nothing overlapping."""
    CODE = "code"
    """`select_as_published`: with the published code's known faults, for comparison only; boxes may overlap."""


class SizeRule(Enum):
    """What the adaptive range from l/2 × l/2 to 3l/2 × 3l/2 is a range of; the paper leaves it open."""

    AREA = "area"
    """Of the box's area, as in the paper's own runs: long thin boxes pass."""
    SIDE = "side"
    """Of each side."""


@dataclass(frozen=True, slots=True)
class SelectionOptions:
    """What to select; lengths in map pixels.

    Parameters
    ----------
    method
        How regions are found.
    k
        Regions asked for.
    size
        l: side of a square region; the other methods take their sizes from it. Clipped to the map.
    min_tissue
        Least share of tissue in a region.
    shape_step
        ``STANDARD_NONSQUARE``: step of the widths from l/2 to l (the paper's 256 level-0 pixels).
    percentiles
        ``ADAPTIVE``: range in which the threshold is searched.
    rounds
        ``ADAPTIVE``: steps of that search.
    size_rule
        ``ADAPTIVE``: by area or by side.

    Raises
    ------
    ValueError
        A value is out of its range.
    """

    method: SelectionMethod = SelectionMethod.ADAPTIVE
    k: int = 5
    size: int = 32
    min_tissue: float = 0.10
    shape_step: int = 1
    percentiles: tuple[float, float] = (98.0, 100.0)
    rounds: int = 10
    size_rule: SizeRule = SizeRule.AREA

    def __post_init__(self) -> None:
        low, high = self.percentiles
        ranges = {
            "k": self.k >= 0,
            "size": self.size >= 1,
            "min_tissue": 0 <= self.min_tissue <= 1,
            "shape_step": self.shape_step >= 1,
            "percentiles": 0 <= low < high <= 100,
            "rounds": self.rounds >= 1,
        }
        wrong = [name for name, is_right in ranges.items() if not is_right]
        if wrong:
            raise ValueError(f"selection options out of range: {', '.join(wrong)} in {self}")


class MapBox(NamedTuple):
    """Rectangle of whole map pixels, half-open; any tuple of four such numbers will do."""

    x: int
    y: int
    width: int
    height: int


def boxes_of(found: int, wanted: int) -> str:
    """Return how many boxes of those wanted were found, in words.

    Examples
    --------
    >>> boxes_of(0, 1), boxes_of(3, 5)
    ('0 of 1 box', '3 of 5 boxes')
    """
    return f"{found} of {wanted} {'box' if wanted == 1 else 'boxes'}"


@dataclass(frozen=True, slots=True)
class ScoredBox:
    """A selected region.

    Parameters
    ----------
    box
        Map pixels.
    score
        Mean priority inside; 0 for random boxes, which don't look at it.
    """

    box: MapBox
    score: float


@dataclass(frozen=True, slots=True)
class Selection:
    """What was selected, best first.

    Parameters
    ----------
    boxes
        Disjoint from each other and from what was taken, inside the map.
    reason
        Why there are fewer than asked for; None where there are not.
    """

    boxes: tuple[ScoredBox, ...]
    reason: str | None = None
