"""The processes that train one net together, as seen from one of them: which it is, and how they agree.

What they share a step of is decided once: a number, an answer, an error is that of the process which knows, and all go
on with it. Whatever takes long is waited for here, over the control group, whose patience is the caller's; gradients
and scores go over torch's default group, and only between processes that have just met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from bridge.errors import BridgeError, ConfigError
from models.data import Share
from models.errors import ProcessLostError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes of a training; a single one by default, for which nothing here costs anything.

    Parameters
    ----------
    rank
        This process's number; 0 decides, writes and tells.
    count
        Processes.
    control
        Their group on the CPU; None for a single process.
    local_rank, local_count
        As ``rank`` and ``count``, on this machine.
    """

    rank: int = 0
    count: int = 1
    control: dist.ProcessGroup | None = None
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the process that decides, writes and tells."""
        return self.rank == 0

    @property
    def share(self) -> Share:
        """What of every batch is made here."""
        return Share(self.rank, self.count)

    def device(self, wanted: str) -> str:
        """Return the device of this process: on a machine with GPUs each has one of its own.

        Parameters
        ----------
        wanted
            By the options; several processes know ``auto``, ``cpu`` and ``cuda``.

        Raises
        ------
        ConfigError
            There are fewer GPUs than processes, or one device is named for all of them.
        """
        if self.count == 1:
            return wanted
        if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
            return "cpu"
        if wanted not in ("auto", "cuda"):
            raise ConfigError(f"{self.count} processes can't share {wanted!r}; set [train] device to cuda or cpu")
        there = torch.cuda.device_count()
        if there < self.local_count:
            raise ConfigError(
                f"{self.local_count} processes on this machine, which has {there} GPUs; start no more than that, or set"
                " [train] device to cpu"
            )
        return f"cuda:{self.local_rank}"

    def any(self, is_so: bool) -> bool:
        """Say whether it is so in any of the processes."""
        return any(self._told(float(is_so)))

    def first(self, number: float) -> float:
        """Return the first process's number."""
        return self._told(number)[0]

    def sizes(self, size: int) -> list[int]:
        """Return every process's size, by rank."""
        return [int(number) for number in self._told(float(size))]

    def from_first(self, work: Callable[[], T]) -> T:
        """Return what some work gave in the first process; the others don't do it, but wait.

        Parameters
        ----------
        work
            What it returns is sent by torch, pickled: plain values and arrays. So is a ``BridgeError`` that it raises,
            which is then raised everywhere.
        """
        if self.count == 1:
            return work()
        found = self.all_have(work if self.is_first else _nothing)
        return cast(T, self._sent(found, 0))

    def all_have(self, work: Callable[[], T]) -> T:
        """Return what each process's own work gave once all have done it; an error in one is raised in all."""
        try:
            found = work()
        except BridgeError as error:
            self._told(error=error)
            raise
        self._told()
        return found

    def together(self, work: Callable[[], T]) -> T:
        """Return what each process's own work gave, in the course of which they agree on this and that.

        Wherever one of them fails, it fails in all, and they go on side by side.

        Raises
        ------
        BridgeError
            The process's own; else that of the first process that has one.
        ProcessLostError
            One of them is gone.
        """
        try:
            with _losses_told():
                found = work()
            self._told()
            return found
        except ProcessLostError:
            raise
        except BridgeError as error:
            while self._failures(error=error).count < self.count:  # the others have yet to hear of it
                continue
            raise

    def _told(self, number: float = 0.0, error: BridgeError | None = None) -> list[float]:
        """Return every process's number, by rank, or raise what ended the work of one of them."""
        if self.count == 1 and error is None:
            return [number]
        heard = self._failures(number, error)
        if heard.error is not None:
            raise heard.error
        return heard.numbers

    def _failures(self, number: float = 0.0, error: BridgeError | None = None) -> _Heard:
        """Tell all others a number or an error, and hear theirs."""
        if self.count == 1:
            return _Heard([number], int(error is not None), error)
        own = torch.tensor([number, float(error is not None)], dtype=torch.float64)
        told = [torch.empty_like(own) for _ in range(self.count)]
        with _losses_told():
            dist.all_gather(told, own, group=self.control)
        numbers, failed = ([float(each[column]) for each in told] for column in (0, 1))
        if not any(failed):
            return _Heard(numbers, 0, None)
        theirs = self._sent(error, failed.index(1.0))
        return _Heard(numbers, int(sum(failed)), error or theirs)

    def _sent(self, value: Any, source: int) -> Any:  # Any: whatever the process has
        held = [value]
        with _losses_told():
            dist.broadcast_object_list(held, src=source, group=self.control)
        return held[0]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the processes told each other: numbers by rank, how many failed, and this one's error, else the first's."""

    numbers: list[float]
    count: int
    error: BridgeError | None


@contextmanager
def _losses_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        # Of gloo's errors torch (2.13) makes plain RuntimeErrors, which say "gloo" only in their text.
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise ProcessLostError(
            "another process of the training is gone, or can't be reached; what was kept of the training is gone on"
            " with when it is started again"
        ) from error


def _nothing() -> Any:  # Any: in the place of whatever the first process has
    return None


def gathered(ranks: Ranks, *parts: Tensor) -> tuple[Tensor, ...]:
    """Return the rows of all processes, in their order: of a batch that was shared, the whole.

    What is computed from the whole is computed in every process, so that a loss of any form is that of the batch, not a
    mean of the shares' losses. Its gradient goes back to the process's own rows, times the number of processes: the
    mean over processes that torch takes of all gradients is then the gradient of the whole.

    Parameters
    ----------
    ranks
        Which rows are whose.
    parts
        Of as many rows each; the processes may have different numbers of them, or none.
    """
    if ranks.count == 1:
        return parts
    sizes = ranks.sizes(len(parts[0]))
    return tuple(cast(Tensor, _Gathered.apply(part, sizes, ranks.rank)) for part in parts)  # type: ignore[no-untyped-call]


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, sizes: list[int], rank: int) -> Tensor:  # Any: torch leaves it untyped
        ctx.sizes, ctx.rank = sizes, rank
        own = part.new_zeros((max(sizes), *part.shape[1:]))
        own[: len(part)] = part
        parts = [torch.empty_like(own) for _ in sizes]
        dist.all_gather(parts, own)
        return torch.cat([each[:size] for each, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        first = sum(ctx.sizes[: ctx.rank])
        return gradient[first : first + ctx.sizes[ctx.rank]] * len(ctx.sizes), None, None
