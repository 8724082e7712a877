"""The learning rate over a training, and how many steps a budget of time is worth."""

from __future__ import annotations

import math

_FLOOR = 0.01
_STEPS_TO_MEASURE = 5  # the first steps allocate and tune, and are slower than the rest
_SLACK = 1.05


def rate_at(step: int, steps: int, warm_up_steps: int) -> float:
    """Return the learning rate at a step, as a share of the top one: a linear rise, then half a cosine.

    Examples
    --------
    >>> rate_at(0, 100, 10), rate_at(100, 100, 10)
    (0.1, 0.01)
    """
    rise = min(1.0, (step + 1) / max(1, warm_up_steps))
    fall = 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))
    return rise * (_FLOOR + (1 - _FLOOR) * fall)


def plan_steps(planned: int, step: int, elapsed_seconds: float, max_seconds: float | None) -> int:
    """Return how many steps the training will have, from the time that those so far took.

    The plan only shrinks, and only when it would clearly overrun, so that a schedule is not bent by every hiccup; where
    time is ample it stays what it was, whatever the clock says.

    Parameters
    ----------
    planned
        Steps planned so far.
    step
        Steps done.
    elapsed_seconds
        Their time.
    max_seconds
        What there is in all; None is no limit.
    """
    if max_seconds is None or step < _STEPS_TO_MEASURE:
        return planned
    if elapsed_seconds >= max_seconds:
        return min(planned, step)
    affordable = (
        step + int((max_seconds - elapsed_seconds) / (elapsed_seconds / step)) if elapsed_seconds > 0 else planned
    )
    return min(planned, affordable) if planned > affordable * _SLACK else planned
