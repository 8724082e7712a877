"""Which checkpoints stay: the champion, those before it, transfer weights, what was trained last; the others go."""

from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

from models.checkpoints.cards import keep_card
from models.checkpoints.champion import TRANSFER_NAME, read_pointer

logger = logging.getLogger(__name__)
_CHECKPOINT = re.compile(r"[0-9a-f]{16}")
_NEWEST = 3  # whatever became of them: one may just be judged


def prune_checkpoints(folder: Path, keep: int) -> tuple[str, ...]:
    """Delete candidates that lost, champions and transfer weights of long ago, and return their ids.

    Cards of what made objects, or what a training began from, stay (`read_card`): of champions and transfer weights.
    Nothing is deleted while there is no champion. A checkpoint that can't be deleted stays, with a line in the log.

    Parameters
    ----------
    folder
        Of all checkpoints.
    keep
        Earlier champions that stay, the latest ones.

    Raises
    ------
    CheckpointError
        A pointer is damaged: nothing is deleted.
    """
    pointer, transfer = read_pointer(folder), read_pointer(folder, TRANSFER_NAME)
    if pointer is None:
        return ()
    found = [path for path in folder.iterdir() if _CHECKPOINT.fullmatch(path.name) and path.is_dir()]
    newest = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[:_NEWEST]
    kept = {pointer.id, *pointer.previous[:keep], *(path.name for path in newest)}
    kept |= {transfer.id} if transfer is not None else set()
    gone = [path for path in found if path.name not in kept]
    parents = {*pointer.previous, *(transfer.previous if transfer is not None else ())}
    return tuple(path.name for path in gone if _delete(path, keeps_card=path.name in parents))


def _delete(path: Path, *, keeps_card: bool) -> bool:
    try:
        if keeps_card:
            keep_card(path)
        # Under another name first: what is left of a deletion that was cut short is no checkpoint.
        gone = path.rename(path.with_name(f".{path.name}.gone"))
        shutil.rmtree(gone)
    except OSError as error:
        logger.warning("an old checkpoint can't be deleted path=%s error=%s", path, error.strerror)
        return False
    return True
