"""Two files that change names: what each operating system offers, behind one function.

Linux has ``renameat2`` and macOS ``renamex_np``, which exchange two names in one step. Windows has ``ReplaceFileW``,
which keeps the replaced file under a third name. File systems without either (most network shares) get the nearest
thing: a hard link that keeps the old file, then a rename; where links don't work either, the rename alone.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from bridge import files

_SIDE = ".old"


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
    elif not files.rename_in_one_step(target, temp, exclusive=False):
        exchange_by_link(target, temp)


def exchange_by_link(target: Path, temp: Path) -> None:
    """Do what ``exchange`` does on a file system without an exchange: not in one step, but no file is lost."""
    side = _side_of(temp)
    temp.stat()
    try:
        os.link(target, side)
    except OSError as error:
        if error.errno not in files.NO_LINKS:
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
    elif side.samefile(target) and files.sha256_of(side) == files.sha256_of(target):
        side.unlink()  # linked, and nothing replaced yet; the hash, for file systems that number no files


def _side_of(temp: Path) -> Path:
    return temp.with_name(temp.name + _SIDE)


def _replace_windows(target: Path, temp: Path) -> None:
    if sys.platform == "win32":
        side = _side_of(temp)
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        if not kernel.ReplaceFileW(str(target), str(temp), str(side), 0, None, None):
            error = ctypes.WinError(ctypes.get_last_error())
            mend_exchange(target, temp)  # it can stop half way, the old file moved aside
            raise error
        side.rename(temp)
