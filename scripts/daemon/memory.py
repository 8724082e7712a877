"""Giving memory back: a process that lives for months must not keep what its largest job once needed."""

from __future__ import annotations

import ctypes
import gc
import sys

_MANY = 100_000  # objects


def release_memory() -> None:
    """Collect what nobody refers to, and give free pages back to the system.

    What libraries have loaded stays for good, and is by far the most: to look through it after each job took longer
    than many a job. So what is left after a collection is passed over by the next ones, whenever there is as much of it
    again.

    glibc keeps what a thread has freed, in pieces between what is still used; after many trainings that is more than
    the trainings need. Other systems' allocators give it back by themselves.
    """
    gc.collect()
    if len(gc.get_objects()) > max(gc.get_freeze_count(), _MANY):
        gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
