"""Learning curves of arms: how well a model does against what was annotated, and where a curve reaches a level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from models.metrics import Spread
from models.simulation import CycleStep, first_to_reach
from scripts.simulation.arms import Arm


@dataclass(frozen=True, slots=True)
class Curve:
    """One run of an arm, cycle by cycle; annotated shares never fall.

    Raises
    ------
    ValueError
        It has no cycle.
    """

    arm: Arm
    seed: int
    steps: tuple[CycleStep, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError(f"run {self.arm.name} of seed {self.seed} has no cycle")

    @property
    def points(self) -> list[tuple[float, float]]:
        """(annotated share, mIoU) of each cycle."""
        return [(step.annotated_share, step.miou) for step in self.steps]

    def against(self, spent: Callable[[CycleStep], float]) -> list[tuple[float, float]]:
        """Return (what was spent, mIoU) of each cycle."""
        return [(spent(step), step.miou) for step in self.steps]

    @property
    def shares(self) -> tuple[float, float]:
        """Annotated share after the first and after the last cycle."""
        return self.steps[0].annotated_share, self.steps[-1].annotated_share

    def at(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mIoU at some shares, on straight lines between cycles; flat beyond the first and last.

        Where cycles ended at one share (nothing was left to annotate), the last of them counts.
        """
        known = dict(self.points)
        return np.asarray(np.interp(shares, list(known), list(known.values())), np.float64)

    def mean_between(self, low: float, high: float) -> float:
        """Return the mean mIoU over a range of shares: the area under the straight lines by the range's width.

        Raises
        ------
        ValueError
            The range is empty.
        """
        if not low < high:
            raise ValueError(f"no range of shares from {low} to {high}")
        inside = [share for share, _ in self.points if low < share < high]
        places = np.unique(np.array([low, *inside, high]))
        return float(trapezoid(self.at(places), places) / (high - low))


@dataclass(frozen=True, slots=True)
class Simulated:
    """All runs on one collection of slides.

    Parameters
    ----------
    curves
        Of every arm and seed.
    full
        Seed → mIoU of the model that learned from everything.
    """

    curves: tuple[Curve, ...]
    full: Mapping[int, float]

    @property
    def arms(self) -> list[Arm]:
        """In the order of their curves."""
        return list(dict.fromkeys(curve.arm for curve in self.curves))

    def of(self, arm: Arm) -> list[Curve]:
        """Return an arm's curves by seed."""
        return sorted((curve for curve in self.curves if curve.arm == arm), key=lambda curve: curve.seed)

    def reached(self, arm: Arm, level: float) -> list[CycleStep | None]:
        """Return for each seed the first cycle with so much of the same seed's full-annotation mIoU, or None."""
        return [first_to_reach(curve.steps, level * self.full[curve.seed]) for curve in self.of(arm)]

    @property
    def full_level(self) -> Spread:
        """The mIoU of full annotation over seeds."""
        return Spread.of(self.full.values())


def common_range(curves: Sequence[Curve]) -> tuple[float, float] | None:
    """Return the shares that all curves pass through; None where there are none."""
    low = max((curve.shares[0] for curve in curves), default=0.0)
    high = min((curve.shares[1] for curve in curves), default=0.0)
    return (low, high) if low < high else None
