"""Learn: from label plans to a candidate, and to a champion if it is better."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from bridge.annotations.labels import learned_keys, missing_labels
from bridge.errors import BridgeError
from bridge.slides import open_slide
from bridge.store import Store
from models.checkpoints import Checkpoint, load_champion, promote_champion, read_champion, save_checkpoint
from models.data import SamplingOptions, TrainingSlide
from models.errors import CheckpointError
from models.nets import EncoderName, NetOptions
from models.training import Decision, DeepZoom, TrainingOptions, TrainingProgress, promote
from models.training import ModelOptions as NetworkOptions
from scripts.config import Settings
from scripts.loop.pull import Pulled, SlideState
from scripts.progress import Progress
from scripts.project import Project

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of the learning step.

    Parameters
    ----------
    iteration
        Number of the training; None when none was started.
    reason
        Why not, or what the judge said.
    """

    iteration: int | None
    is_promoted: bool
    reason: str
    score: float | None = None
    champion_score: float | None = None
    steps: int = 0
    is_failed: bool = False

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "iteration": self.iteration,
            "promoted": self.is_promoted,
            "reason": self.reason,
            "score": self.score,
            "champion_score": self.champion_score,
            "steps": self.steps,
        }

    def line(self) -> str:
        """Return the facts for people."""
        if self.iteration is None:
            return f"{'failed' if self.is_failed else 'not trained'}: {self.reason}"
        return f"iteration {self.iteration}, {self.steps} steps: {self.reason}"


def load_project_champion(project: Project) -> Checkpoint | None:
    """Return the project's champion; None before the first.

    Raises
    ------
    CheckpointError
        It is damaged.
    """
    return load_champion(project.checkpoints)


def _champion_or_none(project: Project) -> Checkpoint | None:
    """Return the champion; a damaged one counts as none, for a forced training is the way out of that."""
    try:
        return load_project_champion(project)
    except CheckpointError as error:
        logger.warning("training from the transfer weights: %s", error)
        return None


def design_of(settings: Settings) -> DeepZoom:
    """Return the model design that the settings name."""
    model = settings.model
    encoder = EncoderName(model.encoder.value)
    net = NetOptions(encoder=encoder, pretrained=encoder is not EncoderName.PLAIN)
    return DeepZoom(
        NetworkOptions(
            mpp=model.mpp,
            one_network=model.one_network,
            high=net,
            low=net,
            low_factor=model.low_factor,
            keep_low=model.keep_low,
        )
    )


def training_options(settings: Settings) -> TrainingOptions:
    """Return what the training is told."""
    train = settings.train
    return TrainingOptions(
        max_steps=train.max_steps,
        max_seconds=train.max_seconds,
        batch_size=train.batch_size,
        tile_px=train.tile_px,
        learning_rate=train.learning_rate,
        patience=train.patience,
        checkpoint_every=train.checkpoint_every,
        seed=train.seed,
        device=train.device,
        cache_mb=train.cache_mb,
        sampling=SamplingOptions(tree=train.tree, replay=train.replay),
    )


def data_hash(project: Project, pulled: Pulled) -> str:
    """Name everything that a training would learn from: plans, classes, network and working resolution."""
    settings = project.settings
    parts = [
        repr(project.scheme.names),
        repr(project.scheme.priority),
        repr(settings.model),
        *sorted(p.content_hash() for p in pulled.plans),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def why_not(project: Project, store: Store, pulled: Pulled, *, is_forced: bool) -> str | None:
    """Say why no training should start, or None."""
    missing = missing_labels(pulled.plans)
    if missing is not None:
        return missing
    if is_forced or read_champion(project.checkpoints) is None:
        return None
    waiting = [s.reading.entry.name for s in pulled.slides if s.is_suspicious and store.learned(s.key)]
    waiting += [p.entry.name for p in pulled.problems if store.learned(p.entry.key)]
    if waiting:
        return f"waiting for {', '.join(waiting)}, learned from before and not readable or not believed now"
    if store.last_trained_data_hash() == data_hash(project, pulled):
        return "nothing new is labelled since the last training"
    return None


def learn(
    project: Project,
    store: Store,
    pulled: Pulled,
    progress: Progress,
    now: Callable[[], datetime],
    *,
    is_forced: bool = False,
    is_dry_run: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Learned:
    """Train on everything labelled, from the champion on, and promote the candidate if it is no worse.

    Raises
    ------
    BridgeError
        The training failed; the champion is as it was.
    """
    reason = why_not(project, store, pulled, is_forced=is_forced)
    if reason is not None:
        return Learned(None, False, reason)
    if is_dry_run:
        return Learned(None, False, f"would train on {sum(not p.is_empty for p in pulled.plans)} slides")
    champion = _champion_or_none(project) if is_forced else load_project_champion(project)
    parent = None if project.settings.train.from_scratch else champion
    iteration = store.start_run(
        now(), kind="incremental", parent=parent.id if parent else None, data_hash=data_hash(project, pulled)
    )
    try:
        candidate, decision = _train(project, pulled, champion, parent, iteration, progress, now, stop, is_forced)
    except BridgeError as error:
        store.fail_run(iteration, str(error), now())
        raise
    _remember(store, pulled, iteration)
    metrics = {"score": decision.candidate_score, "champion_score": decision.champion_score}
    store.finish_run(
        iteration,
        checkpoint_id=candidate.id,
        promoted=decision.promoted,
        reason=decision.reason,
        metrics=metrics,
        now=now(),
    )
    return Learned(
        iteration,
        decision.promoted,
        decision.reason,
        decision.candidate_score,
        decision.champion_score,
        candidate.card.steps,
    )


def _train(
    project: Project,
    pulled: Pulled,
    champion: Checkpoint | None,
    parent: Checkpoint | None,
    iteration: int,
    progress: Progress,
    now: Callable[[], datetime],
    stop: Callable[[], bool],
    is_forced: bool,
) -> tuple[Checkpoint, Decision]:
    settings = project.settings
    options = training_options(settings)
    progress.start("training", options.max_steps)

    def report(step: TrainingProgress) -> None:
        progress.advance(note=f"loss {step.loss:.3f}")

    with opened(s for s in pulled.slides if not s.plan.is_empty) as slides:
        candidate = design_of(settings).fit(
            slides,
            project.scheme,
            options,
            parent=parent,
            iteration=iteration,
            now=now().isoformat(),
            stop=stop,
            progress=report,
            resume_folder=project.data_folder / "resume",
        )
        checkpoint = save_checkpoint(project.checkpoints, candidate.checkpoint.weights, candidate.checkpoint.card)
        decision = promote(
            checkpoint,
            champion,
            slides,
            project.scheme,
            force=is_forced,
            one_network=settings.model.one_network,
            device=settings.train.device,
        )
    if decision.promoted:
        promote_champion(project.checkpoints, checkpoint.id)
    return checkpoint, decision


@contextmanager
def opened(states: Iterator[SlideState] | Sequence[SlideState]) -> Iterator[list[TrainingSlide]]:
    """Open the slides of some plans for a training; they are closed when the block ends."""
    with ExitStack() as stack:
        slides = []
        for state in states:
            slide = stack.enter_context(open_slide(state.reading.slide_path, mpp=state.reading.mpp))
            slides.append(TrainingSlide(slide, state.plan, state.reading.entry.metadata))
        yield slides


def _remember(store: Store, pulled: Pulled, iteration: int) -> None:
    """Record what was trained on: it never judges, and isn't new any more."""
    for state in pulled.slides:
        store.record_learned(iteration, state.key, learned_keys(state.plan))
