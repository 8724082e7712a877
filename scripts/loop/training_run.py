"""What a training of the loop is told: by what kind of run it is, and by the settings."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import Enum
from pathlib import Path

from models.data import SamplingOptions
from models.nets import EncoderName, NetOptions
from models.training import DeepZoom, Design, TrainingOptions
from models.training import ModelOptions as NetworkOptions
from scripts.config import Settings
from scripts.loop.pull import Pulled
from scripts.project import Project

_SECONDS_PER_HOUR = 3600.0


class RunKind(Enum):
    """What sets a training off, and what it begins from."""

    INCREMENTAL = "incremental"  # new labels: from the champion on, a short budget
    NIGHTLY = "nightly"  # the clock: from the transfer weights over everything, a long budget


class StopCause(Enum):
    """Why a training was asked to stop, in the words of its record."""

    NEWER_LABELS = "stopped: newer labels came, the next training learns from them too"
    SHUTDOWN = "stopped before its end; the next one with the same labels goes on from there"


def design_of(settings: Settings) -> Design:
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


def training_options(settings: Settings, kind: RunKind = RunKind.INCREMENTAL) -> TrainingOptions:
    """Return what the training is told; a nightly one has the schedule's budget."""
    train, schedule = settings.train, settings.schedule
    options = TrainingOptions(
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
    if kind is RunKind.INCREMENTAL:
        return options
    return replace(options, max_steps=schedule.max_steps, max_seconds=schedule.hours * _SECONDS_PER_HOUR)


def data_hash(project: Project, pulled: Pulled) -> str:
    """Name everything that a training would learn from: plans, resolutions, classes and network."""
    settings = project.settings
    parts = [
        repr(project.scheme.names),
        repr(project.scheme.priority),
        repr(settings.model),
        *sorted(f"{s.plan.content_hash()} {s.reading.mpp}" for s in pulled.slides if not s.plan.is_empty),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def resume_folder(project: Project, kind: RunKind) -> Path:
    """Return where the state of an unfinished training is kept: one place a kind, so that none wipes the other's."""
    return project.data_folder / "resume" / kind.value
