"""What trainings cost, by their records; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bridge.store import RunRecord, RunState
from scripts.loop.costs import duration

_FIT_STEPS, _FIT_SECONDS = "fit_steps", "fit_seconds"  # among a run's metrics


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """What a training cost.

    Parameters
    ----------
    seconds
        From its begin to its end, judging and any interruption with it.
    fit_steps, fit_seconds
        Of the steps alone, of the process that ended it: one that went on after an interruption made but the last ones.
    """

    seconds: float
    fit_steps: int
    fit_seconds: float

    @classmethod
    def of(cls, run: RunRecord) -> Self | None:
        """Return what a finished training cost; None for any other, and where an earlier SlideBridge kept no record."""
        steps, seconds = run.metrics.get(_FIT_STEPS), run.metrics.get(_FIT_SECONDS)
        if run.state is not RunState.FINISHED or run.ended_at is None or not isinstance(steps, int):
            return None
        if not isinstance(seconds, int | float):
            return None
        return cls((run.ended_at - run.started_at).total_seconds(), steps, float(seconds))

    @property
    def steps_per_second(self) -> float | None:
        """None where there was no time to tell."""
        return self.fit_steps / self.fit_seconds if self.fit_seconds > 0 else None

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        rate = self.steps_per_second
        return {
            "seconds": round(self.seconds, 3),
            "fit_steps": self.fit_steps,
            "fit_seconds": round(self.fit_seconds, 3),
            "steps_per_second": None if rate is None else round(rate, 3),
        }

    def line(self) -> str:
        """Return the facts for people, for behind what else is said of the training."""
        rate = self.steps_per_second
        return duration(self.seconds) + ("" if rate is None else f", {rate:.3g} steps a second")


def fit_metrics(steps: int, seconds: float) -> Mapping[str, object]:
    """Return what a run's record keeps of its steps, for `TrainingCost`."""
    return {_FIT_STEPS: steps, _FIT_SECONDS: seconds}
