"""All that one net's training remembers between two steps, and its form on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.checkpoints import (
    ResumeState,
    load_optimizer_tensors,
    optimizer_tensors,
    save_resume_state,
)
from models.training.average import WeightAverage


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One look at a training: the mean loss since the look before, and the hold-out's loss where there is one."""

    step: int
    loss: float
    holdout_loss: float | None
    seconds: float


@dataclass(slots=True)
class Counters:
    """The numbers of the state."""

    step: int = 0
    planned: int = 0
    elapsed: float = 0.0
    best_loss: float | None = None
    looks_without_gain: int = 0
    is_done: bool = False
    loss_sum: float = 0.0
    loss_count: int = 0
    history: list[HistoryEntry] = field(default_factory=list)

    @property
    def recent_loss(self) -> float:
        """Mean loss since the last look; NaN right after it."""
        return self.loss_sum / self.loss_count if self.loss_count else math.nan

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """Return the numbers for a JSON file; floats come back as they were."""
        data = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "history"}
        return {**data, "history": [[e.step, e.loss, e.holdout_loss, e.seconds] for e in self.history]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Counters:
        """Read what `to_json` wrote."""
        return cls(**{**data, "history": [HistoryEntry(*entry) for entry in data["history"]]})


class TrainingState:
    """Net, optimizer, averaged weights, best weights and numbers.

    Parameters
    ----------
    net
        Trained in place.
    optimizer
        Of its parameters.
    decay
        Of the average.
    planned
        Steps to do.
    """

    def __init__(self, net: nn.Module, optimizer: torch.optim.Optimizer, *, decay: float, planned: int) -> None:
        self.net = net
        self.optimizer = optimizer
        self.average = WeightAverage(net, decay)
        self.best: dict[str, Tensor] | None = None
        self.counters = Counters(planned=planned)

    @property
    def result(self) -> dict[str, Tensor]:
        """The weights to keep: the best by the hold-out, else the averaged ones."""
        return self.best if self.best is not None else self.average.tensors

    def note_judgement(self, holdout_loss: float) -> None:
        """Keep the averaged weights if the hold-out likes them better than any before."""
        counters = self.counters
        if counters.best_loss is None or holdout_loss < counters.best_loss:
            counters.best_loss, counters.looks_without_gain = holdout_loss, 0
            self.best = {key: value.clone() for key, value in self.average.tensors.items()}
        else:
            counters.looks_without_gain += 1

    def save(self, folder: Path, run_key: str) -> None:
        """Write the state, so that a run with the same key goes on from here."""
        tensors = {
            **_under("net", self.net.state_dict()),
            **_under("average", self.average.tensors),
            **_under("best", self.best or {}),
            **_under("optimizer", optimizer_tensors(self.optimizer)),
        }
        save_resume_state(folder, ResumeState(run_key, self.counters.step, tensors, self.counters.to_json()))

    def load(self, saved: ResumeState) -> None:
        """Go on from what `save` wrote."""
        self.net.load_state_dict(_of("net", saved.tensors))
        self.average.load(_of("average", saved.tensors))
        load_optimizer_tensors(self.optimizer, _of("optimizer", saved.tensors))
        device = next(self.net.parameters()).device
        self.best = {key: value.to(device) for key, value in _of("best", saved.tensors).items()} or None
        self.counters = Counters.from_json(saved.scalars)


def _under(title: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{title}/{key}": value for key, value in tensors.items()}


def _of(title: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{title}/"
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
