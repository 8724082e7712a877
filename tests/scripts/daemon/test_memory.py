"""What nobody needs any more goes back."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import psutil
import pytest

from scripts.daemon.memory import release_memory


class Knot:
    def __init__(self) -> None:
        self.itself = self


def test_what_only_refers_to_itself_is_collected() -> None:
    knot = weakref.ref(Knot())
    release_memory()
    assert knot() is None


def test_what_libraries_loaded_is_looked_through_once_and_what_comes_later_each_time() -> None:
    loaded = [[number] for number in range(150_000)]
    gc.unfreeze()
    release_memory()
    hidden = gc.get_freeze_count()
    assert hidden > len(loaded)
    later, knot = [[number] for number in range(1_000)], weakref.ref(Knot())
    release_memory()
    assert knot() is None
    assert gc.get_freeze_count() <= hidden < hidden + len(later)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' allocators give memory back by themselves")
def test_freed_pages_go_back_to_the_system() -> None:
    process = psutil.Process()
    kept = [np.ones(6_000) for _ in range(4_000)]  # 192 MB in pieces below the size that is mapped apart
    kept = kept[::40]  # what stays lies in between
    before = process.memory_info().rss
    release_memory()
    assert process.memory_info().rss < before - 100 * 2**20
    assert len(kept) == 100
