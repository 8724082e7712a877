"""What the doctor finds out about labels: whether they suffice for a training, and whether some are kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.ingest import SlideReading
from bridge.store import Store
from scripts.loop.patch_labels import missing
from scripts.loop.planning import make_plans
from scripts.project import Project


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """What is labelled.

    Parameters
    ----------
    lacking
        What is missing before a training can start; None for nothing.
    labelled_slides, complete_areas, held_areas
        Slides that teach something; areas in which labelling is complete, and how many of them judge and never train.
    is_split
        Some are to be kept apart: ``[holdout] fraction`` is more than 0.
    """

    lacking: str | None = None
    labelled_slides: int = 0
    complete_areas: int = 0
    held_areas: int = 0
    is_split: bool = True


def look_at_labels(project: Project, store: Store, readings: Sequence[SlideReading], now: datetime) -> LabelFacts:
    """Return what the slides teach, told apart as the next training would; nothing is recorded.

    Raises
    ------
    UnknownPathClassError
        The scheme changed meanwhile.
    """
    plans = make_plans(project, store, readings, now, is_dry_run=True)
    return LabelFacts(
        missing(plans.values(), readings, project.settings.model, project.settings.source.kind),
        sum(not plan.is_empty for plan in plans.values()),
        sum(len(plan.complete) for plan in plans.values()),
        sum(len(plan.hold_out) for plan in plans.values()),
        project.settings.holdout.fraction > 0,
    )
