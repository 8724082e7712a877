"""The state of an unfinished training, kept so that a killed run goes on where it was, bit for bit on the CPU.

Two files: tensors as safetensors, named by their step, and a JSON file that names them and is replaced last::

    resume-000150.safetensors    net, averaged net, optimizer
    resume.json                  step, numbers, hash of the tensors, and what the run was asked to do
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bridge.files import replace_whole
from models.errors import CheckpointError

STATE_NAME = "resume.json"
_TENSORS = re.compile(r"resume-\d+\.safetensors")
_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class ResumeState:
    """Everything that the next step depends on.

    Parameters
    ----------
    run_key
        Hash of the run's inputs; a state of other inputs is not taken up.
    step
        Steps done. Batches and augmentation follow from seed and step, so that no sampler state is needed.
    tensors
        Flat, by name.
    scalars
        JSON-able: elapsed seconds, best score, history …
    """

    run_key: str
    step: int
    tensors: Mapping[str, Tensor]
    scalars: Mapping[str, Any]  # Any: JSON


def save_resume_state(folder: Path, state: ResumeState) -> None:
    """Write the state; the one before counts until this one is whole."""
    name = f"resume-{state.step:06d}.safetensors"
    data = safetensors.torch.save({key: tensor.detach().cpu().contiguous() for key, tensor in state.tensors.items()})
    folder.mkdir(parents=True, exist_ok=True)
    replace_whole(folder / name, data, is_shared=False)
    record = {
        "run_key": state.run_key,
        "step": state.step,
        "tensors": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "scalars": dict(state.scalars),
    }
    replace_whole(folder / STATE_NAME, json.dumps(record).encode(), is_shared=False)
    _drop_tensors(folder, keep=name)


def load_resume_state(folder: Path, run_key: str) -> ResumeState | None:
    """Return the state of a run with these inputs, or None where there is none.

    Raises
    ------
    CheckpointError
        There is one and it is damaged.
    """
    path = folder / STATE_NAME
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError("too large")
        record = json.loads(path.read_bytes())
        if record["run_key"] != run_key:
            return None
        data = _read_tensors(folder, str(record["tensors"]), str(record["sha256"]))
        return ResumeState(run_key, int(record["step"]), safetensors.torch.load(data), dict(record["scalars"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"the state in {path} is damaged ({error}); delete it to train from the start") from error


def clear_resume_state(folder: Path) -> None:
    """Forget an unfinished run."""
    (folder / STATE_NAME).unlink(missing_ok=True)
    _drop_tensors(folder, keep="")


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimizer's per-parameter state, flat: keys ``"<parameter>.<name>"``; its groups are not in it."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}


def load_optimizer_tensors(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer of the same parameters the state that `optimizer_tensors` took from another."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value.clone()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _read_tensors(folder: Path, name: str, sha256: str) -> bytes:
    if not _TENSORS.fullmatch(name):
        raise ValueError(f"{name!r} is no tensor file of ours")
    data = (folder / name).read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{name} is not what was written")
    return data


def _drop_tensors(folder: Path, *, keep: str) -> None:
    for path in folder.glob("resume-*.safetensors"):
        if path.name != keep:
            path.unlink(missing_ok=True)
