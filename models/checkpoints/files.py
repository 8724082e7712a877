"""Writing a checkpoint so that it is whole or not there, and reading it only if it is whole.

A checkpoint is a folder, named by its id::

    <id>/weights.safetensors     tensors; keys are "<role>.<name in the net>"
    <id>/card.json               {"id", "weights_sha256", "card": {…}}

The id is a hash over weights and card (less what was measured or timed afterwards), so that the same training gives the
same id and a changed file shows.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from bridge.files import sync_folder, write_new
from models.checkpoints.card import Card, parse_card
from models.checkpoints.net_card import NetRole
from models.errors import CheckpointError
from models.nets import Net, build_net

logger = logging.getLogger(__name__)

WEIGHTS_NAME, CARD_NAME = "weights.safetensors", "card.json"
_MAX_CARD_BYTES = 16 * 2**20
_MAX_WEIGHTS_BYTES = 8 * 2**30
_ID_DIGITS = 16

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights and what they are.

    Parameters
    ----------
    id
        Hash of the content, 16 hexadecimal digits.
    card
        What the weights mean.
    weights
        Tensors on the CPU, keys ``"<role>.<name>"``; not to be changed in place.
    path
        Its folder; None while it was never written.
    """

    id: str
    card: Card
    weights: Weights
    path: Path | None = None

    @classmethod
    def of(cls, card: Card, weights: Weights) -> Checkpoint:
        """Return the checkpoint of weights and card, with its id; the tensors are copied to the CPU."""
        kept = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in sorted(weights.items())}
        return cls(content_id(card, safetensors.torch.save(kept)), card, kept)

    def net_weights(self, role: NetRole) -> dict[str, Tensor]:
        """Return one net's weights under the names it knows itself."""
        prefix = f"{role.value}."
        return {key.removeprefix(prefix): tensor for key, tensor in self.weights.items() if key.startswith(prefix)}

    def build(self, role: NetRole = NetRole.HIGH) -> Net:
        """Return one net with its weights, in evaluation mode, on the CPU.

        Raises
        ------
        CheckpointError
            There is no such net, or the weights don't fit the card.
        """
        card = self.card.net(role)
        try:
            net = build_net(card.options, len(card.class_names), load_imagenet=False)
            net.load_state_dict(self.net_weights(role))
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip()
            raise CheckpointError(f"weights of checkpoint {self.id} don't fit its card: {reason}") from error
        return net.eval()


def with_role(weights: Weights, role: NetRole) -> dict[str, Tensor]:
    """Return a net's weights under the keys of a checkpoint."""
    return {f"{role.value}.{key}": tensor for key, tensor in weights.items()}


def content_id(card: Card, weights: bytes) -> str:
    """Return the hash that names weights and card; metrics, versions and times don't count."""
    return id_of(card, hashlib.sha256(weights).hexdigest())


def id_of(card: Card, weights_sha256: str) -> str:
    """Return `content_id` of a card and of weights that are known by their hash."""
    data = {key: value for key, value in card.to_json().items() if key not in ("metrics", "versions", "created")}
    digest = hashlib.sha256(bytes.fromhex(weights_sha256))
    digest.update(json.dumps(data, sort_keys=True).encode())
    return digest.hexdigest()[:_ID_DIGITS]


def save_checkpoint(folder: Path, weights: Weights, card: Card) -> Checkpoint:
    """Write a checkpoint below a folder; a crash leaves no half of it under its name.

    Parameters
    ----------
    folder
        Where all checkpoints lie; made if needed.
    weights
        Keys ``"<role>.<name>"``.
    card
        Its description.

    Returns
    -------
    Checkpoint
        With its id and folder. A checkpoint of the same id that is already there, whole, stays.
    """
    checkpoint = Checkpoint.of(card, weights)
    data = safetensors.torch.save(dict(checkpoint.weights))
    record = {"id": checkpoint.id, "weights_sha256": hashlib.sha256(data).hexdigest(), "card": card.to_json()}
    target, partial = folder / checkpoint.id, folder / f".{checkpoint.id}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write_new(partial / WEIGHTS_NAME, data)
    write_new(partial / CARD_NAME, json.dumps(record, indent=1).encode())
    _move_into_place(partial, target)
    logger.info("checkpoint written id=%s bytes=%d", checkpoint.id, len(data))
    return Checkpoint(checkpoint.id, card, checkpoint.weights, target)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint's folder.

    Raises
    ------
    CheckpointError
        A file is missing, too large, cut, changed, or not ours.
    """
    record = read_record(path / CARD_NAME, path.name)
    data = _read_bounded(path / WEIGHTS_NAME, _MAX_WEIGHTS_BYTES)
    card = parse_card(json.dumps(record["card"]).encode())
    if hashlib.sha256(data).hexdigest() != record["weights_sha256"] or content_id(card, data) != record["id"]:
        raise CheckpointError(
            f"checkpoint {path.name} is damaged: its content is not what its id says; restore or retrain"
        )
    try:
        weights = safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError) as error:
        raise CheckpointError(f"checkpoint {path.name}: {WEIGHTS_NAME} is no safetensors file: {error}") from error
    return Checkpoint(str(record["id"]), card, weights, path)


def _move_into_place(partial: Path, target: Path) -> None:
    if target.is_dir():
        try:
            load_checkpoint(target)
        except CheckpointError:
            shutil.rmtree(target)  # a damaged copy of what we have whole
        else:
            shutil.rmtree(partial)
            return
    partial.replace(target)
    sync_folder(target.parent)


def read_record(path: Path, checkpoint_id: str) -> dict[str, Any]:
    """Return what a card file holds: ``id``, ``weights_sha256`` and ``card``; whether they belong together isn't asked.

    Raises
    ------
    CheckpointError
        The file can't be read, or is none.
    """
    try:
        record = json.loads(_read_bounded(path, _MAX_CARD_BYTES))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {checkpoint_id}: {CARD_NAME} is not JSON: {error}") from error
    if not isinstance(record, dict) or not {"id", "weights_sha256", "card"} <= record.keys():
        raise CheckpointError(f"checkpoint {checkpoint_id}: {CARD_NAME} is not a card of ours")
    return record


def _read_bounded(path: Path, most_bytes: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise CheckpointError(f"{path} has {size} bytes, more than any checkpoint of ours")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint file {path} can't be read: {error.strerror}; restore or retrain") from error
