"""Nothing is said of the time saved where nothing can be."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from models.metrics import TimePoint, fit_effort
from scripts.loop.effort_account import Account, IterationEffort, SlideEffort
from scripts.loop.effort_work import Work
from scripts.report.effort_words import not_told


def account(paces: Sequence[float], regions: int = 20, timed: int = 20) -> Account:
    """Return the effort of trainings whose regions took so many seconds each; the first without predictions."""
    slides = [SlideEffort("a", n, regions * n, regions, timed, timed * pace, False) for n, pace in enumerate(paces)]
    iterations = tuple(IterationEffort(n, Work(added=regions), (slide,)) for n, slide in enumerate(slides))
    points = [TimePoint(s.start, s.end, pace / paces[0], timed) for s, pace in zip(slides, paces, strict=True)]
    return Account(iterations, fit_effort(points, regions * len(paces)) if len(paces) > 1 and timed else None)


def test_a_saving_is_told() -> None:
    assert not_told(account([10.0, 6.0, 3.0])) is None


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Account(), "nothing is annotated yet"),
        (account([10.0]), "no predictions were answered yet"),
        (account([10.0, 6.0], timed=0), "too little is known of the time that regions took"),
        (account([10.0, 6.0], timed=1), "only 1 region timed with predictions yet"),
        (account([0.8, 4.0]), "the first saves are too close together to tell how long a region took"),
        (account([10.0, 55.0]), "no saving so far: it took 15 minutes more than without predictions"),
        (account([10.0, 10.0]), "no saving so far: the time per region doesn't fall"),
    ],
    ids=["nothing", "no predictions", "no times", "few", "a program's", "longer", "as long"],
)
def test_what_is_missing_is_said_in_a_few_words(found: Account, why: str) -> None:
    assert not_told(found) == why
