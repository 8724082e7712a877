"""The processes that ``torchrun`` starts for one training: which of them this is, and how it meets the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self, TypeVar

from bridge.errors import BridgeError, ConfigError

if TYPE_CHECKING:
    from models.training import Ranks

T = TypeVar("T")

TRAINING_COMMANDS = frozenset({"train", "nightly"})
_PATIENCE = timedelta(days=7)  # while the first process predicts after one project's training and before the next


@dataclass(frozen=True, slots=True)
class Launch:
    """What ``torchrun`` says of this process.

    Parameters
    ----------
    rank
        Among all; 0 is the one that decides, writes and tells.
    count
        Processes, on all machines.
    local_rank, local_count
        The same on this machine.
    """

    rank: int
    count: int
    local_rank: int
    local_count: int

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Self | None:
        """Read it from the environment; None where there is no other process, or nothing to meet it by.

        Raises
        ------
        ConfigError
            What is said there makes no sense.
        """
        if "MASTER_ADDR" not in environ or not {"RANK", "WORLD_SIZE", "LOCAL_RANK"} <= environ.keys():
            return None
        try:
            rank, count, local = (int(environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
            found = cls(rank, count, local, int(environ.get("LOCAL_WORLD_SIZE", count)))
        except ValueError as error:
            raise ConfigError(f"RANK, WORLD_SIZE and LOCAL_RANK are numbers that torchrun sets: {error}") from error
        if not 0 <= rank < count:
            raise ConfigError(f"RANK={rank} of WORLD_SIZE={count} is no process of theirs; torchrun sets both")
        return found if count > 1 else None


def refusal(launch: Launch | None, command: str | None) -> str | None:
    """Say why a command is not to be started by ``torchrun``; None where it may be."""
    if launch is None or command is None or command in TRAINING_COMMANDS:
        return None
    return (
        f"torchrun starts {launch.count} processes that train one model together, which is for `train` and `nightly`;"
        f" run `slidebridge {command}` by itself"
    )


@contextmanager
def open_ranks(launch: Launch) -> Iterator[Ranks]:
    """Meet the other processes; they part when the block ends.

    Raises
    ------
    ConfigError
        This build of torch can't, or the others are not where the environment says.
    """
    import torch
    import torch.distributed as dist

    from models.training import Ranks

    if not dist.is_available() or not dist.is_gloo_available():
        raise ConfigError("this build of torch can't train in several processes, it has no gloo; start a single one")
    has_gpu = torch.cuda.is_available() and launch.local_rank < torch.cuda.device_count()
    if has_gpu:
        torch.cuda.set_device(launch.local_rank)
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo", rank=launch.rank, world_size=launch.count)
    except (dist.DistError, ValueError) as error:  # ValueError: no MASTER_PORT, or a rank beyond the count
        told = " ".join(str(error).split())
        raise ConfigError(
            f"process {launch.rank} of {launch.count} doesn't find the others; start all with torchrun, or unset"
            f" MASTER_ADDR and RANK for a single one: {told}"
        ) from error
    try:
        control = dist.new_group(backend="gloo", timeout=_PATIENCE)
        yield Ranks(launch.rank, launch.count, control, launch.local_rank, launch.local_count)
    finally:
        dist.destroy_process_group()


def lead_or_follow(launch: Launch | None, lead: Callable[[Ranks, Callable[[], bool]], T]) -> T | None:
    """Do a command's work in the only process, or in the first of several while the others train as it tells them.

    Parameters
    ----------
    launch
        None for a single process.
    lead
        Gets the processes, and what says that one of them was asked to stop.

    Returns
    -------
    What ``lead`` returned; None in a process that followed.

    Raises
    ------
    BridgeError
        As ``lead``; or another process ended before its time.
    """
    from models.training import Ranks
    from scripts.loop.following import dismiss, follow
    from scripts.stopping import stopped_by_signals, tell_stderr

    if launch is None:
        return lead(Ranks(), lambda: False)
    told = f"stopping all {launch.count} processes after the current step; once more stops at once"
    tell = tell_stderr if launch.rank == 0 else lambda line: None
    with stopped_by_signals(told, tell) as stop, open_ranks(launch) as ranks:
        if launch.rank > 0:
            follow(ranks, stop)
            return None
        try:
            found = lead(ranks, stop)
        except BridgeError:  # any other error leaves the others where they are; torchrun ends them
            dismiss(ranks)
            raise
        dismiss(ranks)
        return found
