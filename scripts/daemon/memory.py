"""Giving memory back: a process that lives for months must not keep what its largest job once needed."""

from __future__ import annotations

import ctypes
import gc
import sys


def release_memory() -> None:
    """Collect what nobody refers to, and give free pages back to the system.

    glibc keeps what a thread has freed, in pieces between what is still used; after many trainings that is more than
    the trainings need. Other systems' allocators give it back by themselves.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)
