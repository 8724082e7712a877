"""The experiment ``actions``: what correcting predictions and labelling whole boxes save a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any

from models.active import SelectionMethod
from models.metrics import Spread
from models.simulation import CycleStep
from scripts.experiments.comparisons.experiment import Reading, Result
from scripts.experiments.comparisons.selection import SimulationExperiment
from scripts.simulation import ActionSet, Arm, Simulated
from scripts.simulation.arms import way_name
from scripts.simulation.panels import Axis, draw_panels
from scripts.simulation.reached import level_name, price_table
from scripts.tables import Table, said

_LEVELS = (0.95, 0.99)
_ACCOUNT = """The same slides, loop and learner as in `selection`, at l = {size} cells and k = {k}, with adaptive
selection (and random boxes, drawn, beside it): what does it cost a person to get to the same mIoU, if a box may be
**drawn** from nothing; drawn or **corrected** (what the last model predicted in it is accepted, reshaped, deleted
and completed, where that takes fewer clicks); drawn or **labelled whole** (one class for a box that is at least 90
% of one class, as in "Learning to segment"); or any of these? Boxes of validation slides are never labelled whole.

*Prices.* Clicks as in MetaBox+ (vertices of outlines, where outlines leave the box, the box itself, one for a
class), outlines simplified to what a person would click; seconds by 0.9 s a click, 1.5 s an object and 5 s a box
(`models/metrics/cost.py` says where each is from). They are models, no measurements of people: nobody's slips,
pauses or fatigue are in them. The predictions that are corrected are whole cells', coarser than the product's
outlines. Two things favour the cheaper actions: what is accepted (from an IoU of 0.8 on) is learned from as if it
had been drawn, and a box that is labelled whole has no seconds for going there and looking it over, only those of
its clicks and of one object.

*The claim* is of what the product offers, not of a paper: other actions reach the same mIoU with fewer clicks. It
is read within each seed, over the seeds in which both got there."""


class ActionsExperiment(SimulationExperiment):
    """Adaptive selection with four sets of actions (``Experiment``)."""

    name = "actions"
    title = "Boxes drawn, corrected or labelled whole: clicks and time to the same mIoU"

    @property
    def account(self) -> str:
        """What is compared, and how."""
        return _ACCOUNT.format(**asdict(self._scale), size=self._step[1], k=self._step[0])

    @cached_property
    def arms(self) -> Sequence[Arm]:
        """Adaptive with every set of actions, after random boxes that are drawn."""
        k, size = self._step
        return [
            Arm(SelectionMethod.RANDOM, size, k),
            *(Arm(SelectionMethod.ADAPTIVE, size, k, actions) for actions in ActionSet),
        ]

    @property
    def _step(self) -> tuple[int, int]:
        return max(self._scale.ks), min(self._scale.sizes)

    def table(self, results: Sequence[Result]) -> Table:
        """Return tissue, boxes, clicks and minutes at which shares of full annotation's mIoU are reached."""
        return price_table(self.found(results), None, _LEVELS)

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw mIoU against clicks."""
        return draw_panels(self.found(results), None, Axis.CLICKS)

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Say for each collection and set of actions whether it takes fewer clicks than drawing alone."""
        k, size = self._step
        drawn = Arm(SelectionMethod.ADAPTIVE, size, k)
        return [
            read_spent(name, found, drawn, Arm(SelectionMethod.ADAPTIVE, size, k, actions))
            for name, found in self.found(results).items()
            for actions in ActionSet
            if actions is not ActionSet.DRAW
        ]


_SPENT: Mapping[str, Callable[[CycleStep], float]] = {
    "clicks": lambda step: step.clicks,
    "seconds": lambda step: step.seconds,
}


def read_spent(name: str, found: Simulated, drawn: Arm, other: Arm) -> Reading:
    """Hold what an arm spends until each level against what drawing spends; levels of a single seed judge nothing."""
    said_of = []
    verdicts = []
    for level in _LEVELS:
        ratios = {what: spent_ratio(found, drawn, other, level, of) for what, of in _SPENT.items()}
        clicks = ratios["clicks"]
        if clicks.count > 1:  # one seed says nothing of how far seeds differ
            verdicts.append(clicks.mean < 1 - clicks.sd)
        told = ", ".join(f"{what} × {said(ratio, 2)}" for what, ratio in ratios.items())
        reached = f"{told} (seeds: {clicks.count})" if clicks.count else "no seed got there with both"
        said_of.append(f"at {level_name(level)} of full annotation {reached}")
    subject = f"{name}, {way_name(other.way, is_told=True)}"
    evidence = (
        f"Of what drawing takes, {'; '.join(said_of)}; claimed: fewer clicks, by more than the ratio's sd, at each"
        " level that more than one seed reached."
    )
    return Reading(subject, all(verdicts) if verdicts else None, evidence)


def spent_ratio(found: Simulated, drawn: Arm, other: Arm, level: float, of: Callable[[CycleStep], float]) -> Spread:
    """Return what an arm spends until a level by what drawing does, over the seeds in which both reach it."""
    pairs = zip(found.reached(drawn, level), found.reached(other, level), strict=True)
    return Spread.of(of(theirs) / of(ours) for ours, theirs in pairs if ours is not None and theirs is not None)
