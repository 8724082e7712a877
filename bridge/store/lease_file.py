"""The lease's file: nobody ever sees half of it, and no two processes make it at once."""

from __future__ import annotations

import errno
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from bridge.errors import ProjectBusyError, StoreError
from bridge.files import create_exclusively, open_plain, remove_part, write_new

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

NAME = "lease.json"
_LOCK_NAME = "lease.lock"
_GUARD_SECONDS = 20.0  # what is done under the lock takes milliseconds, on a slow share a second
_TRIES = 8  # Windows refuses to replace a file that somebody reads just then
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EINVAL})
_LARGEST_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class LeaseFile:
    """The file, in one project's ``.slidebridge``.

    Parameters
    ----------
    host
        This machine: its temporary names are its own, for two machines may know nothing of each other's locks.
    """

    folder: Path
    host: str = ""
    sleep: Callable[[float], None] = time.sleep

    @property
    def path(self) -> Path:
        """Where it is, or would be."""
        return self.folder / NAME

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Let one process at a time look and act; the system's complaints become one line.

        Where the file system has no locks the acts alone must do: each either happens whole, once, or not at all.

        Raises
        ------
        ProjectBusyError
            A process stopped in the middle of it.
        StoreError
            The folder can't be read or written.
        """
        with self.answered():
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / _LOCK_NAME)
            self._acquire(lock)
            try:
                yield
            finally:
                lock.release()

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Turn the system's complaints into one line with the way out."""
        try:
            yield
        except OSError as error:
            said = error.strerror or str(error)
            is_odd = error.errno == errno.EINVAL and error.filename == str(self.path)  # of ``open_plain``
            way_out = "remove it" if is_odd else "make its folder writable, and mount its share"
            if error.errno == errno.ENOSPC:
                way_out = "make room on its disk"
            raise StoreError(f"{self.path}: {said}; {way_out}") from error

    def read(self) -> bytes | None:
        """Return what it holds; None where there is none."""
        try:
            return self._patiently(lambda: self._content(self.path))
        except FileNotFoundError:
            return None

    def create(self, data: bytes) -> bool:
        """Make the file where there is none; say whether it was made."""
        try:
            create_exclusively(self._written(data), self.path)
        except FileExistsError:
            return False
        return True

    def replace(self, data: bytes) -> None:
        """Put new content in place."""
        temp = self._written(data)
        self._patiently(lambda: temp.replace(self.path))

    def remove(self, content: bytes) -> None:
        """Remove the file if it holds this, and no other: without locks another may have replaced it just now."""
        aside = self._beside("old")
        with suppress(FileNotFoundError):
            self._patiently(lambda: self.path.replace(aside))
            if self._content(aside) == content:
                aside.unlink()
                return
            with suppress(FileExistsError):
                create_exclusively(aside, self.path)

    def _acquire(self, lock: FileLock) -> None:
        try:
            lock.acquire(timeout=_GUARD_SECONDS)
        except Timeout as error:
            raise ProjectBusyError(f"{lock.lock_file}: its holder stands still; end that process") from error
        except NotImplementedError:
            logger.debug("no locks folder=%s", self.folder)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            logger.debug("no locks folder=%s error=%s", self.folder, error)

    def _content(self, path: Path) -> bytes:
        """Return what a file begins with: all of it, unless it is none of ours."""
        with open_plain(path) as file:
            return file.read(_LARGEST_BYTES)

    def _written(self, data: bytes) -> Path:
        temp = self._beside("new")
        temp.unlink(missing_ok=True)
        remove_part(temp)
        write_new(temp, data)
        return temp

    def _beside(self, ending: str) -> Path:
        machine = hashlib.sha256(self.host.encode()).hexdigest()[:8]
        return self.folder / f"{NAME}.{machine}.{ending}"

    def _patiently(self, act: Callable[[], _T]) -> _T:
        """Do it; on Windows again while another process has the file open."""
        for tried in range(_TRIES - 1):
            try:
                return act()
            except PermissionError:
                self.sleep(0.01 * 2**tried)
        return act()
