"""Files put in place whole: a reader sees the old content or the new one, and after a crash one of them is there.

Every way of writing that outlives a kill starts here; the exchange of a person's file for ours (``bridge.store``) is
built on it. Windows, macOS and Linux each have a rename that refuses to replace; file systems without one (most network
shares) get the nearest thing: a hard link, or a look before the rename.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path

PREFIX = ".slidebridge-"  # of every temporary file that we put beside files of people's
UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})
"""What a system says that doesn't know a call, or whose file system doesn't."""
NO_LINKS = UNSUPPORTED | {errno.EPERM, errno.EMLINK}
"""What it says to a hard link that can't be."""
_PART = ".part"
_KINDS: Mapping[int, str] = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_AT_FDCWD = -100
_RENAME_NOREPLACE, _RENAME_EXCHANGE = 1, 2  # linux/fs.h
_RENAME_SWAP, _RENAME_EXCL = 2, 4  # macOS sys/stdio.h


def no_file(path: Path) -> str | None:
    """Say what lies where a file should be: a folder, a named pipe; None for a file, and for nothing.

    To open a named pipe for reading waits until somebody writes into it, which may be never.

    Raises
    ------
    OSError
        It can't be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "a link that leads to itself"
        raise
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "no file of bytes")


def open_plain(path: Path) -> BufferedReader:
    """Open a file for reading; what is no file is refused instead of waited for.

    Raises
    ------
    OSError
        It isn't there, may not be read, or is no file.
    """
    _refuse(path, no_file(path))
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # put in its place in this very moment
        file.close()
        _refuse(path, "no file of bytes")
    return file


def read_plain(path: Path) -> bytes:
    """Return a file's bytes; as `open_plain`."""
    with open_plain(path) as file:
        return file.read()


def _refuse(path: Path, kind: str | None) -> None:
    if kind is not None:
        raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))


def _open_at_once(path: str, flags: int) -> int:
    never_waits = getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | never_waits)
    except BlockingIOError:  # no pipe says so, but a file that a server has lent (Samba), or that lies on tape: wait
        return os.open(path, flags)
    if never_waits:
        os.set_blocking(descriptor, True)  # reading may have to wait for the tape
    return descriptor


def sha256_of(path: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, or None when it isn't there."""
    try:
        with open_plain(path) as file:
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


@contextlib.contextmanager
def replacing(path: Path, *, is_shared: bool = False) -> Iterator[Path]:
    """Lend a hidden name beside a file; what was written there takes the file's place at the end, or nothing does.

    What is written is seen onto the disk before the file is replaced, and the new name after it. The permissions of the
    file that is replaced stay. The folder must be there.

    Parameters
    ----------
    path
        What is to be replaced, or made.
    is_shared
        Whether other processes may write the same file at this moment: then each writer has a name of its own, and what
        a killed one leaves is found by ``doctor``. Otherwise there is one name, which the next writer writes over.

    Raises
    ------
    OSError
        The file is as it was, or, where only the last step failed, the new one.
    """
    name = f"{PREFIX}{secrets.token_hex(8)}.tmp" if is_shared else f".{path.name}{_PART}"
    unfinished = path.with_name(name)
    try:
        unfinished.unlink(missing_ok=True)  # of a killed writer, or a link laid in the way
        yield unfinished
        with unfinished.open("rb+") as file:
            _sync(file.fileno())
        _copy_permissions(path, unfinished)
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first complaint counts
            unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def replace_whole(path: Path, data: bytes, *, is_shared: bool = True) -> None:
    """Put bytes in place of a file, or where none was; as `replacing`.

    Raises
    ------
    OSError
        The file is as it was, or, where only the last step failed, the new one.
    """
    with replacing(path, is_shared=is_shared) as unfinished, unfinished.open("xb") as file:
        file.write(data)


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
    if rename_in_one_step(source, target, exclusive=True):
        return
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        source.rename(target)
    else:
        source.unlink()


def rename_in_one_step(first: Path, second: Path, *, exclusive: bool) -> bool:
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
    if code in UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(first), None, str(second))


def sync_folder(folder: Path) -> None:
    """See a folder's names onto the disk, where the system has a way to ask for it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in UNSUPPORTED:  # some network file systems know no such thing as a folder's fsync
            raise
    finally:
        os.close(descriptor)


def _part_of(path: Path) -> Path:
    return path.with_name(path.name + _PART)


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
