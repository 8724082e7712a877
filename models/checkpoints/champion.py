"""The champion pointer: one small file that names the checkpoint in use, replaced atomically; the old one is kept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from bridge.files import read_plain, replace_whole
from models.checkpoints.files import Checkpoint, load_checkpoint
from models.errors import CheckpointError

POINTER_NAME = "champion.json"
_WAY_OUT = "delete it and run `slidebridge train`"
TRANSFER_NAME = "transfer.json"
_MAX_BYTES = 2**20
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class ChampionPointer:
    """Which checkpoint is in use.

    Parameters
    ----------
    id
        The champion.
    previous
        Champions before it, the latest first.
    """

    id: str
    previous: tuple[str, ...] = ()


def read_pointer(folder: Path, name: str = POINTER_NAME) -> ChampionPointer | None:
    """Return the pointer of a folder of checkpoints; None where there never was a champion.

    Parameters
    ----------
    name
        ``TRANSFER_NAME``: the one that names what every training from the start begins with.

    Raises
    ------
    CheckpointError
        The file is there and is no pointer.
    """
    path = folder / name
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CheckpointError(f"{path} is too large to say which model is in use; {_WAY_OUT}")
        data = json.loads(read_plain(path))
        return ChampionPointer(_checked_id(data["id"]), tuple(_checked_id(old) for old in data["previous"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} doesn't say which model is in use; {_WAY_OUT}") from error


def read_champion(folder: Path) -> str | None:
    """Return the champion's id, or None.

    Raises
    ------
    CheckpointError
        The pointer is there and damaged.
    """
    pointer = read_pointer(folder)
    return pointer.id if pointer else None


def load_champion(folder: Path) -> Checkpoint | None:
    """Load the champion, or return None where there never was one.

    Raises
    ------
    CheckpointError
        The pointer or the checkpoint it names is damaged or gone.
    """
    champion = read_champion(folder)
    return load_checkpoint(folder / champion) if champion else None


def promote_champion(folder: Path, checkpoint_id: str, name: str = POINTER_NAME) -> ChampionPointer:
    """Point at another checkpoint of the folder; the one before stays where it is and is remembered.

    Parameters
    ----------
    name
        As `read_pointer`.

    Raises
    ------
    CheckpointError
        There is no such checkpoint, or it is damaged.
    """
    load_checkpoint(folder / _require_id(checkpoint_id))
    before = read_pointer(folder, name)
    previous: tuple[str, ...] = ()
    if before is not None:
        previous = before.previous if before.id == checkpoint_id else (before.id, *before.previous)
    pointer = ChampionPointer(checkpoint_id, previous)
    data = {"id": pointer.id, "previous": list(pointer.previous)}
    replace_whole(folder / name, json.dumps(data, indent=1).encode(), is_shared=False)
    return pointer


def _checked_id(value: object) -> str:
    # An id becomes a path: nothing but an id may come out of the file.
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(f"{value!r} is no checkpoint id")
    return value


def _require_id(value: str) -> str:
    try:
        return _checked_id(value)
    except ValueError as error:
        raise CheckpointError(f"{value!r} is no checkpoint id") from error
