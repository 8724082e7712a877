"""One new file put in the place of the one that was read, without losing a save that comes in between.

    new bytes ──▶ temp ◀──exchange──▶ target      is the target still what was read?  (check)
                   │                              is what came out what was read?     (verify, else exchange back)
                   └─ the displaced file, kept until it has been still for a while: a tool may have it open and be
                      writing into it                                                 (settle_displaced)

Knows bytes, hashes and names; no format, no store.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from os import W_OK, access
from pathlib import Path

from bridge import files
from bridge.errors import StoreError, WriteConflictError
from bridge.store import atomic
from bridge.store.records import WriteRecord

logger = logging.getLogger(__name__)
Exchange = Callable[[Path, Path], None]
_IN_USE_WINDOWS = frozenset({5, 32, 33, 1175})  # access denied, sharing or lock violation, unable to remove replaced
_IN_USE = frozenset({errno.EBUSY, getattr(errno, "ETXTBSY", errno.EBUSY)})  # what a Linux client says of an SMB share
_WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds between tries, for what a virus scanner or a viewer holds for a moment


class WriteStep(Enum):
    """What a write has just done; between two of them anything may happen."""

    COMPOSED = "composed"
    BACKED_UP = "backed up"
    JOURNALLED = "journalled"
    STAGED = "staged"  # the new file lies whole beside the target
    CHECKED = "checked"  # the target was still what was read
    SWAPPED = "swapped"
    VERIFIED = "verified"
    SYNCED = "synced"
    COMPANIONS = "companions"
    FINISHED = "finished"  # in the journal


class Displaced(Enum):
    """What became of the file that a write displaced."""

    GONE = "gone"
    WAITING = "waiting"  # too early, or a save is in progress
    DELETED = "deleted"
    PUT_BACK = "put back"  # a person's save had gone into it: it is the target again
    KEPT = "kept"  # a person's save had gone into it, and something newer into the target: both are there


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a displaced file; ``saved`` is what ``keep`` returned for the save found in it, if one was."""

    outcome: Displaced
    saved: str | None = None


def temp_name(marker: str) -> str:
    """Return the name of the temporary file of a write.

    Examples
    --------
    >>> temp_name("7f3a")
    '.slidebridge-7f3a.tmp'
    """
    return f"{files.PREFIX}{marker}.tmp"


def is_in_use(error: OSError) -> bool:
    """Say whether another program may hold the file open, so that trying again is worth while."""
    if getattr(error, "winerror", None) in _IN_USE_WINDOWS or error.errno in _IN_USE:
        return True
    return isinstance(error, PermissionError)


def ignore_step(step: WriteStep) -> None:
    """Do nothing between steps."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A journalled write and what it takes to carry it out.

    Parameters
    ----------
    base
        The file as read; None when there was none.
    blocker
        Says why the target must not be written now (a save in progress), or None.
    keep
        Backs up a save that is put back: whoever opened the file meanwhile may save over it.
    exchange
        Lets target and temporary file change names (``atomic.exchange``).
    on_step
        Called between steps, by tests.
    sleep
        Waits some seconds, where another program holds the file open.
    """

    record: WriteRecord
    base: bytes | None
    blocker: Callable[[], str | None]
    keep: Callable[[bytes], str]
    exchange: Exchange = atomic.exchange
    on_step: Callable[[WriteStep], None] = ignore_step
    sleep: Callable[[float], None] = time.sleep

    def put(self, new: bytes) -> None:
        """Put the new bytes in place, whole.

        Afterwards, and after an error, a file called ``record.temp`` is one that was at the target's name for a while:
        ``settle_displaced`` is to look after it.

        Raises
        ------
        WriteConflictError
            The target isn't what was read, or a save came in between. It holds the save.
        OSError
            The target is as it was, unless ``is_in_place`` says otherwise.
        """
        try:
            self._stage_patiently(new)
            self.on_step(WriteStep.STAGED)
            self._check()
            self.on_step(WriteStep.CHECKED)
            self._swap()
        except OSError:  # conflicts too
            with suppress(OSError):  # what can't be removed now is looked after as the journal says
                self._discard()
            raise
        self.on_step(WriteStep.SWAPPED)
        self._verify()

    def is_in_place(self) -> bool:
        """Say whether the target holds the new bytes."""
        return files.sha256_of(self.record.target) == self.record.new_revision

    def _stage_patiently(self, new: bytes) -> None:
        for seconds in (*_WAITS, None):
            try:
                self._stage(new)
                return
            except OSError as error:  # Windows: a virus scanner looks into every new file
                if seconds is None or getattr(error, "winerror", None) not in _IN_USE_WINDOWS:
                    raise
            self.sleep(seconds)

    def _stage(self, new: bytes) -> None:
        target = self.record.target
        if self.base is None:
            target.parent.mkdir(exist_ok=True)  # QuPath makes an entry's folder with its first file
        elif target.exists() and not access(target, W_OK):
            raise PermissionError(errno.EACCES, "the file is read-only", str(target))
        files.write_new(self.record.temp, new, like=target)

    def _check(self) -> None:
        said = self.blocker()
        if said is None and files.sha256_of(self.record.target) != self.record.base_revision:
            said = "it was saved since it was read"
        if said is not None:
            raise self._conflict(said)

    def _swap(self) -> None:
        for seconds in (*_WAITS, None):
            try:
                self._change_names()
                return
            except OSError as error:
                if self._have_names_changed():
                    return  # a share may lose the answer to a rename, not the rename
                if seconds is None or not is_in_use(error):
                    raise self._explained(error) from error
            self.sleep(seconds)
            self._check()

    def _change_names(self) -> None:
        if self.base is None:
            files.create_exclusively(self.record.temp, self.record.target)
        else:
            self.exchange(self.record.target, self.record.temp)

    def _have_names_changed(self) -> bool:
        atomic.mend_exchange(self.record.target, self.record.temp)
        return self.is_in_place()

    def _explained(self, error: OSError) -> OSError:
        if isinstance(error, FileExistsError):
            return self._conflict("it was created since it was looked for")
        if isinstance(error, FileNotFoundError):
            return self._conflict("it was moved away since it was read")
        return error

    def _discard(self) -> None:
        """Remove our file, which was never at the target's name."""
        temp = self.record.temp
        atomic.mend_exchange(self.record.target, temp)
        if files.sha256_of(temp) == self.record.new_revision:
            temp.unlink()

    def _verify(self) -> None:
        try:
            self._see_it_there()
            said = self._complaint()
            if said is None:
                self.on_step(WriteStep.VERIFIED)
                files.sync_folder(self.record.target.parent)
                return
        except OSError:
            self._put_back()
            raise
        saved = self._put_back()
        raise self._conflict(said if saved is None else f"{said}; that save is version {saved[:12]} in the backups")

    def _see_it_there(self) -> None:
        """Wait for a share that shows the old names after a rename that it reported done."""
        for seconds in _WAITS:
            if not self._is_rename_lost():
                return
            self.sleep(seconds)
        if self._is_rename_lost():
            raise OSError(errno.EIO, "the share reported a rename that didn't take effect", str(self.record.target))

    def _is_rename_lost(self) -> bool:
        record = self.record
        is_old = files.sha256_of(record.target) == record.base_revision
        return is_old and files.sha256_of(record.temp) == record.new_revision

    def _complaint(self) -> str | None:
        # None where the file system keeps no displaced file; ours where it shows the old name a while longer.
        displaced = files.sha256_of(self.record.temp)
        as_expected = (None, self.record.base_revision, self.record.new_revision)
        if self.base is not None and displaced not in as_expected:
            return "it was saved in the moment of our write"
        if not self.is_in_place():
            return "it was saved over our write at once"
        return self.blocker()

    def _put_back(self) -> str | None:
        """Take our file out again; if the target isn't ours any more, it is a newer save and stays.

        Returns
        -------
        str | None
            The backup of a save that goes back: somebody may have opened the file without it, and save over it.
        """
        target, temp = self.record.target, self.record.temp
        if not self.is_in_place():
            return None
        saved = self._keep_displaced()
        with suppress(FileNotFoundError, FileExistsError):  # a tool has just renamed the target, or made a new one
            if self.base is None:
                target.rename(temp)
                if files.sha256_of(temp) != self.record.new_revision:
                    files.create_exclusively(temp, target)
                return saved
            if files.sha256_of(temp) in (None, self.record.new_revision):
                temp.unlink(missing_ok=True)
                files.write_new(temp, self.base, like=target)
            _exchange_if(self.exchange, target, temp, self.record.new_revision)
        files.sync_folder(target.parent)
        return saved

    def _keep_displaced(self) -> str | None:
        record = self.record
        try:
            if files.sha256_of(record.temp) not in (None, record.base_revision, record.new_revision):
                return self.keep(record.temp.read_bytes())
        except (OSError, StoreError) as error:  # to put the save back matters more than to have it twice
            logger.warning("write=%s put back without a backup: %s", record.marker, error)
        return None

    def _conflict(self, said: str) -> WriteConflictError:
        return WriteConflictError(f"{self.record.target}: {said}; nothing was written, read it again")


def settle_displaced(
    record: WriteRecord,
    *,
    may_delete: bool,
    blocker: Callable[[], str | None],
    keep: Callable[[bytes], str],
    before_put_back: Callable[[], None],
    exchange: Exchange = atomic.exchange,
) -> Settled:
    """Look after the file that a write displaced.

    As it was read, or as we wrote it, it is deleted. Otherwise a tool had it open and has written a person's save into
    it: it goes back over what this write put in its place. Over anything else it doesn't, be it a later write of ours:
    that one was composed from a file that may hold a newer save.

    Parameters
    ----------
    may_delete
        It has been displaced for long enough.
    keep
        Backs up the save and returns its name.
    before_put_back
        Called first, so that the journal knows.

    Raises
    ------
    OSError, StoreError
        Nothing was changed; try again later.
    """
    target, temp = record.target, record.temp
    atomic.mend_exchange(target, temp)
    displaced = files.sha256_of(temp)
    if displaced is None:
        return Settled(Displaced.GONE)
    if displaced in (record.base_revision, record.new_revision):
        if may_delete:
            temp.unlink()
        return Settled(Displaced.DELETED if may_delete else Displaced.WAITING)
    if blocker() is not None:
        return Settled(Displaced.WAITING)
    saved = keep(temp.read_bytes())
    now = files.sha256_of(target)
    if now not in (None, record.base_revision, record.new_revision):
        return Settled(Displaced.KEPT, saved)
    before_put_back()
    is_back = _give_back(target, temp, now, exchange)
    return Settled(Displaced.PUT_BACK if is_back else Displaced.KEPT, saved)


def _give_back(target: Path, temp: Path, now: str | None, exchange: Exchange) -> bool:
    try:
        if now is None:
            files.create_exclusively(temp, target)
        elif not _exchange_if(exchange, target, temp, now):
            return False
    except (FileExistsError, FileNotFoundError):
        return False
    files.sync_folder(target.parent)
    return True


def _exchange_if(exchange: Exchange, target: Path, temp: Path, expected: str) -> bool:
    """Exchange two files; if the target turns out to have been another than expected, exchange them back."""
    exchange(target, temp)
    came_out = files.sha256_of(temp)
    if came_out in (None, expected):
        return True
    exchange(target, temp)  # saved in that very moment: the newest save belongs at the target's name
    return False
