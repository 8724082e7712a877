"""What a training of the loop is told: by what kind of run it is, and by the settings."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import TypeVar

from bridge.errors import ConfigError
from models.checkpoints import Card, Checkpoint, DesignName
from models.inference import HotSpotOptions, SlidePredictor, open_predictor
from models.nets import LabelHead, NetKind, NetOptions, Published, parse_encoder, published
from models.training import (
    DeepZoom,
    Design,
    Hybrid,
    HybridOptions,
    PatchLoss,
    Patchwise,
    PatchwiseOptions,
    Preset,
    PresetName,
    TrainingOptions,
    Weak,
    preset,
)
from models.training import ModelOptions as NetworkOptions
from scripts.config import Settings
from scripts.loop.pull import Pulled
from scripts.options import Design as DesignWord
from scripts.options import LabelHead as LabelHeadName
from scripts.options import ModelOptions
from scripts.project import Project

logger = logging.getLogger(__name__)

_SECONDS_PER_HOUR = 3600.0
P = TypeVar("P", bound=PatchwiseOptions)


class RunKind(Enum):
    """What sets a training off, and what it begins from."""

    INCREMENTAL = "incremental"  # new labels: from the champion on, a short budget
    NIGHTLY = "nightly"  # the clock: from the transfer weights over everything, a long budget


class StopCause(Enum):
    """Why a training was asked to stop, in the words of its record."""

    NEWER_LABELS = "stopped: newer labels came, the next training learns from them too"
    SHUTDOWN = "stopped before its end; the next one with the same labels goes on from there"


def design_of(settings: Settings) -> Design:
    """Return the model design that the settings name.

    Raises
    ------
    ConfigError
        No net has such a name.
    """
    base = _preset(settings).design
    match base:
        case DeepZoom():
            return DeepZoom(_deepzoom_model(base.model, settings.model), hot_spots_of(settings))
        case Patchwise():
            return Patchwise(_with_patches(base.model, settings))
        case Hybrid():
            return Hybrid(_hybrid_model(base.model, settings))
        case Weak():
            net = _net(base.model.net, settings.model)
            return Weak(replace(base.model, mpp=settings.model.mpp, net=net, weights_path=settings.model.weights))
    raise AssertionError(f"a preset of design {settings.model.design.value}")


def hot_spots_of(settings: Settings) -> HotSpotOptions:
    """Return how deepzoom's coarse pass decides what is looked at closely."""
    model = settings.model
    return HotSpotOptions(model.hot_spot_threshold, model.hot_spot_min_um2, model.hot_spot_padding_um)


def predictor_of(settings: Settings, checkpoint: Checkpoint, *, threads: int = 0) -> SlidePredictor:
    """Return a checkpoint of any design, the settings' or another, ready to predict slide after slide.

    Parameters
    ----------
    threads
        CPU threads of ONNX Runtime; 0 takes one per core.

    Raises
    ------
    CheckpointError
        Weights that don't fit their card, or a design that is not known.
    """
    stride_px = settings.model.map_stride_px
    return open_predictor(
        checkpoint,
        one_network=settings.model.one_network,
        hot_spots=hot_spots_of(settings),
        stride_px=None if stride_px is None else min(stride_px, checkpoint.card.tile_px),
        tissue=settings.tissue,
        device=settings.train.device,
        threads=threads,
    )


def goes_on_from(settings: Settings, card: Card) -> bool:
    """Say whether an incremental training would go on from a champion: of the design that is set, and if it may."""
    return not settings.train.from_scratch and card.design == settings.model.design.value


def parent_of(settings: Settings, champion: Checkpoint | None) -> Checkpoint | None:
    """Return what an incremental training goes on from: the champion, unless it is of another design than is set now.

    A design's nets are not another's; where they are alike (a patch classifier), what one has seen of all slides would
    spoil the other's held-out folds.
    """
    if champion is None or settings.train.from_scratch:
        return None
    if goes_on_from(settings, champion.card):
        return champion
    logger.warning(
        "the model in use is of another design than the settings name: training begins with transfer weights, and the"
        " model stays in use until the new one is better design=%s in_use=%s model=%s",
        settings.model.design.value,
        champion.card.design,
        champion.id,
    )
    return None


def training_options(settings: Settings, kind: RunKind = RunKind.INCREMENTAL) -> TrainingOptions:
    """Return what the training is told; a nightly one has the schedule's budget.

    What no setting says (augmentation, the optimizer's finer numbers) is as the preset has it.
    """
    train, schedule = settings.train, settings.schedule
    base = _preset(settings).training
    options = replace(
        base,
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
        sampling=replace(base.sampling, tree=train.tree, replay=train.replay),
    )
    if kind is RunKind.INCREMENTAL:
        return options
    return replace(options, max_steps=schedule.max_steps, max_seconds=schedule.hours * _SECONDS_PER_HOUR)


def _preset(settings: Settings) -> Preset:
    return preset(DesignName(settings.model.design.value), PresetName(settings.model.preset.value))


def _deepzoom_model(base: NetworkOptions, model: ModelOptions) -> NetworkOptions:
    return replace(
        base,
        mpp=model.mpp,
        one_network=model.one_network,
        high=_net(base.high, model),
        low=_net(base.low, model),
        low_factor=model.low_factor,
        keep_low=model.keep_low,
        weights_path=model.weights,
    )


def _with_patches(base: P, settings: Settings) -> P:
    model = settings.model
    return replace(
        base,
        mpp=model.mpp,
        net=_net(base.net, model),
        patches=replace(base.patches, patch_px=model.patch_px, stride_px=model.patch_stride_px),
        loss=PatchLoss(model.patch_loss.value),
        map_stride_px=model.map_stride_px,
        tissue=settings.tissue,
        weights_path=model.weights,
    )


def _hybrid_model(base: HybridOptions, settings: Settings) -> HybridOptions:
    by = settings.holdout.by
    return replace(
        _with_patches(base, settings),
        refine_mpp=settings.model.refine_mpp,
        refine_px=settings.model.refine_px,
        folds=settings.model.folds,
        fold_by=base.fold_by if by == "slide" else by,  # who is held out together has seen each other's slides
    )


def _net(base: NetOptions, model: ModelOptions) -> NetOptions:
    """Return a net of the preset with what the settings say of nets."""
    try:
        encoder = parse_encoder(model.encoder)
    except ValueError as error:
        raise ConfigError(f"[model] encoder: {error}") from error
    is_usual = model.label_head is LabelHeadName.NONE or (
        base.kind is NetKind.WEAK and model.label_head is LabelHeadName.TABLE_A3
    )
    head = None if is_usual else LabelHead(model.label_head.value)
    net = replace(base, encoder=encoder, pretrained=model.pretrained, label_head=head)
    return replace(net, pretrained=model.pretrained and published(net) is not Published.NOBODY)


def data_hash(project: Project, pulled: Pulled) -> str:
    """Name everything that a training would learn from: plans, resolutions, classes and network."""
    settings = project.settings
    parts = [
        repr(project.scheme.names),
        repr(project.scheme.priority),
        *_facts_of(settings.model),
        repr(settings.tissue) if settings.model.design in (DesignWord.PATCHWISE, DesignWord.HYBRID) else "",
        *sorted(f"{s.plan.content_hash()} {s.reading.mpp}" for s in pulled.slides if not s.plan.is_empty),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _facts_of(model: ModelOptions) -> Iterator[str]:
    """Yield what of the settings decides a model; not what decides only how it is used."""
    left_out = {"hot_spot_threshold", "hot_spot_min_um2", "hot_spot_padding_um", "map_stride_px", "weights"}
    for option in fields(model):
        if option.name not in left_out:
            yield f"{option.name}={getattr(model, option.name)!r}"
    if model.weights is not None:  # without its folder: a project that moves has nothing new to teach
        stat = model.weights.stat() if model.weights.is_file() else None
        yield f"{model.weights.name} {(stat.st_size, stat.st_mtime_ns) if stat is not None else None}"


def resume_folder(project: Project, kind: RunKind) -> Path:
    """Return where the state of an unfinished training is kept: one place a kind, so that none wipes the other's."""
    return project.data_folder / "resume" / kind.value
