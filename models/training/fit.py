"""From labelled slides to a candidate of the design *deepzoom*: one net or two, from transfer weights or a parent."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Unpack

from bridge.annotations import ClassScheme
from models.checkpoints import Checkpoint, DesignName, NetCard, NetRole
from models.data import SlideIndex, TrainingSlide, index_slide
from models.losses import SegmentationLoss, class_weights
from models.nets import NetOptions, choose_device
from models.training.holdout import make_judge
from models.training.label_data import LabelData, make_makers
from models.training.labels import require_labels
from models.training.loop import TrainedNet
from models.training.options import ModelOptions, TrainingOptions
from models.training.run import Candidate, FitArguments, Run
from models.training.weak_task import WeakTask

logger = logging.getLogger(__name__)

_LOW_SHARE = 0.3  # of the time, where two nets share it: the low one sees 16 times less


def fit(
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    model: ModelOptions,
    options: TrainingOptions,
    **how: Unpack[FitArguments],
) -> Candidate:
    """Train the design's nets.

    Parameters
    ----------
    model
        One network or two, and of what build.
    slides, scheme, options, how
        See `Run`.

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
    run = Run.of(slides, scheme, options, **how)
    plans = [(NetRole.HIGH, model.high, model.mpp)]
    kept_low = _kept_low(model, run.kept_from)
    if not model.one_network and kept_low is None:
        plans.append((NetRole.LOW, model.low, model.mpp * model.low_factor))
    cards = [net_card(role, net_options, mpp, scheme, options) for role, net_options, mpp in plans]
    run.check_weights(cards, model.weights_path)
    trained: list[tuple[NetCard, TrainedNet]] = []
    for card in cards:
        if trained and not trained[-1][1].is_finished:
            break  # asked to stop: the other net's turn comes when the training goes on
        seconds = _seconds_for(card.role, len(cards), options.max_seconds)
        part = run.within(*_part_of(card.role, len(cards)))
        trained.append((card, _train_one(part, card, model, seconds)))
    return run.end(DesignName.DEEPZOOM, trained, [kept_low] if kept_low is not None else [])


def net_card(role: NetRole, net: NetOptions, mpp: float, scheme: ClassScheme, options: TrainingOptions) -> NetCard:
    """Return the card of a net that is trained on tiles of the options' size, rounded up to its stride."""
    tile_px = -(-options.tile_px // net.stride) * net.stride
    return NetCard(role, net, scheme.names, mpp, tile_px, net.normalization)


def _train_one(run: Run, card: NetCard, model: ModelOptions, max_seconds: float | None) -> TrainedNet:
    options = run.options
    indices = [index_slide(slide, run.scheme, card.mpp) for slide in run.slides]
    data = _label_data(run, card, indices)
    require_labels(data.labels, run.scheme, options.min_labels)
    loss = SegmentationLoss(_weights(indices, run.scheme, options), options.dice_share, options.pooled_share)
    makers = make_makers(
        run.slides, run.scheme, card, data, options, label_share=model.label_share, share=run.ranks.share
    )
    label_weights = class_weights(data.patch_counts(run.scheme), power=options.weight_power)
    device = choose_device(options.device)
    task = WeakTask(*makers, card.normalization, loss, label_weights, device, ranks=run.ranks)
    judge = make_judge(run.slides, run.scheme, card, loss, options)
    net = run.start(card, weights_path=model.weights_path)
    key = (f"label_share {model.label_share}",) if data.patches else ()
    return run.train(card, net, task, judge, max_seconds=max_seconds, key=key)


def _label_data(run: Run, card: NetCard, indices: Sequence[SlideIndex]) -> LabelData:
    """Return what a net learns from: patch labels only if it has a head for them."""
    if card.options.label_head is not None:
        return LabelData.of(run.slides, indices, card)
    unused = sum(len(slide.plan.patch_labels) for slide in run.slides)
    if unused and card.role is NetRole.HIGH:
        logger.warning("patch labels not learned from: the net has no label head patch_labels=%d", unused)
    return LabelData.of((), indices, card)


def _weights(indices: Sequence[SlideIndex], scheme: ClassScheme, options: TrainingOptions) -> tuple[float, ...]:
    counts = [sum(index.pixel_counts.get(label, 0) for index in indices) for label in range(len(scheme.names))]
    return class_weights(counts, power=options.weight_power)


def _kept_low(model: ModelOptions, before: Checkpoint | None) -> NetCard | None:
    if model.one_network or not model.keep_low or before is None or NetRole.LOW not in before.card.roles:
        return None
    return before.card.net(NetRole.LOW)


def _part_of(role: NetRole, nets: int) -> tuple[float, float]:
    """Return from where to where a net's training goes in the whole; the low one comes last."""
    if nets == 1:
        return 0.0, 1.0
    return (1 - _LOW_SHARE, 1.0) if role is NetRole.LOW else (0.0, 1 - _LOW_SHARE)


def _seconds_for(role: NetRole, nets: int, max_seconds: float | None) -> float | None:
    if max_seconds is None or nets == 1:
        return max_seconds
    return max_seconds * (_LOW_SHARE if role is NetRole.LOW else 1 - _LOW_SHARE)
