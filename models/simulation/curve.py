"""Curves of runs: how much had to be annotated for a level, and several repetitions on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.simulation.step import CycleStep


def first_to_reach(steps: Sequence[CycleStep], level: float) -> CycleStep | None:
    """Return the first cycle that reaches a level of mIoU, with its clicks and seconds; None if none does.

    Its annotated share, at the level of full annotation, is the paper's Table 1. Nothing is interpolated: between two
    cycles there was no model.
    """
    return next((step for step in steps if step.miou >= level), None)


@dataclass(frozen=True, slots=True, eq=False)
class CurveBand:
    """Several repetitions of one run on one axis, as in the paper's Fig. 4.

    Parameters
    ----------
    x
        Annotated share (or clicks, or seconds), rising; only where all repetitions have a value.
    mean, least, most
        mIoU there over the repetitions.
    """

    x: NDArray[np.float64]
    mean: NDArray[np.float64]
    least: NDArray[np.float64]
    most: NDArray[np.float64]


def curve_band(curves: Sequence[Sequence[tuple[float, float]]], points: int = 100) -> CurveBand:
    """Interpolate repetitions, straight between cycles, onto one axis.

    Parameters
    ----------
    curves
        Of each repetition (x, y) in the order of its cycles, x never falling. Where x stays, its last y counts.
    points
        Of the axis: from the largest first x to the smallest last one; all of them where the curves share no stretch
        would be outside some curve, so there are none then.

    Raises
    ------
    ValueError
        No curve, an empty one, or one whose x falls.
    """
    arrays = [np.asarray(curve, np.float64).reshape(-1, 2) for curve in curves]
    if not arrays or any(len(array) == 0 or (np.diff(array[:, 0]) < 0).any() for array in arrays):
        raise ValueError("a band needs curves of at least a point each, with x never falling")
    kept = [array[np.append(np.diff(array[:, 0]) > 0, True)] for array in arrays]
    first, last = max(array[0, 0] for array in kept), min(array[-1, 0] for array in kept)
    x = np.linspace(first, last, points if last > first else 1) if last >= first else np.zeros(0)
    values = np.stack([np.interp(x, array[:, 0], array[:, 1]) for array in kept])
    return CurveBand(x, values.mean(axis=0), values.min(axis=0), values.max(axis=0))
