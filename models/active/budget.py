"""Budget: of the candidates of all slides, the best ones, so many per slide and so many altogether."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from models.active.diversity import DiversityOptions, Looks
from models.active.options import boxes_of


@dataclass(frozen=True, slots=True)
class Budget:
    """How many regions may be asked for.

    Parameters
    ----------
    per_slide
        On one slide.
    total
        On all slides together; None for no limit but the slides' own.

    Raises
    ------
    ValueError
        A value is negative.
    """

    per_slide: int
    total: int | None = None

    def __post_init__(self) -> None:
        if self.per_slide < 0 or (self.total is not None and self.total < 0):
            raise ValueError(f"a budget must not be negative: {self}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A region that one slide would ask for.

    Parameters
    ----------
    slide
        Which slide it lies on.
    score
        Mean priority, comparable between slides; 0 for a random region, infinite for one that must come first.
    look
        What it looks like (see `models.active.diversity`); only needed for diversity, and then of one length for all.

    Raises
    ------
    ValueError
        The score is not a number.
    """

    slide: str
    score: float
    look: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if math.isnan(self.score):  # it has no place in an order
            raise ValueError(f"a candidate's score must be a number: {self}")


class Fate(Enum):
    """What became of a candidate."""

    CHOSEN = "chosen"
    SLIDE_IS_FULL = "slide is full"
    """Better ones of its slide have used up the slide's share."""
    PROJECT_IS_FULL = "project is full"
    """Better ones of all slides have used up the budget."""
    LOOKS_THE_SAME = "looks the same"
    """As many chosen ones as allowed look the same."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """Which candidates are asked for.

    Parameters
    ----------
    chosen
        Indices of candidates, the best first.
    fates
        What became of each candidate, in their order.
    reason
        Why fewer were chosen than the budget allows; None where it is used up.
    """

    chosen: tuple[int, ...]
    fates: tuple[Fate, ...]
    reason: str | None = None


def allot(
    candidates: Sequence[Candidate],
    budget: Budget,
    diversity: DiversityOptions | None = None,
    *,
    slides: int | None = None,
) -> Allotment:
    """Choose the best candidates of all slides within a budget.

    One pass from the highest score down; a candidate is chosen unless its slide or the project is full or, with
    ``diversity``, enough chosen ones look like it. Of equal scores the one that comes earlier among its own slide's
    candidates is first, then the one that is given earlier. So equal scores, as random regions have them (all 0), are
    spread evenly: every slide gets its first before any gets its second.

    Parameters
    ----------
    candidates
        Those of one slide in the slide's own order. Offer more of a slide than ``budget.per_slide`` where diversity may
        pass over some.
    diversity
        None: all looks are welcome.
    slides
        How many slides there are, those without a candidate included; only for the reason. None: those that have one.

    Raises
    ------
    ValueError
        Diversity is asked for and a look is missing, of another length, or not finite.

    Examples
    --------
    >>> candidates = [Candidate("a", 0.9), Candidate("a", 0.8), Candidate("b", 0.3), Candidate("a", 0.7)]
    >>> allot(candidates, Budget(per_slide=2, total=3)).chosen
    (0, 1, 2)
    """
    fates = [Fate.CHOSEN] * len(candidates)
    chosen: list[int] = []
    looks = _looks(candidates, diversity)
    per_slide: Counter[str] = Counter()
    for index in _by_priority(candidates):
        slide = candidates[index].slide
        if budget.total is not None and len(chosen) >= budget.total:
            fates[index] = Fate.PROJECT_IS_FULL
        elif per_slide[slide] >= budget.per_slide:
            fates[index] = Fate.SLIDE_IS_FULL
        elif looks is not None and not looks.has_room(index):
            fates[index] = Fate.LOOKS_THE_SAME
        else:
            chosen.append(index)
            per_slide[slide] += 1
            if looks is not None:
                looks.choose(index)
    count = len({candidate.slide for candidate in candidates}) if slides is None else slides
    return Allotment(tuple(chosen), tuple(fates), _shortage(fates, budget, count))


def _looks(candidates: Sequence[Candidate], diversity: DiversityOptions | None) -> Looks | None:
    return Looks([candidate.look for candidate in candidates], diversity) if diversity and candidates else None


def _by_priority(candidates: Sequence[Candidate]) -> list[int]:
    """Return indices by falling score, then place on the slide, then place among all."""
    seen: Counter[str] = Counter()
    places = []
    for candidate in candidates:
        places.append(seen[candidate.slide])
        seen[candidate.slide] += 1
    return sorted(range(len(candidates)), key=lambda index: (-candidates[index].score, places[index], index))


def _shortage(fates: Sequence[Fate], budget: Budget, slides: int) -> str | None:
    """Say why the budget is not used up."""
    counts = Counter(fates)
    allowed = slides * budget.per_slide
    wanted = allowed if budget.total is None else min(budget.total, allowed)
    if counts[Fate.CHOSEN] >= wanted:
        return None
    said = f"{boxes_of(counts[Fate.CHOSEN], wanted)}: "
    if counts[Fate.LOOKS_THE_SAME]:
        return f"{said}{counts[Fate.LOOKS_THE_SAME]} more look like chosen ones"
    return f"{said}the slides have no more candidates"
