"""Cards read without their weights: also of checkpoints that were deleted, for what they made is still in the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bridge.files import replace_whole
from models.checkpoints.card import Card, parse_card
from models.checkpoints.files import CARD_NAME, id_of, read_record
from models.errors import CheckpointError

_KEPT_SUFFIX = ".card.json"  # <id>.card.json, beside the folders of those that are still there
_ID = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def keep_card(checkpoint: Path) -> None:
    """Copy the card of a checkpoint that is about to go beside its folder, so that `read_card` finds it still.

    Raises
    ------
    OSError
        It can't be read or written.
    """
    source = checkpoint / CARD_NAME
    if not source.is_file():
        return  # damaged: there is nothing to keep, and that must not keep the rest from going
    data = source.read_bytes()
    replace_whole(checkpoint.with_name(f"{checkpoint.name}{_KEPT_SUFFIX}"), data, is_shared=False)


def read_card(folder: Path, checkpoint_id: str) -> Card | None:
    """Return the card of a checkpoint of the folder, deleted since or not; None where it never was there.

    Raises
    ------
    CheckpointError
        The card is damaged, or another's.
    """
    if not _ID.fullmatch(checkpoint_id):
        return None
    paths = (folder / checkpoint_id / CARD_NAME, folder / f"{checkpoint_id}{_KEPT_SUFFIX}")
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    record = read_record(path, checkpoint_id)
    card = parse_card(json.dumps(record["card"]).encode())
    if not _is_of(card, str(record["weights_sha256"]), checkpoint_id):
        raise CheckpointError(f"card {path} is damaged: its content is not what its id says; restore it")
    return card


def _is_of(card: Card, weights_sha256: str, checkpoint_id: str) -> bool:
    return bool(_SHA256.fullmatch(weights_sha256)) and id_of(card, weights_sha256) == checkpoint_id
