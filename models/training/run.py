"""What all nets of one training share, and the steps that every design's training is made of."""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, Self, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from bridge.annotations import ClassScheme
from models.checkpoints import Card, Checkpoint, DesignName, NetCard, NetRole, clear_resume_state, with_role
from models.data import TrainingSlide
from models.nets import Net, check_weights, choose_device, place
from models.training.loop import LoopInputs, NetTraining, TrainedNet, TrainingProgress
from models.training.options import TrainingOptions
from models.training.origin import lineage, pixel_statistics
from models.training.ranks import Ranks
from models.training.state import HistoryEntry
from models.training.state_key import state_key
from models.training.task import Task
from models.training.transfer import continues, start_net

logger = logging.getLogger(__name__)

_WEIGHTS_FILE, _KEPT_FROM = "weights_file_sha256", "nets_kept_from"  # among a card's versions


class FitArguments(TypedDict, total=False):
    """What a design's ``fit`` may be told beside slides, scheme and options; see `Run` for what each means."""

    parent: Checkpoint | None
    in_use: Checkpoint | None
    iteration: int
    now: str
    stop: Callable[[], bool]
    progress: Callable[[TrainingProgress], None] | None
    clock: Callable[[], float]
    resume_folder: Path | None
    keep_state: bool
    ranks: Ranks


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
class Run:
    """One training of a design.

    Parameters
    ----------
    slides
        Open slides with their plans; held-out areas judge, the rest trains.
    scheme
        The classes to learn.
    options
        Budget and step sizes.
    parent
        Goes on from its weights, class by class; None begins with transfer weights.
    in_use
        The model in use, where it isn't the parent: a design that keeps one of its nets as it is takes that.
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
    ranks
        The processes that train it together, each told the same but for ``stop``: any of them may be asked. The first
        one's clock counts, and it alone keeps a state.
    """

    slides: Sequence[TrainingSlide]
    scheme: ClassScheme
    options: TrainingOptions
    parent: Checkpoint | None = None
    in_use: Checkpoint | None = None
    iteration: int = 1
    now: str = ""
    stop: Callable[[], bool] = lambda: False
    progress: Callable[[TrainingProgress], None] | None = None
    clock: Callable[[], float] = monotonic
    resume_folder: Path | None = None
    keep_state: bool = False
    ranks: Ranks = Ranks()  # noqa: RUF009 - frozen

    @classmethod
    def of(
        cls,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        **how: Unpack[FitArguments],
    ) -> Self:
        """Return the training that a design's ``fit`` was asked for."""
        run = cls(slides, scheme, options, **how)
        return replace(run, options=replace(options, device=run.ranks.device(options.device)))

    def check_weights(self, cards: Sequence[NetCard], weights_path: Path | None) -> None:
        """Refuse, before anything is trained, weights that are missing or that no net takes.

        Parameters
        ----------
        cards
            All nets of the training.
        weights_path
            The file of ImageNet weights that was named.

        Raises
        ------
        CheckpointError
            As `models.nets.check_weights`; nets that go on from the parent need no file.
        """
        check_weights([card.options for card in cards if not self._continues(card)], weights_path)

    def within(self, begin: float, end: float) -> Run:
        """Return the same training, one net of which takes from ``begin`` to ``end`` of the whole, each 0 to 1."""
        told = self.progress
        if told is None:
            return self
        return replace(self, progress=lambda step: told(replace(step, share=begin + (end - begin) * step.share)))

    @property
    def kept_from(self) -> Checkpoint | None:
        """What a design takes nets from that it keeps as they are."""
        return self.in_use or self.parent

    def start(self, card: NetCard, *, weights_path: Path | None = None) -> Net:
        """Return the net that the training begins with, on its device; errors as `start_net`."""
        net = start_net(card, self.parent, seed=self.options.seed, weights_path=weights_path)
        return place(net, choose_device(self.options.device))

    def train(
        self,
        card: NetCard,
        net: Net,
        task: Task[Any],  # Any: what a batch is, only the task knows
        judge: Callable[[nn.Module], float] | None,
        *,
        max_seconds: float | None,
        name: str = "",
        key: Sequence[str] = (),
    ) -> TrainedNet:
        """Train one net, from where a kept state of the same inputs left it.

        Parameters
        ----------
        card
            What the net is; with the slides, the options and the parent it names the state that may be taken up.
        net
            As `start` returns it.
        task, judge
            What it learns from, and what it is judged by while it does.
        max_seconds
            Its share of the time.
        name
            Of the net in logs, and of its folder; its role's if empty. Two nets of one training have two names.
        key
            What else the training depends on: states of another key are not taken up.
        """
        name, options = name or card.role.value, self.options
        is_continued = self._continues(card)
        inputs = LoopInputs(
            role=name,
            net=net,
            task=task,
            judge=judge,
            freeze_statistics=options.freeze_statistics and (card.options.pretrained or is_continued),
            run_key=self._key(card, net, key),
            folder=self.resume_folder / name if self.resume_folder is not None else None,
        )
        if is_continued:
            options = replace(options, learning_rate=options.learning_rate * options.fine_tune_share)
        training = NetTraining(inputs, options, max_seconds=max_seconds, ranks=self.ranks)
        result = training.run(stop=self.stop, progress=self.progress, clock=self.clock)
        logger.info("net trained role=%s steps=%d finished=%s", name, result.steps, result.is_finished)
        return replace(result, weights_sha256=net.weights_sha256)

    def end(
        self, design: DesignName, trained: Sequence[tuple[NetCard, TrainedNet]], kept: Sequence[NetCard] = ()
    ) -> Candidate:
        """Return the candidate of the nets that were trained and of those kept from `kept_from`.

        The kept state is emptied, unless the training was stopped or is asked to keep it.
        """
        weights: dict[str, Tensor] = {}
        for net_card, net in trained:
            weights |= with_role(net.weights, net_card.role)
        for net_card in kept:
            assert self.kept_from is not None, "only a net that there is can be kept"
            weights |= with_role(self.kept_from.net_weights(net_card.role), net_card.role)
        is_finished = all(net.is_finished for _, net in trained)
        if is_finished and self.resume_folder is not None and not self.keep_state:
            forget_state(self.resume_folder)
        card = self._card(design.value, (*(net_card for net_card, _ in trained), *kept), trained[0][1].steps)
        origin = self._weights_file(net for _, net in trained)
        if kept and self.kept_from is not None and self.kept_from is not self.parent:
            origin = {**origin, _KEPT_FROM: self.kept_from.id}
        card = replace(card, versions={**card.versions, **origin})
        if is_finished and self.ranks.is_first:  # what was stopped is nobody's checkpoint yet
            high = card.net(NetRole.HIGH)
            statistics = pixel_statistics(self.slides, self.scheme, high, seed=self.options.seed)
            card = replace(card, statistics=statistics, lineage=lineage(self.slides))
        return Candidate(Checkpoint.of(card, weights), {c.role: net.history for c, net in trained}, is_finished)

    def _continues(self, card: NetCard) -> bool:
        return self.parent is not None and continues(card, self.parent)

    def _key(self, card: NetCard, net: Net, more: Sequence[str]) -> str:
        parent_id = self.parent.id if self.parent is not None else None
        more = more if net.weights_sha256 is None else (*more, net.weights_sha256)
        return state_key(card, self.options, self.scheme, parent_id, self.slides, more)

    def _weights_file(self, trained: Iterable[TrainedNet]) -> Mapping[str, str]:
        """Return the SHA-256 of the file that ImageNet weights came from, here or in what the parent began with."""
        known = [net.weights_sha256 for net in trained if net.weights_sha256 is not None]
        if not known and self.parent is not None:
            known = [digest for name, digest in self.parent.card.versions.items() if name == _WEIGHTS_FILE]
        return {_WEIGHTS_FILE: known[0]} if known else {}

    def _card(self, design: str, nets: tuple[NetCard, ...], steps: int) -> Card:
        return Card(
            design=design,
            nets=nets,
            data_hashes={slide.key: slide.plan.content_hash() for slide in self.slides},
            versions={"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            parent=self.parent.id if self.parent is not None else None,
            seed=self.options.seed,
            steps=steps,
            iteration=self.iteration,
            created=self.now,
        )


def forget_state(resume_folder: Path) -> None:
    """Empty the folder that a training kept its state in."""
    if resume_folder.is_dir():
        for folder in sorted(path for path in resume_folder.iterdir() if path.is_dir()):
            clear_resume_state(folder)
