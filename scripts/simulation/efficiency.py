"""Whether one method is at least as good as another, and how much each depends on the size of its boxes.

Methods are compared by the mean mIoU over the range of annotated shares that all compared curves pass through: at the
same annotated tissue, whatever the cycles. Differences are taken within a seed: both began with the same first boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.active import SelectionMethod
from models.metrics import Spread
from scripts.simulation.arms import ActionSet, Arm
from scripts.simulation.curves import Simulated, common_range


@dataclass(frozen=True, slots=True)
class Difference:
    """What one arm's mean mIoU is above another's at the same k and l, within each seed.

    Parameters
    ----------
    step
        (k, l in cells).
    gain
        Over seeds; NaN where the curves share no range.
    shares
        The widest range that was compared, over seeds; None where there is none.
    """

    step: tuple[int, int]
    gain: Spread
    shares: tuple[float, float] | None

    @property
    def is_worse(self) -> bool:
        """Whether the first is worse by more than the differences' sd."""
        sd = self.gain.sd if self.gain.count > 1 else 0.0
        return self.gain.count > 0 and self.gain.mean < -sd


def differences(found: Simulated, first: SelectionMethod, second: SelectionMethod) -> list[Difference]:
    """Return first less second for every (k, l) that both have, drawn from nothing."""
    made = []
    for arm in found.arms:
        other = Arm(second, arm.size, arm.k, arm.actions)
        if arm.method is first and arm.actions is ActionSet.DRAW and other in found.arms:
            made.append(_difference(found, arm, other))
    return made


def _difference(found: Simulated, first: Arm, second: Arm) -> Difference:
    gains, ranges = [], []
    for ours, theirs in zip(found.of(first), found.of(second), strict=True):
        shared = common_range([ours, theirs])
        if shared is not None:
            gains.append(ours.mean_between(*shared) - theirs.mean_between(*shared))
            ranges.append(shared)
    widest = (min(low for low, _ in ranges), max(high for _, high in ranges)) if ranges else None
    return Difference(first.step, Spread.of(gains), widest)


def size_dependence(found: Simulated, method: SelectionMethod) -> Spread:
    """Return how far a method's mean mIoU spreads over sizes, largest less smallest, at one k and seed.

    All methods are measured on the range of shares that all their sizes pass through at that k and seed, so that their
    numbers can be compared. NaN where no k has such a range, or there is but one size.
    """
    spreads = []
    drawn = [curve for curve in found.curves if curve.arm.actions is ActionSet.DRAW]
    for k, seed in sorted({(curve.arm.k, curve.seed) for curve in drawn}):
        together = [curve for curve in drawn if (curve.arm.k, curve.seed) == (k, seed)]
        ours = [curve for curve in together if curve.arm.method is method]
        shared = common_range(together)
        if shared is not None and len(ours) > 1:
            means = [curve.mean_between(*shared) for curve in ours]
            spreads.append(max(means) - min(means))
    return Spread.of(spreads)


def least_dependent(found: Simulated, methods: Sequence[SelectionMethod]) -> SelectionMethod | None:
    """Return the method that depends least on its size; None where that can't be measured."""
    measured = [(size_dependence(found, method), method) for method in methods]
    known = [(spread.mean, method) for spread, method in measured if spread.count]
    return min(known, key=lambda item: item[0])[1] if known else None
