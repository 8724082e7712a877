"""How a project's open boxes are shared out among its slides (``[propose] k``, ``total``, ``same_look``).

Without ``total`` and ``same_look`` every slide has its k boxes, whatever the others have. With one of them the slides
compete, box by box, for the best scores (`models.active.budget.allot`). Who takes part:

* a slide that *waits*: it is about to be written to, or no box on it is open. It offers the boxes that it would ask for
  now, by its kept prediction and as people left it;
* the *open* boxes of all other slides, and those of waiting ones that a person moved or renamed, so that they aren't
  ours to replace: they stay, count against the total, and have their looks.

The outcome depends on that alone, not on which slide is asked first. A command predicts all slides that it will write
to before it shares. The daemon writes to each slide as soon as that is predicted: one whose prediction by a new model
isn't there yet keeps its share for as long as its boxes are open, and what becomes free goes to the best of all slides
whose predictions are there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from bridge.annotations import FileUse, MachineRole
from bridge.annotations.ownership import WrittenObject
from bridge.annotations.roles import Fate
from bridge.errors import SlideError
from bridge.store import Store
from models.active import Allotment, Budget, Candidate, DiversityOptions, allot
from models.active import Fate as Lot
from scripts.loop.boxes import FoundBoxes, changed_by_people, find_boxes, look_at, taken_areas
from scripts.loop.pull import SlideState
from scripts.loop.slide_work import SlidePrediction, result_for
from scripts.options import ProposeOptions
from scripts.plain_words import counted
from scripts.project import Project

_SPARE = 4  # candidates for each box, where some may be passed over for their look


def is_shared(options: ProposeOptions) -> bool:
    """Say whether slides compete for boxes at all."""
    return options.total > 0 or options.same_look > 0


@dataclass(frozen=True, slots=True)
class Share:
    """The boxes that a slide may ask for.

    Parameters
    ----------
    found
        The chosen ones, ranked anew.
    shortage
        Why there are fewer than k, in words; None where there are not.
    passed_over
        Why → how many of the boxes found were not chosen (values of `models.active.Fate`).
    """

    found: FoundBoxes
    shortage: str | None
    passed_over: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rivals:
    """What the slides of a project hold and want; none of it where they don't compete.

    Parameters
    ----------
    waiting
        Slide → what it would ask for.
    staying
        Slide → looks of its open boxes that stay; empty ones where nobody knows. Of a slide that waits, those that a
        person changed.
    """

    waiting: Mapping[str, FoundBoxes] = field(default_factory=dict)
    staying: Mapping[str, tuple[tuple[float, ...], ...]] = field(default_factory=dict)


def share(key: str, own: FoundBoxes, rivals: Rivals, options: ProposeOptions) -> Share:
    """Return what of the boxes found on a slide may be asked for.

    Parameters
    ----------
    own
        What the slide would ask for now; taken in place of what ``rivals`` say of it.
    """
    staying = {other: looks for other, looks in rivals.staying.items() if other != key or key in rivals.waiting}
    lots = _lots(Rivals({**rivals.waiting, key: own}, staying), options)[key]
    kept = [box for box, lot in zip(own.boxes, lots, strict=True) if lot is Lot.CHOSEN]
    ranked = tuple(box.ranked(rank) for rank, box in enumerate(kept, 1))
    passed = {lot.value: lots.count(lot) for lot in (Lot.PROJECT_IS_FULL, Lot.LOOKS_THE_SAME) if lot in lots}
    return Share(FoundBoxes(ranked, own.reason), _shortage(len(kept), own, passed, options), passed)


def winners(rivals: Rivals, options: ProposeOptions) -> frozenset[str]:
    """Return the waiting slides that get a box at least, all at once: what `share` says of one looks at all others."""
    return frozenset(key for key, lots in _lots(rivals, options).items() if Lot.CHOSEN in lots)


def _shortage(count: int, own: FoundBoxes, passed: Mapping[str, int], options: ProposeOptions) -> str | None:
    if count >= options.k:
        return None
    reasons = [f"the project's {options.total} open boxes are used up"] if Lot.PROJECT_IS_FULL.value in passed else []
    alike = passed.get(Lot.LOOKS_THE_SAME.value, 0)
    reasons += [f"{alike} more look like others that are open"] if alike else []
    reasons += [own.reason] if own.reason is not None else []
    return f"{count} of {counted(options.k, 'box', 'boxes')}: {'; '.join(reasons)}" if reasons else None


def _lots(rivals: Rivals, options: ProposeOptions) -> Mapping[str, list[Lot]]:
    """Return what became of each waiting slide's boxes."""
    waiting = {slide: rivals.waiting[slide].boxes for slide in sorted(rivals.waiting)}
    if not is_shared(options):
        return {
            slide: [Lot.CHOSEN if place < options.k else Lot.SLIDE_IS_FULL for place in range(len(boxes))]
            for slide, boxes in waiting.items()
        }
    staying = [look for slide in sorted(rivals.staying) for look in rivals.staying[slide]]
    known, unknown = [look for look in staying if look], sum(not look for look in staying)
    open_boxes = [Candidate(f"open {number}", math.inf, look) for number, look in enumerate(known)]
    wanted = [
        Candidate(f"slide {slide}", box.proposal.score, box.look) for slide, boxes in waiting.items() for box in boxes
    ]
    total = None if options.total == 0 else max(0, options.total - unknown)
    fates = iter(_allotted([*open_boxes, *wanted], len(open_boxes), total, options).fates[len(open_boxes) :])
    return {slide: list(islice(fates, len(boxes))) for slide, boxes in waiting.items()}


def _allotted(
    candidates: Sequence[Candidate], open_boxes: int, total: int | None, options: ProposeOptions
) -> Allotment:
    """Allot with the open boxes first; one that looks like others of them is open all the same, and counts."""
    diversity = DiversityOptions(per_look=options.same_look) if options.same_look > 0 else None
    found = allot(candidates, Budget(options.k, total), diversity)
    alike = sum(fate is Lot.LOOKS_THE_SAME for fate in found.fates[:open_boxes])
    if total is None or alike == 0:
        return found
    return allot(candidates, Budget(options.k, max(0, total - alike)), diversity)


@dataclass(slots=True)
class Sharing:
    """Gathers what the slides of a project hold and want.

    Parameters
    ----------
    load
        Returns the kept prediction of a slide by the model in use; None where there is none.
    asks_again
        Boxes that were declined may be asked for once more.
    """

    project: Project
    store: Store
    load: Callable[[SlideState], SlidePrediction | None]
    asks_again: bool = False
    _found: dict[str, tuple[object, FoundBoxes]] = field(default_factory=dict)
    _looks: dict[str, tuple[object, tuple[tuple[float, ...], ...]]] = field(default_factory=dict)

    @property
    def is_on(self) -> bool:
        """Whether slides compete at all."""
        return is_shared(self.project.settings.propose)

    def rivals(
        self, states: Iterable[SlideState], seed: int, name_of: Callable[[SlideState], str], stale: frozenset[str]
    ) -> Rivals:
        """Return what the slides hold and want.

        Parameters
        ----------
        states
            All slides that can be read.
        seed
            Of random boxes.
        name_of
            Names the prediction that a slide needs now.
        stale
            Keys of those that are about to be written to.
        """
        if not self.is_on:
            return Rivals()
        waiting: dict[str, FoundBoxes] = {}
        staying: dict[str, tuple[tuple[float, ...], ...]] = {}
        for state in states:
            boxes = open_boxes(state)
            may_wait = state.key in stale or not boxes
            found = self._wants(state, seed, name_of) if may_wait and takes_boxes(self.project, state) else None
            if found is not None:
                waiting[state.key] = found
                boxes = changed_boxes(state)
            if boxes:
                staying[state.key] = self._looks_of(state, boxes, name_of)
        return Rivals(waiting, staying)

    def _wants(self, state: SlideState, seed: int, name_of: Callable[[SlideState], str]) -> FoundBoxes | None:
        taken = taken_areas(self.store, state.reading, asks_again=self.asks_again)
        try:
            facts = (name_of(state), state.reading.revision, taken, seed)
        except SlideError:  # the slide's file is gone: said by whoever reads it
            return None
        kept = self._found.get(state.key)
        if kept is not None and kept[0] == facts:
            return kept[1]
        prediction = self.load(state)
        if prediction is None:
            return None
        found = candidates(prediction, state, taken.all, self.project.settings.propose, seed=seed)
        self._found[state.key] = facts, found
        return found

    def _looks_of(
        self, state: SlideState, boxes: Sequence[WrittenObject], name_of: Callable[[SlideState], str]
    ) -> tuple[tuple[float, ...], ...]:
        unknown: tuple[tuple[float, ...], ...] = ((),) * len(boxes)
        if self.project.settings.propose.same_look == 0:
            return unknown
        try:
            facts = (name_of(state), tuple(box.object_id for box in boxes))
        except SlideError:
            return unknown
        kept = self._looks.get(state.key)
        if kept is not None and kept[0] == facts:
            return kept[1]
        prediction = self.load(state)
        if prediction is None:
            return unknown
        looks = tuple(look_at(prediction, box.geometry.bounds) for box in boxes)
        self._looks[state.key] = facts, looks
        return looks


def open_boxes(state: SlideState) -> tuple[WrittenObject, ...]:
    """Return the boxes on a slide that nobody has answered."""
    found = state.reading.reconciled.with_fate(Fate.OPEN)
    return tuple(outcome.written for outcome in found if outcome.written.role is MachineRole.PROPOSAL)


def changed_boxes(state: SlideState) -> tuple[WrittenObject, ...]:
    """Return the open boxes on a slide that a person moved or renamed: no write of ours replaces them."""
    return tuple(outcome.written for outcome in changed_by_people(state.reading.reconciled))


def takes_boxes(project: Project, state: SlideState) -> bool:
    """Say whether boxes can be written to a slide at all, and are of use there."""
    reading = state.reading
    is_done = project.settings.labels.complete == "slide" and not state.plan.is_empty
    is_open = not (state.is_suspicious or reading.is_held or is_done)
    return is_open and reading.entry.written_path is not None and reading.entry.use is not FileUse.OFFERED


def candidates(
    prediction: SlidePrediction,
    state: SlideState,
    taken: Sequence[tuple[float, float, float, float]],
    options: ProposeOptions,
    *,
    seed: int,
) -> FoundBoxes:
    """Return what a slide would ask for: k boxes, and more where some may be passed over for their look."""
    count = options.k * (_SPARE if options.same_look > 0 else 1)
    reading = state.reading
    return find_boxes(result_for(prediction, reading), taken, options, reading.mpp, seed=seed, count=count)
