"""Generated slides drawn side by side, one process a core: painting them takes seconds each."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from bridge.annotations import ClassScheme
from scripts.experiments.comparisons.material import folder_of, opened_slides, slide_key
from scripts.experiments.settings import Setting


def draw_slides(
    setting: Setting, numbers: Sequence[int], seed: int, folder: Path, scheme: ClassScheme, *, processes: int
) -> None:
    """Write slides that `opened_slides` opens, where they are not there; it checks them once more.

    Raises
    ------
    OSError
        The disk is full or the folder can't be written.
    """
    draw = partial(_draw, setting, seed, folder, scheme)
    there = folder_of(setting, folder)
    missing = [n for n in numbers if not (there / f"{slide_key(setting, n, seed)}.json").is_file()]
    if processes < 2 or len(missing) < 2:
        for number in missing:
            draw(number)
        return
    context = multiprocessing.get_context("spawn")  # a fork of a process with torch's threads may hang
    with ProcessPoolExecutor(min(processes, len(missing)), mp_context=context) as pool:
        list(pool.map(draw, missing))


def _draw(setting: Setting, seed: int, folder: Path, scheme: ClassScheme, number: int) -> None:
    with opened_slides(setting, [number], seed, folder, scheme):
        pass
