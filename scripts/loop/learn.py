"""Learn: from label plans to a candidate, and to a champion if it is better."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import count

from bridge.annotations.labels import learned_keys
from bridge.annotations.new_labels import without_news
from bridge.errors import BridgeError
from bridge.store import RunRecord, Store
from models.checkpoints import (
    Checkpoint,
    prune_checkpoints,
    save_checkpoint,
)
from models.data import TrainingSlide
from models.training import Candidate, Decision, Ranks, TrainingProgress, forget_state, promote
from scripts.loop.ending import Ending, end_training, is_noted, settle_training
from scripts.loop.following import Lesson, SlideToTrain, fit_together
from scripts.loop.loss_curve import CURVES, CurveWriter
from scripts.loop.pull import Pulled
from scripts.loop.training_cost import fit_metrics
from scripts.loop.training_due import digests_of, why_not
from scripts.loop.training_run import (
    RunKind,
    StopCause,
    data_hash,
    design_of,
    parent_of,
    predictor_of,
    resume_folder,
    training_options,
)
from scripts.loop.training_slides import opened, without_damaged
from scripts.loop.training_start import champion_or_none, load_project_champion, transfer_or_none
from scripts.plain_words import counted
from scripts.progress import TRAINING, Progress
from scripts.project import Project

__all__ = ["Learned", "RunKind", "StopCause", "design_of", "learn", "load_project_champion", "settle_training"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of the learning step.

    Parameters
    ----------
    iteration
        Number of the training; None when none was started.
    reason
        Why not, what the judge said, or why it was stopped.
    is_superseded
        It was stopped before its end: nothing came of it, and its number goes to the next one.
    warnings
        One line each, for people: slides that were left out because they are damaged.
    is_dry_run
        Nothing was to be done: ``reason`` is what would be.
    """

    iteration: int | None
    is_promoted: bool
    reason: str
    score: float | None = None
    champion_score: float | None = None
    steps: int = 0
    is_failed: bool = False
    is_superseded: bool = False
    warnings: tuple[str, ...] = ()
    is_dry_run: bool = False

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "iteration": self.iteration,
            "promoted": self.is_promoted,
            "reason": self.reason,
            "score": self.score,
            "champion_score": self.champion_score,
            "steps": self.steps,
            "superseded": self.is_superseded,
            "warnings": list(self.warnings),
        }

    def line(self) -> str:
        """Return the facts for people."""
        if self.is_dry_run:
            return self.reason
        if self.iteration is None:
            return f"{'failed' if self.is_failed else 'not trained'}: {self.reason}"
        return f"training {self.iteration}, {counted(self.steps, 'step')}: {self.reason}"


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """One training under way.

    Parameters
    ----------
    left_out
        Slide key → the line for people, of slides that turned out to be damaged.
    ranks
        The processes that train together; this one is the first.
    """

    project: Project
    kind: RunKind
    record: RunRecord
    champion: Checkpoint | None
    parent: Checkpoint | None
    is_forced: bool
    left_out: dict[str, str] = field(default_factory=dict)
    ranks: Ranks = Ranks()  # noqa: RUF009 - frozen


def learn(
    project: Project,
    store: Store,
    pulled: Pulled,
    progress: Progress,
    now: Callable[[], datetime],
    *,
    kind: RunKind = RunKind.INCREMENTAL,
    is_forced: bool = False,
    is_dry_run: bool = False,
    stop: Callable[[], bool] = lambda: False,
    stop_cause: Callable[[], StopCause] = lambda: StopCause.SHUTDOWN,
    ranks: Ranks = Ranks(),  # noqa: B008 - frozen
) -> Learned:
    """Train on everything labelled, and promote the candidate if it is no worse.

    A training of the same kind, labels and parent that was killed or stopped goes on where it was.

    Parameters
    ----------
    kind
        Incremental: from the champion on, when enough is newly labelled. Nightly: from the transfer weights, when
        anything changed since the last nightly.
    stop
        Asked before each step; the training then ends without a candidate (``Learned.is_superseded``).
    stop_cause
        Asked once it was stopped: newer labels make what it learned so far worthless, else that is kept.
    ranks
        The processes that train together; this is the first of them, the others follow it.

    Raises
    ------
    BridgeError
        The training failed; the champion is as it was.
    """
    if not is_dry_run:
        settle_training(project, store, now())
    reason = why_not(project, store, pulled, kind, is_forced=is_forced)
    if reason is not None:
        if not is_dry_run:
            _close_dead_run(store, kind, reason, now())
        return Learned(None, False, reason)
    if is_dry_run:
        return Learned(None, False, f"would train on {_labelled(pulled)}", is_dry_run=True)
    run = replace(_begin(project, store, pulled, kind, now, is_forced=is_forced), ranks=ranks)
    try:
        return _train(run, store, pulled, progress, now, stop, stop_cause)
    except BridgeError as error:
        if not is_noted(project) and store.running() is not None:
            store.fail_run(run.record.iteration, str(error), now())
        raise


def _labelled(pulled: Pulled) -> str:
    return counted(sum(not plan.is_empty for plan in pulled.plans), "slide")


def _close_dead_run(store: Store, kind: RunKind, reason: str, now: datetime) -> None:
    """End a run that was killed and that there is nothing to go on with; its kept state stays, should that change."""
    running = store.running()
    if running is not None and running.kind == kind.value:
        store.fail_run(running.iteration, f"its process ended, and it isn't gone on with: {reason}", now)


def _begin(
    project: Project, store: Store, pulled: Pulled, kind: RunKind, now: Callable[[], datetime], *, is_forced: bool
) -> _Run:
    is_nightly = kind is RunKind.NIGHTLY
    champion = champion_or_none(project) if is_forced or is_nightly else load_project_champion(project)
    parent = None if is_nightly else parent_of(project.settings, champion)
    parent = parent if parent is not None else transfer_or_none(project)
    parent_id, data = parent.id if parent else None, data_hash(project, pulled)
    running = store.running()
    if running is not None and (running.kind, running.parent, running.data_hash) == (kind.value, parent_id, data):
        logger.info("training %d was cut short and goes on", running.iteration)
    else:
        store.start_run(now(), kind=kind.value, parent=parent_id, data_hash=data)
        running = store.running()
    assert running is not None, "start_run leaves a running one"
    return _Run(project, kind, running, champion, parent, is_forced)


def _train(
    run: _Run,
    store: Store,
    pulled: Pulled,
    progress: Progress,
    now: Callable[[], datetime],
    stop: Callable[[], bool],
    stop_cause: Callable[[], StopCause],
) -> Learned:
    iteration = run.record.iteration
    labelled = [state for state in pulled.slides if not state.plan.is_empty]
    if run.kind is RunKind.NIGHTLY:
        labelled = [replace(state, plan=without_news(state.plan)) for state in labelled]
    with opened(labelled, run.left_out) as slides:
        candidate, cost = _fit(run, slides, progress, now, stop)
        if not candidate.is_finished:
            return _stopped(run, store, candidate, stop_cause(), now())
        checkpoint = save_checkpoint(run.project.checkpoints, candidate.checkpoint.weights, candidate.checkpoint.card)
        trained = set(candidate.checkpoint.card.data_hashes)
        decision = _judge(run, checkpoint, slides)
    learned_from = [state for state in labelled if state.key in trained]
    scores = {"score": decision.candidate_score, "champion_score": decision.champion_score}
    ending = Ending(
        iteration,
        run.kind.value,
        run.record.data_hash,
        checkpoint.id,
        decision.promoted,
        decision.reason,
        {**scores, **cost, **digests_of(learned_from)},
        {state.key: tuple(sorted(learned_keys(state.plan))) for state in learned_from},
    )
    end_training(run.project, store, ending, now())
    prune_checkpoints(run.project.checkpoints, run.project.settings.store.keep_checkpoints)
    return Learned(
        iteration,
        decision.promoted,
        decision.reason,
        decision.candidate_score,
        decision.champion_score,
        checkpoint.card.steps,
        warnings=tuple(run.left_out.values()),
    )


class TrainingBar:
    """Shows how far a training is, of what was left when it began: one that goes on where it was begins at 0, too."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._first: float | None = None
        self._shown = 0.0
        progress.start(TRAINING, 1.0)

    def show(self, step: TrainingProgress) -> None:
        """Show a step; the bar stands still where the training begins anew, without a slide that is damaged."""
        self._first = step.share if self._first is None else self._first
        left = 1 - self._first
        self._go_to((step.share - self._first) / left if left > 0 else 1.0, f"loss {step.loss:.3f}")

    def end(self) -> None:
        """Show that it is over, also where the hold-out ended it before steps and time."""
        if not math.isclose(self._shown, 1.0):
            self._go_to(1.0, "")

    def _go_to(self, share: float, note: str) -> None:
        self._progress.advance(max(0.0, share - self._shown), note)
        self._shown = max(self._shown, share)


def _fit(
    run: _Run,
    slides: Sequence[TrainingSlide],
    progress: Progress,
    now: Callable[[], datetime],
    stop: Callable[[], bool],
) -> tuple[Candidate, Mapping[str, object]]:
    settings = run.project.settings
    options = training_options(settings, run.kind)
    bar = TrainingBar(progress)
    began, losses = now(), count()
    curve = CurveWriter(run.project.data_folder / CURVES, run.kind.value, now)

    def report(step: TrainingProgress) -> None:
        next(losses)
        curve.add(step.role, step.step, step.steps, step.loss)
        bar.show(step)

    def fit(readable: Sequence[TrainingSlide]) -> Candidate:
        lesson = Lesson(
            tuple(map(SlideToTrain.of, readable)),
            settings,
            options,
            run.project.scheme,
            parent=run.parent,
            in_use=run.champion,
            iteration=run.record.iteration,
            now=now().isoformat(),
        )
        here = partial(
            lesson.fit,
            readable,
            ranks=run.ranks,
            stop=stop,
            progress=report,
            resume_folder=resume_folder(run.project, run.kind),
            keep_state=True,
        )
        return fit_together(run.ranks, lesson, here)

    with curve:
        candidate = without_damaged(slides, run.left_out, fit)
    if candidate.is_finished:
        bar.end()
    return candidate, fit_metrics(next(losses), (now() - began).total_seconds())


def _judge(run: _Run, checkpoint: Checkpoint, slides: Sequence[TrainingSlide]) -> Decision:
    settings = run.project.settings

    def judge(readable: Sequence[TrainingSlide]) -> Decision:
        return promote(
            checkpoint,
            run.champion,
            readable,
            run.project.scheme,
            force=run.is_forced,
            make_predictor=partial(predictor_of, settings),
        )

    decision = without_damaged(slides, run.left_out, judge)
    was_held_out = any(slide.plan.hold_out for slide in slides)
    is_unjudged = was_held_out and decision.candidate_scores is None
    if is_unjudged and run.champion is not None and not run.is_forced:
        return Decision(False, "the model before stays in use; what is held out to judge by can't be read")
    return decision


def _stopped(run: _Run, store: Store, candidate: Candidate, cause: StopCause, now: datetime) -> Learned:
    iteration, steps = run.record.iteration, candidate.checkpoint.card.steps
    if cause is StopCause.NEWER_LABELS:
        forget_state(resume_folder(run.project, run.kind))
    store.fail_run(iteration, cause.value, now)
    logger.info("training %d %s steps=%d", iteration, cause.value, steps)
    warnings = tuple(run.left_out.values())
    return Learned(iteration, False, cause.value, steps=steps, is_superseded=True, warnings=warnings)
