"""Backups: every file of people's as it was read before we wrote, by the hash of its bytes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from bridge.errors import StoreError
from bridge.files import replace_whole

_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Backups:
    """A folder of files named by content: ``<aa>/<sha256>``, ``aa`` being the first two digits.

    Parameters
    ----------
    folder
        ``.slidebridge/backups``; made when first needed.
    """

    folder: Path

    def keep(self, data: bytes) -> str:
        """Keep some bytes and return their SHA-256; what is there already and whole isn't written again.

        Raises
        ------
        StoreError
            The folder can't be written, or the disk is full.
        """
        sha = hashlib.sha256(data).hexdigest()
        path = self.path_of(sha)
        try:
            if not (path.is_file() and path.read_bytes() == data):
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_whole(path, data)
        except OSError as error:
            raise StoreError(
                f"backup {path}: {error.strerror}; make room or mend the folder, nothing was changed"
            ) from error
        return sha

    def load(self, sha: str) -> bytes:
        """Return the bytes of a backup.

        Raises
        ------
        StoreError
            Missing, or no longer what its name says.
        """
        path = self.path_of(sha)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StoreError(f"backup {path}: {error.strerror}; it was pruned or moved away") from error
        if hashlib.sha256(data).hexdigest() != sha:
            raise StoreError(f"backup {path} is damaged: its bytes are not what its name says; restore it from a copy")
        return data

    def has(self, sha: str, size: int) -> bool:
        """Say whether a backup of so many bytes is there; what is in them, only ``load`` tells."""
        try:
            return self.path_of(sha).stat().st_size == size
        except OSError:
            return False

    def remove(self, sha: str) -> None:
        """Remove a backup; one that isn't there is as good as removed.

        Raises
        ------
        StoreError
            It can't be removed.
        """
        path = self.path_of(sha)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"backup {path}: {error.strerror}; make its folder writable") from error

    def path_of(self, sha: str) -> Path:
        """Return where a backup lies, or would.

        Raises
        ------
        StoreError
            Not the name of a backup.
        """
        if _SHA256.fullmatch(sha) is None:
            raise StoreError(f"{sha!r} names no backup; a name has 64 hexadecimal digits")
        return self.folder / sha[:2] / sha
