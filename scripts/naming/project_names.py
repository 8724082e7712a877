"""The names of one project's slides, by its ``[privacy] hash_names`` and its secret key."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError, StoreError
from bridge.files import read_plain, write_new
from scripts.naming.beside import names_beside
from scripts.naming.hidden import hidden_names
from scripts.naming.named_project import NamedProject
from scripts.naming.slide_names import SlideNames

KEY_FILE = "names.key"
_KEY_BYTES = 32


def project_names(
    project: NamedProject, entries: Iterable[SlideEntry], *, spare_key: bytes | None = None
) -> SlideNames:
    """Return what a project's slides are called, by its ``[privacy] hash_names``; what this command says heeds it.

    Parameters
    ----------
    spare_key
        Of who only reads: stands in for the project's secret until somebody who writes to the project has made that.

    Raises
    ------
    StoreError
        Names are to be hidden, and the project's secret can't be read.
    """
    if not project.hides_names:
        return SlideNames(entries)
    is_made = spare_key is None or (project.data_folder / KEY_FILE).exists()
    key = name_key(project.data_folder) if is_made else spare_key
    names = SlideNames(entries, key, names_beside(project))
    hidden_names().know(project.root, names)
    return names


def new_spare_key() -> bytes:
    """Return a key to hash names with where none is to be made: good for as long as this process runs."""
    return secrets.token_bytes(_KEY_BYTES)


def passing_names(project: NamedProject) -> SlideNames:
    """Return names to hide before anybody asked for any: never fails, and leaves no trace.

    Without a secret yet the hashes are those of this command alone.
    """
    try:
        entries: tuple[SlideEntry, ...] = tuple(project.source.slides())
    except (BridgeError, OSError):  # told by who lists them next; the names are in the message
        entries = ()
    try:
        key = read_plain(project.data_folder / KEY_FILE)
    except OSError:
        key = b""
    if len(key) != _KEY_BYTES:  # none yet, or told by who needs it next
        key = secrets.token_bytes(_KEY_BYTES)
    return SlideNames(entries, key, names_beside(project))


def name_key(folder: Path) -> bytes:
    """Return the secret that a project's names are hashed with, made at the first call.

    Parameters
    ----------
    folder
        The project's ``.slidebridge``.

    Raises
    ------
    StoreError
        It can't be read or written, or is cut.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        key = read_plain(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; it must be readable for [privacy] hash_names") from error
    if len(key) != _KEY_BYTES:
        raise StoreError(f"{path}: {len(key)} bytes are no key; remove it, slides then get new hashes")
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_new(path, secrets.token_bytes(_KEY_BYTES))
    except FileExistsError:
        return  # another process was first: its key counts
    path.chmod(0o600)
