"""The training loop of one net: plain, its state in one place, so that it can stop and go on after any step."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoints import ResumeState, clear_resume_state, load_resume_state
from models.data import batches_ahead
from models.errors import CheckpointError
from models.nets import Net
from models.training.options import TrainingOptions
from models.training.ranks import Ranks
from models.training.schedule import plan_steps, rate_at
from models.training.shared_net import SharedNet
from models.training.state import HistoryEntry, TrainingState
from models.training.task import Task
from models.training.transfer import set_statistics_frozen

logger = logging.getLogger(__name__)

_THREADS_BESIDE_GPU = 4  # that make batches; a net on the processor takes all of it, in turn with them
_DROPOUT_STREAM = 2  # tells the generator of the net from those of places and pixels


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """How far a training is.

    Parameters
    ----------
    role
        Which net is trained now.
    step, steps
        Of that net: done, and planned.
    loss
        The mean since the last look.
    share
        Of the whole training, all its nets together, 0 to 1: by steps or by time, whichever is nearer its end.
    """

    role: str
    step: int
    steps: int
    loss: float
    share: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class TrainedNet:
    """A net's training, finished or stopped.

    Parameters
    ----------
    weights
        The averaged ones; where a hold-out judged, the best of them.
    steps
        Done.
    history
        In order.
    is_finished
        False when it was asked to stop: it can be resumed.
    weights_sha256
        Of the file that the net's weights began with, where the user named one.
    """

    weights: Mapping[str, Tensor]
    steps: int
    history: tuple[HistoryEntry, ...]
    is_finished: bool
    weights_sha256: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoopInputs:
    """What one net's training works on.

    Parameters
    ----------
    role
        Names the net in logs and progress.
    net
        With the weights to begin with, on its device; trained in place.
    task
        What it learns from.
    judge
        Returns a net's hold-out loss, less is better; None without a hold-out.
    freeze_statistics
        Keep the batch normalization of what was pretrained as it is.
    run_key
        Hash of all inputs: which state may be resumed.
    folder
        Where the state is kept; None keeps none.
    """

    role: str
    net: Net
    task: Task[Any]  # Any: what a batch is, only the task knows
    judge: Callable[[nn.Module], float] | None
    freeze_statistics: bool
    run_key: str
    folder: Path | None = None


class NetTraining:
    """One net's training.

    Parameters
    ----------
    inputs
        Net, data, loss. A kept state with the same key is taken up.
    options
        Budget and step sizes.
    max_seconds
        This net's share of the time; None is no limit.
    ranks
        The processes that train it together. The first one's clock, hold-out and kept state count.

    Raises
    ------
    BridgeError
        Another process didn't come this far.

    Notes
    -----
    A kept state that is damaged is dropped: the training begins anew. It knows nothing of processes: what several began
    one may go on with, and the other way round.
    """

    def __init__(
        self,
        inputs: LoopInputs,
        options: TrainingOptions,
        *,
        max_seconds: float | None,
        ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    ) -> None:
        self._in = inputs
        self._options = options
        self._max_seconds = max_seconds
        self._ranks = ranks
        self._device = next(inputs.net.parameters()).device
        optimizer = make_optimizer(inputs.net, options)
        self._state = TrainingState(inputs.net, optimizer, decay=options.average, planned=options.max_steps)
        self._probe = copy.deepcopy(inputs.net)
        kept = ranks.from_first(self._kept_state)
        if kept is not None:
            self._state.load(kept)
            logger.info("training goes on where it was net=%s step=%d", inputs.role, self._state.counters.step)
        self._net: nn.Module = inputs.net if ranks.count == 1 else SharedNet(inputs.net, ranks)

    def run(
        self,
        *,
        stop: Callable[[], bool],
        progress: Callable[[TrainingProgress], None] | None,
        clock: Callable[[], float],
    ) -> TrainedNet:
        """Train until the budget is spent, the hold-out no longer gains, or ``stop`` says so.

        Raises
        ------
        SlideError
            A slide can't be read, by any of the processes.
        """
        counters, ranks = self._state.counters, self._ranks
        began = clock() - counters.elapsed
        is_stopped = False
        with batches_ahead(self._in.task, counters.step, threads=_threads_beside(self._device)) as batches:
            while not self._is_over() and not (is_stopped := ranks.any(stop())):
                self._step(ranks.all_have(partial(next, batches)))
                counters.elapsed = ranks.first(clock() - began)
                counters.planned = plan_steps(counters.planned, counters.step, counters.elapsed, self._max_seconds)
                self._tell(progress)
                self._pause_to_look()
        return self._close(is_stopped)

    def _kept_state(self) -> ResumeState | None:
        folder = self._in.folder
        if folder is None:
            return None
        try:
            return load_resume_state(folder, self._in.run_key)
        except CheckpointError as error:
            logger.warning("training begins anew net=%s: %s", self._in.role, error)
            clear_resume_state(folder)
            return None

    def _is_over(self) -> bool:
        counters = self._state.counters
        is_stale = counters.looks_without_gain >= self._options.patience
        return counters.is_done or is_stale or counters.step >= counters.planned

    def _step(self, batch: Any) -> None:
        counters, optimizer = self._state.counters, self._state.optimizer
        set_statistics_frozen(self._in.net, is_frozen=self._in.freeze_statistics)
        share = rate_at(counters.step, counters.planned, self._options.warm_up_steps)
        for group in optimizer.param_groups:
            group["lr"] = share * group["top_rate"]
        optimizer.zero_grad(set_to_none=True)
        loss = self._backpropagated(batch)
        optimizer.step()
        self._state.average.update(self._in.net, counters.step)
        counters.step += 1
        counters.loss_sum += loss
        counters.loss_count += 1

    def _backpropagated(self, batch: Any) -> float:
        """Return the step's loss, its gradients added up; what dropout drops depends on the step's number alone."""
        total = 0.0
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(_seed_of(self._options.seed, self._state.counters.step, self._ranks.rank))
            for loss in self._in.task.losses(self._net, batch):
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                total += float(loss.detach())
        return total

    def _tell(self, progress: Callable[[TrainingProgress], None] | None) -> None:
        counters = self._state.counters
        if progress is not None:
            step, planned = counters.step, counters.planned
            progress(TrainingProgress(self._in.role, step, planned, counters.recent_loss, self._share()))

    def _share(self) -> float:
        counters = self._state.counters
        of_steps = counters.step / max(1, counters.planned)
        of_time = counters.elapsed / self._max_seconds if self._max_seconds else 0.0
        return min(1.0, max(of_steps, of_time))

    def _pause_to_look(self) -> None:
        step = self._state.counters.step
        if step % self._options.evaluate_every == 0:
            self._look()
        if step % self._options.checkpoint_every == 0:
            self._keep()

    def _look(self) -> None:
        counters = self._state.counters
        holdout_loss = None
        if self._in.judge is not None:
            holdout_loss = self._ranks.from_first(partial(self._judged, self._in.judge))
            self._state.note_judgement(holdout_loss)
        entry = HistoryEntry(counters.step, counters.recent_loss, holdout_loss, counters.elapsed)
        counters.history.append(entry)
        counters.loss_sum, counters.loss_count = 0.0, 0
        logger.debug("look net=%s step=%d loss=%.4f holdout=%s", self._in.role, entry.step, entry.loss, holdout_loss)

    def _judged(self, judge: Callable[[nn.Module], float]) -> float:
        self._probe.load_state_dict(self._state.average.tensors)
        return judge(self._probe.eval())

    def _keep(self) -> None:
        if self._in.folder is not None:
            self._state.save(self._in.folder, self._in.run_key)

    def _close(self, is_stopped: bool) -> TrainedNet:
        counters = self._state.counters
        if not is_stopped and not counters.is_done:
            if counters.loss_count:
                self._look()
            counters.is_done = True
        self._keep()
        return TrainedNet(self._state.result, counters.step, tuple(counters.history), counters.is_done)


def _threads_beside(device: torch.device) -> int:
    return 0 if device.type == "cpu" else _THREADS_BESIDE_GPU


def _seed_of(seed: int, step: int, rank: int) -> int:
    process = (rank,) if rank else ()  # what is dropped of one process's tiles must not be dropped of all
    return int(np.random.default_rng((seed, step, _DROPOUT_STREAM, *process)).integers(2**63))


def make_optimizer(net: Net, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return AdamW with up to four groups: the pretrained part and the rest, weights and (without decay) all else.

    Each group carries its ``top_rate``, which the schedule scales.
    """
    pretrained = net.pretrained_part()
    encoder = {id(parameter) for parameter in pretrained.parameters()} if pretrained is not None else set()
    groups = []
    for is_encoder in (True, False):
        rate = options.learning_rate * (options.encoder_share if is_encoder else 1.0)
        members = [p for p in net.parameters() if (id(p) in encoder) is is_encoder]
        for decays in (True, False):
            params = [p for p in members if (p.ndim > 1) is decays]
            decay = options.weight_decay if decays else 0.0
            if params:
                groups.append({"params": params, "lr": rate, "top_rate": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups)
