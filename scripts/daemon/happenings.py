"""What people's commands are told of each event: small, plain facts (``[hooks]``; the keys are in the README)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.store import JobRecord

if TYPE_CHECKING:  # they come with torch
    from scripts.loop.learn import Learned
    from scripts.loop.push import SlidePushed

Facts = Mapping[str, object]


def slide_written(slide: str, pushed: SlidePushed, *, iteration: int, marker: str | None) -> Facts:
    """Return the facts of ``predictions``: a slide's file holds new predictions or proposals.

    Parameters
    ----------
    slide
        What the slide is called.
    iteration
        Of the predictions; 0 before the first model.
    marker
        Names the write, in the file and in the store.
    """
    return {
        "slide": slide,
        "predictions": pushed.summary.written if pushed.summary else 0,
        "proposals": len(pushed.proposals),
        "made_plain": pushed.promoted,
        "iteration": iteration,
        "marker": marker,
    }


def training_ended(learned: Learned, seconds: float) -> Facts:
    """Return the facts of ``training``, and of ``nightly``: what came of it."""
    return {
        "iteration": learned.iteration,
        "promoted": learned.is_promoted,
        "score": learned.score,
        "champion_score": learned.champion_score,
        "reason": learned.reason,
        "steps": learned.steps,
        "seconds": round(seconds, 1),
    }


def failure(job: JobRecord, error: object, next_try: datetime, *, slide: str | None) -> Facts:
    """Return the facts of ``failure``."""
    return {
        "what": job.kind.value,
        "slide": slide,
        "error": " ".join(str(error).split()),
        "attempts": job.attempts,
        "next_try": next_try,
    }
