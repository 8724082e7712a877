"""Weights that others published, from a file that the user names, under our names."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from models.errors import CheckpointError
from models.nets.encoder import Encoder

logger = logging.getLogger(__name__)

_NESTS = ("state_dict", "model_state_dict", "model", "net")  # where training programs put weights among other things
_COUNTERS = ".num_batches_tracked"  # files written before torch 0.4.1 lack them; no evaluation needs them


def load_weights(net: nn.Module, path: Path, sha256: str | None = None) -> None:
    """Load weights that were published for a net; all or nothing.

    Names may all begin with one and the same prefix (``module.``, ``backbone.``, …), which is taken away; then only
    what is below it counts. For an `Encoder`, names of other libraries that it knows are translated, and its
    architecture's head and later stages are passed over.

    Parameters
    ----------
    net
        What to fill; unchanged on an error.
    path
        ``.safetensors``, or a file of torch's. The latter is read without running any code in it.
    sha256
        What the file's hash must be, in hexadecimal digits; None to take the file as it is.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, another than the hash says, or of another net.
    """
    found = _read(path, sha256)
    wanted = net.state_dict()
    aliases, beyond = (net.aliases(), net.beyond()) if isinstance(net, Encoder) else ({}, ())
    lexicons: tuple[Mapping[str, str], ...] = ({}, aliases)
    readings = [_translate(found, wanted, lexicon) for lexicon in lexicons]
    weights = max(readings, key=lambda reading: len(reading.keys() & wanted.keys()))
    if faults := _faults(weights, wanted, beyond):
        raise CheckpointError(f"{path} holds no weights of this {type(net).__name__}: {'; '.join(faults)}")
    net.load_state_dict({key: weights.get(key, value) for key, value in wanted.items()})
    logger.info("weights loaded net=%s file=%s tensors=%d", type(net).__name__, path, len(wanted))


def _read(path: Path, sha256: str | None) -> Mapping[str, Tensor]:
    if not path.is_file():
        raise CheckpointError(f"there is no weights file at {path}; name a .pth or .safetensors file")
    if sha256 is not None and (digest := weights_digest(path)) != sha256.lower():
        raise CheckpointError(f"{path} has SHA-256 {digest}, not {sha256}: fetch the file again, or correct the hash")
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle makes its reader raise nearly anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path} can't be read as weights: {reason}; fetch or name another file") from error
    tensors = _tensors(data)
    if not tensors:
        raise CheckpointError(f"{path} holds no weights; name a file with a state dict of torch's")
    return tensors


def weights_digest(path: Path) -> str:
    """Return a weights file's SHA-256, in hexadecimal digits.

    Raises
    ------
    CheckpointError
        The file can't be read.
    """
    try:
        return _digest(path)
    except OSError as error:
        raise CheckpointError(f"weights file {path} can't be read: {error.strerror}; name another file") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensors(data: Any) -> dict[str, Tensor]:  # Any: whatever the file held
    """Return the tensors of a state dict, or of the one that lies among other things."""
    if not isinstance(data, Mapping):
        return {}
    tensors = {str(key): value for key, value in data.items() if isinstance(value, Tensor)}
    nested = (_tensors(data[name]) for name in _NESTS if name in data)
    return tensors or next((found for found in nested if found), {})


def _translate(found: Mapping[str, Tensor], wanted: Collection[str], lexicon: Mapping[str, str]) -> dict[str, Tensor]:
    """Return what the file holds under our names, as the lexicon (their modules → ours) has them."""
    inverse = {ours: theirs for theirs, ours in lexicon.items()}
    prefix = _common_prefix(found, [_rename(key, inverse) for key in wanted])
    below = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    return {_rename(key, lexicon): value for key, value in below.items()}


def _rename(key: str, lexicon: Mapping[str, str]) -> str:
    module, _, leaf = key.rpartition(".")
    renamed = lexicon.get(module, module)
    return f"{renamed}.{leaf}" if renamed else leaf


def _common_prefix(found: Iterable[str], names: Sequence[str]) -> str:
    """Return what stands before most of the names in the file; nothing, if nothing does."""
    whole = set(names)
    prefixes: Counter[str] = Counter()
    for key in found:
        parts = key.split(".")
        prefixes.update(
            "".join(f"{part}." for part in parts[:i]) for i in range(len(parts)) if ".".join(parts[i:]) in whole
        )
    return max(prefixes, key=lambda prefix: (prefixes[prefix], -len(prefix)), default="")


def _faults(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor], beyond: tuple[str, ...]) -> list[str]:
    """Say in what the weights don't fit; an empty list if they do."""
    missing = [key for key in wanted if key not in weights and not key.endswith(_COUNTERS)]
    unknown = [key for key in weights if key not in wanted and not key.startswith(beyond)]
    misshapen = [
        f"{key} {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in wanted
        if key in weights and weights[key].shape != wanted[key].shape
    ]
    kinds = {"it lacks": missing, "it has, too,": unknown, "it has": misshapen}
    return [f"{words} {_few(keys)}" for words, keys in kinds.items() if keys]


def _few(keys: Sequence[str]) -> str:
    first = " ".join(keys[0].split())  # a damaged file's names may hold anything, line ends too
    return first if len(keys) == 1 else f"{first} and {len(keys) - 1} more"
