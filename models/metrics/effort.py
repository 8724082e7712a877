"""How much annotation time the loop saves: the exponential model of H-AI-L (papers/h-ai-l.txt, Fig. 7), and its fit.

With ``r`` regions annotated so far, ``R`` in all, and the H-AI-L factor ``τ``:

* ``A(r) = exp(−r / τ)``: time per region, normalized by that without predictions (iteration 0)
* ``H = ∫A dr = τ (1 − exp(−R / τ))``, ``B = R``: normalized time with the loop, and without
* ``P = (1 − H / B) · 100``: time saved, percent
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST_TAU = 1e-3
"""Of a fit, in regions: nobody can tell faster decays apart."""
_LOOKS = 400  # places where the sum of squares is looked at before its least value is narrowed down


@dataclass(frozen=True, slots=True)
class EffortCurve:
    """The exponential model.

    Parameters
    ----------
    tau
        H-AI-L factor, in regions, above 0; infinite where predictions save nothing.
    regions
        R, above 0.
    """

    tau: float
    regions: float

    def __post_init__(self) -> None:
        """Refuse what is no curve."""
        if not self.tau > 0 or not 0 < self.regions < math.inf:
            raise ValueError(f"no effort curve has tau {self.tau} and {self.regions} regions; both are above 0")

    def time_at(self, regions: ArrayLike) -> NDArray[np.float64]:
        """Return A(r), the normalized time per region."""
        return np.exp(-np.asarray(regions, dtype=np.float64) / self.tau)

    @property
    def normalized_time(self) -> float:
        """H, in units of the time that a region takes without predictions."""
        return self.regions * (1 - _saved_share(self.regions / self.tau))

    @property
    def baseline(self) -> float:
        """B, in the same units."""
        return self.regions

    @property
    def savings(self) -> float:
        """P, percent, 0 to 100."""
        return 100 * _saved_share(self.regions / self.tau)

    @classmethod
    def from_savings(cls, savings: float, regions: float) -> EffortCurve:
        """Return the curve that saves so much: the inverse of ``savings``.

        The result's ``savings`` is as given within a few units in the last place; ``tau`` is known as well as
        ``100 − savings`` is: two digits near 99.99… %.

        Parameters
        ----------
        savings
            P, percent: above 0, below 100. Both ends are limits, reached by an infinite τ and by τ = 0.
        regions
            R, above 0.

        Raises
        ------
        ValueError
            Outside of these.
        """
        if not 0 < savings < 100:
            raise ValueError(f"savings of {savings} % have no tau; it is above 0 and below 100")
        if not 0 < regions < math.inf:
            raise ValueError(f"{regions} regions have no tau; there must be some")
        from scipy.optimize import brentq  # here, for it takes a moment to load

        saved, left = savings / 100, (100 - savings) / 100
        # In logarithms, for the share of what is saved runs over all powers of ten. x/2 ≥ share(x) ≥ 1 − 1/x.
        low, high = math.log(2 * saved) - 1e-6, -math.log(left) + 1e-6

        def missed(log_ratio: float) -> float:
            ratio = math.exp(log_ratio)
            return left - _left_share(ratio) if saved > 0.5 else _saved_share(ratio) / saved - 1

        return cls(regions / math.exp(brentq(missed, low, high, xtol=1e-15, rtol=1e-15)), regions)


def _left_share(ratio: float) -> float:
    """Return H / B for ``ratio`` = R / τ."""
    return -math.expm1(-ratio) / ratio if ratio else 1.0


def _saved_share(ratio: float) -> float:
    """Return 1 − H / B for ``ratio`` = R / τ."""
    if ratio > 1e-3:
        return 1 - _left_share(ratio)
    return ratio / 2 - ratio**2 / 6 + ratio**3 / 24 - ratio**4 / 120  # the difference above would lose the digits


@dataclass(frozen=True, slots=True)
class TimePoint:
    """Time per region, averaged over the regions of a slide.

    Parameters
    ----------
    start, end
        Regions annotated before and after these; equal for a point.
    time
        Normalized: 1 is a region without predictions.
    weight
        Regions whose time is known; 0 leaves the point out.
    """

    start: float
    end: float
    time: float
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what was never measured."""
        is_span = 0 <= self.start <= self.end < math.inf
        if not is_span or not 0 <= self.time < math.inf or not 0 <= self.weight < math.inf:
            raise ValueError(f"{self} is no time per region: its numbers are 0 or above, and start is not after end")


@dataclass(frozen=True, slots=True)
class EffortFit:
    """An exponential curve laid through times.

    Parameters
    ----------
    error
        Weighted root mean square of what the curve misses, in units of the time without predictions.
    decays
        False: the times don't fall as more regions are annotated, and τ is infinite.
    """

    curve: EffortCurve
    error: float
    decays: bool


def fit_effort(points: Sequence[TimePoint], regions: float) -> EffortFit:
    """Fit τ by least squares.

    Each point is compared with the mean of the curve over its span, so that times averaged over many regions bias
    nothing. The sum of squares can have several valleys: it is looked at from end to end before it is narrowed down.

    Parameters
    ----------
    points
        At least one with weight, beyond r = 0: where A is 1 whatever τ is.
    regions
        R, of the curve that is returned.

    Raises
    ------
    ValueError
        No such point, or no region.
    """
    known = [p for p in points if p.weight > 0 and p.end > 0]
    if not known:
        raise ValueError("no time per region is known beyond the first region: there is nothing to fit")
    start, end, time, weight = (
        np.array([getattr(p, name) for p in known], dtype=np.float64) for name in ("start", "end", "time", "weight")
    )

    def error_at(log_tau: float) -> float:
        missed = time - _mean_time(start, end, math.exp(log_tau))
        return float(np.average(missed**2, weights=weight))

    flat = float(np.average((time - 1) ** 2, weights=weight))
    log_tau = _least(error_at, math.log(LEAST_TAU), math.log(1e6 * max(end)))
    best = error_at(log_tau)
    if best >= flat * (1 - 1e-9):
        return EffortFit(EffortCurve(math.inf, regions), math.sqrt(flat), decays=False)
    return EffortFit(EffortCurve(math.exp(log_tau), regions), math.sqrt(best), decays=True)


def _mean_time(start: NDArray[np.float64], end: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """Return the mean of A over each span; its value where the span has no width."""
    width = (end - start) / tau
    wide = np.where(width > 0, width, 1.0)
    return np.asarray(np.exp(-start / tau) * np.where(width > 0, -np.expm1(-wide) / wide, 1.0))


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function of one number is least, looked for from end to end."""
    from scipy.optimize import minimize_scalar

    places = np.linspace(low, high, _LOOKS)
    found = int(np.argmin([function(place) for place in places]))
    bounds = places[max(found - 1, 0)], places[min(found + 1, _LOOKS - 1)]
    return float(minimize_scalar(function, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x)
