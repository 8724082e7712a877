"""A small head on frozen features: learns what is revealed in a fraction of a second, and is forgotten after the cycle.

Head and rules are the paper's (Qiu et al., MICCAI 2023, sections 2.3 and 3.2: fully connected, softmax, slides drawn
alike, classes with equal chance, one-cycle learning rate, the weights of the least validation loss); the encoder below
it stays as ImageNet left it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.active import MapBox
from models.errors import TrainingDataError
from models.simulation.cells import Cells, cells_of
from models.simulation.slide import SimulatedSlide, Times
from models.simulation.threads import one_thread


@dataclass(frozen=True, slots=True)
class HeadOptions:
    """How the head is trained.

    Parameters
    ----------
    hidden
        Units between features and classes.
    dropout
        Of the hidden units.
    steps
        Batches at most; the learning rate rises and falls over them.
    batch_size
        Cells per step.
    learning_rate
        The highest.
    weight_decay
        AdamW's.
    evaluate_every
        Steps between looks at the validation's loss.
    patience
        Looks without improvement before the training stops.
    validation_cells
        Where more are revealed, about that many are drawn to judge by.
    patch_label_trust
        How much a cell of a box with a patch label counts beside one that was drawn.

    Raises
    ------
    ValueError
        A number out of its range.
    """

    hidden: int = 128
    dropout: float = 0.5
    steps: int = 200
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    evaluate_every: int = 10
    patience: int = 10
    validation_cells: int = 4096
    patch_label_trust: float = 0.5

    def __post_init__(self) -> None:
        counts = (self.hidden, self.steps, self.batch_size, self.evaluate_every, self.patience, self.validation_cells)
        if min(counts) < 1 or not 0 <= self.dropout < 1 or not 0 < self.patch_label_trust <= 1:
            raise ValueError(f"a head needs units, steps, batches, looks and shares below 1, got {self}")


class FrozenHead:
    """A `Learner` on features that don't change.

    Parameters
    ----------
    slides
        All that it learns from or predicts.
    n_classes
        Background included.
    options
        Of the training.
    """

    def __init__(self, slides: Sequence[SimulatedSlide], n_classes: int, options: HeadOptions | None = None) -> None:
        self._slides = {slide.key: slide for slide in slides}
        self._n_classes = n_classes
        self._options = options or HeadOptions()
        self._sums = {slide.key: _sums(slide.features[slide.tissue]) for slide in slides}

    def learn(
        self,
        revealed: Mapping[str, Times],
        validation: Mapping[str, Times],
        patch_labels: Mapping[str, Sequence[tuple[MapBox, int]]],
        *,
        seed: int,
    ) -> LearnedHead:
        """Train; as `Learner.learn`. Features are scaled by what all slides to be annotated show, revealed or not."""
        trust = self._options.patch_label_trust
        training = cells_of(self._slides, revealed, patch_labels, trust)
        if not training.count:
            raise TrainingDataError("nothing is revealed to train on: no selected cell has tissue and a label")
        scale = _scale([self._sums[key] for key in (*revealed, *validation)])
        with one_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = _build(training.features.shape[1], self._n_classes, self._options)
            chance = np.random.default_rng(seed)
            judging = cells_of(self._slides, validation, {}, trust).at_most(self._options.validation_cells, chance)
            _train(net, training, judging, scale, self._options, chance)
        return LearnedHead(net.eval(), scale, self._slides, self._n_classes)


class LearnedHead:
    """A trained head; as `Learned`."""

    def __init__(self, net: nn.Module, scale: _Scale, slides: Mapping[str, SimulatedSlide], n_classes: int) -> None:
        self._net = net
        self._scale = scale
        self._slides = slides
        self._n_classes = n_classes

    def probabilities(self, key: str) -> NDArray[np.float32]:
        """Return each class's probability in each cell, shape (classes, rows, columns)."""
        slide = self._slides[key]
        found = np.zeros((self._n_classes, *slide.shape), np.float32)
        found[0] = 1.0
        if slide.tissue.any():
            with one_thread(), torch.inference_mode():
                scores = self._net(self._scale.apply(slide.features[slide.tissue]))
                found[:, slide.tissue] = functional.softmax(scores, dim=1).numpy().T
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Of the features of some cells."""

    count: int
    first: NDArray[np.float64]
    second: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Scale:
    """Mean and standard deviation of each feature."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def apply(self, features: NDArray[np.float32]) -> Tensor:
        return torch.from_numpy((features - self.mean) / self.deviation)


def _sums(features: NDArray[np.float32]) -> _Sums:
    exact = features.astype(np.float64)
    return _Sums(len(exact), exact.sum(axis=0), np.square(exact).sum(axis=0))


def _scale(parts: Sequence[_Sums]) -> _Scale:
    count = max(1, sum(part.count for part in parts))
    mean = np.sum([part.first for part in parts], axis=0) / count
    variance = np.sum([part.second for part in parts], axis=0) / count - np.square(mean)
    deviation = np.sqrt(np.maximum(variance, 0))
    deviation[deviation < 1e-6] = 1.0  # a feature that is the same everywhere says nothing
    return _Scale(mean.astype(np.float32), deviation.astype(np.float32))


def _build(n_features: int, n_classes: int, options: HeadOptions) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_features, options.hidden),
        nn.ReLU(),
        nn.Dropout(options.dropout),
        nn.Linear(options.hidden, n_classes),
    )


def _train(
    net: nn.Module,
    training: Cells,
    validation: Cells,
    scale: _Scale,
    options: HeadOptions,
    chance: np.random.Generator,
) -> None:
    """Train a net and leave the weights of the least validation loss in it; the last ones without validation."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=options.steps)
    inputs, labels = scale.apply(training.features), torch.from_numpy(training.labels)
    drawn = chance.choice(training.count, (options.steps, options.batch_size), p=training.chances)
    best = _Best(net, validation, scale, options.patience)
    for step, batch in enumerate(torch.from_numpy(drawn), start=1):
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(net(inputs[batch]), labels[batch]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % options.evaluate_every == 0 and not best.look():
            break
    best.restore()


class _Best:
    """Keeps the weights of the least validation loss."""

    def __init__(self, net: nn.Module, validation: Cells, scale: _Scale, patience: int) -> None:
        self._net = net
        self._inputs, self._labels = scale.apply(validation.features), torch.from_numpy(validation.labels)
        self._shares = torch.from_numpy(validation.chances.astype(np.float32))
        self._patience = patience
        self._least, self._looks = float("inf"), 0
        self._weights: dict[str, Tensor] | None = None

    def look(self) -> bool:
        """Judge the weights as they are; say whether it is worth going on."""
        if not len(self._labels):
            return True
        self._net.eval()
        with torch.no_grad():
            losses = functional.cross_entropy(self._net(self._inputs), self._labels, reduction="none")
        self._net.train()
        loss = float(losses @ self._shares)
        self._looks += 1
        if loss < self._least:
            self._least, self._looks = loss, 0
            self._weights = {name: value.clone() for name, value in self._net.state_dict().items()}
        return self._looks < self._patience

    def restore(self) -> None:
        """Put the best weights back, if any were judged."""
        if self._weights is not None:
            self._net.load_state_dict(self._weights)
