"""From labelled slides to a candidate: one net or two, from transfer weights or from a parent."""

from __future__ import annotations

import hashlib
import logging
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np
import shapely
import torch
from torch import Tensor

from bridge.annotations import ClassScheme
from models.checkpoints import Card, Checkpoint, NetCard, NetRole, clear_resume_state, with_role
from models.data import Augmentation, BatchMaker, SlideIndex, TileDataset, TrainingSlide, TreeSampler, index_slide
from models.errors import TrainingDataError
from models.losses import SegmentationLoss, class_weights
from models.nets import NetOptions, choose_device, place
from models.training.holdout import make_judge
from models.training.loop import LoopInputs, NetTraining, TrainedNet, TrainingProgress
from models.training.options import ModelOptions, TrainingOptions
from models.training.state import HistoryEntry
from models.training.transfer import continues, start_net

logger = logging.getLogger(__name__)

DESIGN = "deepzoom"
_LOW_SHARE = 0.3  # of the time, where two nets share it: the low one sees 16 times less


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What a training ends in.

    Parameters
    ----------
    checkpoint
        Not written yet.
    history
        By net.
    is_finished
        False when ``stop`` ended it: weights are what they were then, and the same call goes on from there if it was
        given a folder.
    """

    checkpoint: Checkpoint
    history: dict[NetRole, tuple[HistoryEntry, ...]]
    is_finished: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What all nets of one training share."""

    slides: Sequence[TrainingSlide]
    scheme: ClassScheme
    options: TrainingOptions
    parent: Checkpoint | None
    stop: Callable[[], bool]
    progress: Callable[[TrainingProgress], None] | None
    clock: Callable[[], float]
    folder: Path | None


def fit(
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    model: ModelOptions,
    options: TrainingOptions,
    *,
    parent: Checkpoint | None = None,
    iteration: int = 1,
    now: str = "",
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[TrainingProgress], None] | None = None,
    clock: Callable[[], float] = monotonic,
    resume_folder: Path | None = None,
    keep_state: bool = False,
) -> Candidate:
    """Train the design's nets.

    Parameters
    ----------
    slides
        Open slides with their plans; held-out areas judge, the rest trains.
    scheme
        The classes to learn.
    model
        One network or two, and of what build.
    options
        Budget and step sizes.
    parent
        Goes on from its weights, class by class; None begins with transfer weights.
    iteration
        Number of this training within its project, for the card.
    now
        ISO 8601, for the card.
    stop
        Asked before each step.
    progress
        Told after each step.
    clock
        Seconds, for ``max_seconds``.
    resume_folder
        Where the state is kept every ``checkpoint_every`` steps, and taken up when all inputs are the same; emptied at
        the end. None keeps none.
    keep_state
        Leave the state of a finished training in the folder: the same call gives the same candidate at once, until
        ``forget_state``. For a caller that may be killed before it has put the candidate away.

    Returns
    -------
    Candidate
        With ``max_seconds`` None, the same for the same inputs and seed on a CPU.

    Raises
    ------
    TrainingDataError
        Too little is labelled.
    CheckpointError
        The parent's classes are ordered otherwise, or weights are missing or damaged.
    MissingResolutionError, SlideError
        A slide without mpp, or damaged.
    """
    run = _Run(slides, scheme, options, parent, stop, progress, clock, resume_folder)
    plans = [(NetRole.HIGH, model.high, model.mpp)]
    kept_low = _kept_low(model, parent)
    if not model.one_network and kept_low is None:
        plans.append((NetRole.LOW, model.low, model.mpp * model.low_factor))
    cards: list[NetCard] = []
    trained: list[TrainedNet] = []
    for role, net_options, mpp in plans:
        if trained and not trained[-1].is_finished:
            break  # asked to stop: the other net's turn comes when the training goes on
        seconds = _seconds_for(role, len(plans), options.max_seconds)
        card = _net_card(role, net_options, mpp, scheme, options)
        cards.append(card)
        trained.append(_train_one(run, card, seconds))
    candidate = _candidate(run, cards, trained, kept_low, iteration, now)
    if candidate.is_finished and resume_folder is not None and not keep_state:
        forget_state(resume_folder)
    return candidate


def forget_state(resume_folder: Path) -> None:
    """Empty the folder that a training kept its state in."""
    for role in NetRole:
        clear_resume_state(resume_folder / role.value)


def require_labels(indices: Sequence[SlideIndex], scheme: ClassScheme, min_labels: int) -> None:
    """Refuse to train on too few different labels; background counts where an ROI says what it is.

    Raises
    ------
    TrainingDataError
        Says what there is, and what would mend it.
    """
    found = sorted({label for index in indices for label in index.positions})
    if len(found) >= min_labels:
        return
    names = ", ".join(scheme.names[label] for label in found) or "nothing"
    raise TrainingDataError(
        f"fewer than {'two' if min_labels == 2 else min_labels} labels to train on: {names} on {len(indices)} slides;"
        " label completely inside one proposal and set its class to ROI"
    )


def _train_one(run: _Run, card: NetCard, max_seconds: float | None) -> TrainedNet:
    options = run.options
    indices = [index_slide(slide, run.scheme, card.mpp) for slide in run.slides]
    require_labels(indices, run.scheme, options.min_labels)
    net = start_net(card, run.parent, seed=options.seed)
    place(net, choose_device(options.device))
    loss = SegmentationLoss(_weights(indices, run.scheme, options), options.dice_share, options.pooled_share)
    inputs = LoopInputs(
        role=card.role.value,
        net=net,
        normalization=card.normalization,
        maker=_batch_maker(run, card, indices),
        loss=loss,
        judge=make_judge(run.slides, run.scheme, card, loss, options),
        freeze_statistics=options.freeze_statistics and _is_pretrained(card, run.parent),
        run_key=_run_key(run, card),
        folder=run.folder / card.role.value if run.folder is not None else None,
    )
    if run.parent is not None and continues(card, run.parent):
        options = replace(options, learning_rate=options.learning_rate * options.fine_tune_share)
    result = NetTraining(inputs, options, max_seconds=max_seconds).run(
        stop=run.stop, progress=run.progress, clock=run.clock
    )
    logger.info("net trained role=%s steps=%d finished=%s", card.role.value, result.steps, result.is_finished)
    return result


def _batch_maker(run: _Run, card: NetCard, indices: Sequence[SlideIndex]) -> BatchMaker:
    options = run.options
    labelled = [index for index in indices if index.positions]
    metadata = {slide.key: slide.metadata for slide in run.slides}
    sampler = TreeSampler(labelled, metadata, tile_px=card.tile_px, options=options.sampling, seed=options.seed)
    dataset = TileDataset(run.slides, run.scheme, card.mpp, cache_mb=options.cache_mb)
    augmentation = Augmentation(options.augmentation)
    return BatchMaker(dataset, sampler, augmentation, batch_size=options.batch_size, seed=options.seed)


def _weights(indices: Sequence[SlideIndex], scheme: ClassScheme, options: TrainingOptions) -> tuple[float, ...]:
    counts = [sum(index.pixel_counts.get(label, 0) for index in indices) for label in range(len(scheme.names))]
    return class_weights(counts, power=options.weight_power)


def _net_card(role: NetRole, net: NetOptions, mpp: float, scheme: ClassScheme, options: TrainingOptions) -> NetCard:
    tile_px = -(-options.tile_px // net.stride) * net.stride
    return NetCard(role, net, scheme.names, mpp, tile_px, net.normalization)


def _is_pretrained(card: NetCard, parent: Checkpoint | None) -> bool:
    return card.options.pretrained or (parent is not None and continues(card, parent))


def _kept_low(model: ModelOptions, parent: Checkpoint | None) -> NetCard | None:
    if model.one_network or not model.keep_low or parent is None or NetRole.LOW not in parent.card.roles:
        return None
    return parent.card.net(NetRole.LOW)


def _seconds_for(role: NetRole, nets: int, max_seconds: float | None) -> float | None:
    if max_seconds is None or nets == 1:
        return max_seconds
    return max_seconds * (_LOW_SHARE if role is NetRole.LOW else 1 - _LOW_SHARE)


def _run_key(run: _Run, card: NetCard) -> str:
    parts = [repr(card), repr(replace(run.options, device="", max_seconds=None)), repr(run.scheme.names)]
    parts.append(run.parent.id if run.parent is not None else "transfer")
    parts.extend(sorted(_slide_part(slide) for slide in run.slides))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _slide_part(slide: TrainingSlide) -> str:
    return f"{slide.key} {slide.plan.content_hash()} {_areas_hash(slide)} {slide.slide.pyramid.mpp}"


def _areas_hash(slide: TrainingSlide) -> str:
    # The plan's hash leaves out what is emphasized, for it decides no label; it does decide the batches.
    return hashlib.sha256(b"".join(shapely.to_wkb(area) for area in slide.plan.emphasis)).hexdigest()


def _candidate(
    run: _Run,
    cards: Sequence[NetCard],
    trained: Sequence[TrainedNet],
    kept_low: NetCard | None,
    iteration: int,
    now: str,
) -> Candidate:
    weights: dict[str, Tensor] = {}
    for net_card, net in zip(cards, trained, strict=True):
        weights |= with_role(net.weights, net_card.role)
    if kept_low is not None and run.parent is not None:
        weights |= with_role(run.parent.net_weights(NetRole.LOW), NetRole.LOW)
    card = Card(
        design=DESIGN,
        nets=(*cards, *([kept_low] if kept_low is not None else [])),
        data_hashes={slide.key: slide.plan.content_hash() for slide in run.slides},
        versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        parent=run.parent.id if run.parent is not None else None,
        seed=run.options.seed,
        steps=trained[0].steps,
        iteration=iteration,
        created=now,
    )
    history = {net_card.role: net.history for net_card, net in zip(cards, trained, strict=True)}
    return Candidate(Checkpoint.of(card, weights), history, all(net.is_finished for net in trained))
