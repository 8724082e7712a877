"""Files put in place whole: what each operating system offers, behind one set of functions.

Linux has ``renameat2`` and macOS ``renamex_np``, which exchange two names in one step. Windows has ``ReplaceFileW``,
which keeps the replaced file under a third name. File systems without either (most network shares) get the nearest
thing: a hard link that keeps the old file, then a rename; where links don't work either, the rename alone.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import sys
from pathlib import Path

PREFIX = ".slidebridge-"  # of every temporary file that we put beside files of people's
_PART = ".part"
_SIDE = ".old"
_AT_FDCWD = -100
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2  # linux/fs.h
_RENAME_SWAP, _RENAME_EXCL = 2, 4  # macOS sys/stdio.h
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_LINKS = _UNSUPPORTED | {errno.EPERM, errno.EMLINK}


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, or None when it isn't there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def write_new(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Write a file that isn't there yet and see it onto the disk; the name stands for the whole file, or isn't there.

    Parameters
    ----------
    like
        Takes its permissions, and where allowed its owner, from this file if that exists.

    Raises
    ------
    OSError
        Among them FileExistsError; nothing is left behind.
    """
    remove_part(path)
    part = _part_of(path)
    try:
        _write(part, data)
        _copy_permissions(like, part)
        create_exclusively(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def remove_part(path: Path) -> None:
    """Remove what a killed ``write_new`` left unfinished: no more than a part, under a name that nobody reads."""
    _part_of(path).unlink(missing_ok=True)


def replace_whole(path: Path, data: bytes) -> None:
    """Put a file in place of another, or where none was: readers see the old bytes or the new ones.

    Raises
    ------
    OSError
        The file is as it was.
    """
    temp = path.with_name(f"{PREFIX}{secrets.token_hex(8)}.tmp")
    try:
        write_new(temp, data, like=path)
        temp.replace(path)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def exchange(target: Path, temp: Path) -> None:
    """Let two files of one folder change names, in one step where the system can.

    Afterwards ``target`` names what was ``temp``; ``temp`` names what was ``target``, or, on a file system that offers
    neither exchange nor links, nothing. Cut short, ``mend_exchange`` tells and mends.

    Raises
    ------
    FileNotFoundError
        One of them isn't there; nothing was changed.
    OSError
        Nothing was changed.
    """
    if sys.platform == "win32":
        _replace_windows(target, temp)
    elif not _rename_with(target, temp, exclusive=False):
        exchange_by_link(target, temp)


def exchange_by_link(target: Path, temp: Path) -> None:
    """Do what ``exchange`` does on a file system without an exchange: not in one step, but no file is lost."""
    side = _side_of(temp)
    temp.stat()
    try:
        os.link(target, side)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        replace_existing(target, temp)
        return
    try:
        temp.replace(target)
    except OSError:
        mend_exchange(target, temp)  # a share may report an error for a rename that took effect: then it is kept
        raise
    side.rename(temp)


def replace_existing(target: Path, temp: Path) -> None:
    """Replace a file that must be there; what it was is gone."""
    target.stat()
    temp.replace(target)


def mend_exchange(target: Path, temp: Path) -> None:
    """Finish or undo an exchange in several steps that was cut short; harmless otherwise."""
    side = _side_of(temp)
    if not side.exists():
        return
    if not temp.exists():
        side.rename(temp)  # the replacement is in place: what it displaced gets its name
    elif not target.exists():
        side.rename(target)  # ReplaceFileW had moved the old file away, and no further
    elif side.samefile(target) and sha256_of(side) == sha256_of(target):
        side.unlink()  # linked, and nothing replaced yet; the hash, for file systems that number no files


def create_exclusively(source: Path, target: Path) -> None:
    """Give a file another name, unless that is taken.

    Raises
    ------
    FileExistsError
        It is; nothing was changed.
    """
    if sys.platform == "win32":
        source.rename(target)  # refuses to replace
        return
    if _rename_with(source, target, exclusive=True):
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        source.rename(target)
    else:
        source.unlink()


def sync_folder(folder: Path) -> None:
    """See a folder's names onto the disk, where the system has a way to ask for it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # some network file systems know no such thing as a folder's fsync
            raise
    finally:
        os.close(descriptor)


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + _PART)


def _side_of(temp: Path) -> Path:
    return temp.with_name(temp.name + _SIDE)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        _sync(file.fileno())


def _sync(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):  # not on every file system; fsync below is
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _copy_permissions(like: Path | None, path: Path) -> None:
    if like is None or not like.exists():
        return
    status = like.stat()
    if sys.platform != "win32":
        for owner, group in ((status.st_uid, status.st_gid), (-1, status.st_gid)):
            with contextlib.suppress(PermissionError):
                os.chown(path, owner, group)
                break
    path.chmod(status.st_mode & 0o7777)


def _rename_with(first: Path, second: Path, *, exclusive: bool) -> bool:
    """Exchange two names, or rename exclusively; False where system or file system can't."""
    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(first), os.fsencode(second)
    if sys.platform == "darwin":
        call, arguments = getattr(libc, "renamex_np", None), (old, new)
        types, flags = (ctypes.c_char_p, ctypes.c_char_p), _RENAME_EXCL if exclusive else _RENAME_SWAP
    else:
        call, arguments = getattr(libc, "renameat2", None), (_AT_FDCWD, old, _AT_FDCWD, new)
        types = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)
        flags = _RENAME_NOREPLACE if exclusive else _RENAME_EXCHANGE
    if call is None:
        return False
    call.argtypes = [*types, ctypes.c_uint]
    if call(*arguments, flags) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))


def _replace_windows(target: Path, temp: Path) -> None:
    if sys.platform == "win32":
        side = _side_of(temp)
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        if not kernel.ReplaceFileW(str(target), str(temp), str(side), 0, None, None):
            error = ctypes.WinError(ctypes.get_last_error())
            mend_exchange(target, temp)  # it can stop half way, the old file moved aside
            raise error
        side.rename(temp)
