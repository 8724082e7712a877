"""What the doctor finds out about the small files in ``.slidebridge``: whether each is what its name promises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import StoreError
from bridge.files import no_file, read_plain
from bridge.store.lease import holder
from bridge.store.lease_file import NAME as LEASE_NAME
from scripts.daemon.heartbeat import FILE_NAME as HEARTBEAT_NAME
from scripts.daemon.heartbeat import read_heartbeat
from scripts.loop.loss_curve import CURVES, read_curves
from scripts.naming.project_names import KEY_FILE, name_key
from scripts.project import Project

_LARGEST_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """What was found of them; a text is one line, None where there is nothing to tell.

    Parameters
    ----------
    lease, heartbeat, key
        Why they can't be read.
    curves
        Those that hold nothing of a training, one line each.
    """

    lease: str | None = None
    heartbeat: str | None = None
    key: str | None = None
    curves: tuple[str, ...] = ()


def look_at_own_files(project: Project) -> OwnFiles:
    """Return what is found of a project's small files; nothing is written."""
    folder = project.data_folder
    return OwnFiles(_lease(folder), _heartbeat(folder), _key(project), tuple(_curves(folder / CURVES)))


def _lease(folder: Path) -> str | None:
    path = folder / LEASE_NAME
    try:
        is_sound = not path.exists() or holder(folder) is not None or not path.exists()  # released in this moment
    except StoreError as error:
        return str(error).rpartition("; ")[0]
    return None if is_sound else f"{path} doesn't say who is at work"


def _heartbeat(folder: Path) -> str | None:
    path = folder / HEARTBEAT_NAME
    if not path.exists() or read_heartbeat(folder) is not None:
        return None
    kind = no_file(path)
    return f"{path} is {kind}, not a file" if kind is not None else f"{path} doesn't say what a daemon does"


def _key(project: Project) -> str | None:
    if not project.settings.privacy.hash_names or not (project.data_folder / KEY_FILE).exists():
        return None
    try:
        name_key(project.data_folder)
    except StoreError as error:
        return str(error).rpartition("; ")[0]
    return None


def _curves(folder: Path) -> Iterator[str]:
    for curve in read_curves(folder):
        if not curve.points and _has_rows(curve.path):
            yield f"{curve.path} holds no row of a training"


def _has_rows(path: Path) -> bool:
    """Say whether a file has more than one line: a training that just began has written its first, or not even that."""
    try:
        return path.stat().st_size < _LARGEST_BYTES and len(read_plain(path).splitlines()) > 1
    except OSError:  # tidied away meanwhile
        return False
