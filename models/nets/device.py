"""Which device to compute on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor, nn

_Net = TypeVar("_Net", bound=nn.Module)


def choose_device(name: str = "auto") -> torch.device:
    """Return a device by name; ``auto`` takes CUDA, else MPS, else the CPU.

    Raises
    ------
    ValueError
        The name is none, or this machine doesn't have the device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"{name!r} is no device; write auto, cpu, cuda, cuda:1 or mps") from error
    missing_cuda = device.type == "cuda" and not torch.cuda.is_available()
    missing_mps = device.type == "mps" and not torch.backends.mps.is_available()
    if missing_cuda or missing_mps:
        raise ValueError(f"this machine has no {device.type} device; use auto or cpu")
    return device


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which convolutions run in bfloat16 where that is quicker: on CUDA devices that have it.

    Not on CPUs: there it is slower wherever it isn't native, and some builds of oneDNN fail on it. Not float16: its
    gradients would need scaling.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def moved(pixels: Tensor, device: torch.device) -> Tensor:
    """Return pixels on a device; to CUDA by way of pinned memory, so that the copy is quick and this thread goes on."""
    if device.type == "cuda":
        return pixels.pin_memory().to(device, non_blocking=True)
    return pixels.to(device)


def place(net: _Net, device: torch.device) -> _Net:
    """Move a net to a device, in the memory order that convolutions are quickest in (a third quicker on CPUs)."""
    return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
