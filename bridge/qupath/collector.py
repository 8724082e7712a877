"""Python's cycle collector, held while a graph of many objects is made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the cycle collector off; a graph without cycles gives it nothing to find, at a third of the time.

    Whoever turned it off turns it on again, so that threads that do this at the same time leave it on.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
