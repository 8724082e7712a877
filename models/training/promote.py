"""Which of two models stays: both are judged on today's hold-out, and the better one is kept."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bridge.annotations import ClassScheme
from models.checkpoints import Checkpoint
from models.data import TrainingSlide
from models.inference import open_predictor
from models.metrics import Scores
from models.training.evaluate import WindowPredictor, evaluate
from models.training.one_grid import on_one_grid

logger = logging.getLogger(__name__)
_USED = "the new model is used from now on"


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What became of a candidate.

    Parameters
    ----------
    promoted
        Whether it should become the champion; moving the pointer is the caller's.
    reason
        A sentence for people, the verdict first: what is in use from now on, and why.
    candidate_scores, champion_scores
        On the same pixels; None where there was no hold-out, or no champion.
    """

    promoted: bool
    reason: str
    candidate_scores: Scores | None = None
    champion_scores: Scores | None = None

    @property
    def candidate_score(self) -> float | None:
        """The candidate's one number."""
        return self.candidate_scores.score if self.candidate_scores is not None else None

    @property
    def champion_score(self) -> float | None:
        """The champion's one number."""
        return self.champion_scores.score if self.champion_scores is not None else None


def promote(
    candidate: Checkpoint,
    champion: Checkpoint | None,
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    *,
    force: bool = False,
    make_predictor: Callable[[Checkpoint], WindowPredictor] = open_predictor,
    most_tiles: int | None = 500,
) -> Decision:
    """Judge a candidate against the champion on the held-out areas of some slides.

    Every held-out pixel counts, up to ``most_tiles``, the same ones for both: where their mpp differ, those of the
    finer one. Equal scores promote: the candidate has seen more.

    Parameters
    ----------
    candidate, champion
        The champion is None before there is one.
    slides
        Those with held-out areas count.
    scheme
        Today's; a class that the champion doesn't know, it doesn't find.
    force
        Promote, whatever the scores say.
    make_predictor
        As in prediction: a design's ``predictor``. The two may be of different designs.
    most_tiles
        Bounds the time where whole slides are held out; both are judged on the same tiles.

    Raises
    ------
    SlideError, MissingResolutionError
        A slide is damaged, or its mpp unknown.
    """
    held_out = [slide for slide in slides if slide.plan.hold_out]
    if not held_out:
        return Decision(True, f"{_USED}; nothing is held out to judge it by")

    def judge(predictor: WindowPredictor) -> Scores:
        return evaluate(predictor, held_out, scheme, most_tiles=most_tiles)

    if champion is None:
        ours, theirs = judge(make_predictor(candidate)), None
    else:
        ours, theirs = (judge(p) for p in on_one_grid(make_predictor(candidate), make_predictor(champion)))
    decision = _decide(ours, theirs, _evidence(held_out, ours), force=force)
    logger.info("candidate=%s promoted=%s reason=%r", candidate.id, decision.promoted, decision.reason)
    return decision


def _evidence(held_out: Sequence[TrainingSlide], scores: Scores) -> str:
    """Say what the judgement rests on: a single small area is little, and it chose the candidate's weights as well."""
    areas = sum(len(slide.plan.hold_out) for slide in held_out)
    return f"{scores.pixels:,} pixels in {areas} held-out area{'s' if areas > 1 else ''}"


def _decide(ours: Scores, theirs: Scores | None, evidence: str, *, force: bool) -> Decision:
    if math.isnan(ours.score):
        return Decision(True, f"{_USED}; what is held out shows no class to judge it by", ours, theirs)
    if theirs is None:
        return Decision(True, f"the first model is used from now on; it scores {ours.score:.3f} on {evidence}", ours)
    if math.isnan(theirs.score):
        return Decision(True, f"{_USED}; what is held out shows no class that the model before knows", ours, theirs)
    comparison = f"scores {ours.score:.3f}, the model before {theirs.score:.3f}, on {evidence}"
    if ours.score >= theirs.score:
        return Decision(True, f"{_USED}; it {comparison}", ours, theirs)
    if force:
        return Decision(True, f"{_USED}, by force; it {comparison}", ours, theirs)
    return Decision(False, f"the model before stays in use; the new one {comparison}", ours, theirs)
