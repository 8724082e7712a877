"""What is done to our writes: another file system, stretched moments, kills between two steps, and sabotage."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

from bridge.annotations import SlideEntry
from bridge.export import WriteStep
from bridge.ingest import Known
from bridge.store import Store, atomic
from scripts.bench.torture.ledger import Ledger
from scripts.bench.torture.options import Mode, Options, Sabotage

Exchange = Callable[[Path, Path], None]

# Moments between two steps are microseconds long; a busy machine, or a share, makes some of them much longer.
_STRETCHED = {WriteStep.CHECKED: 0.02, WriteStep.SWAPPED: 0.003, WriteStep.VERIFIED: 0.003, WriteStep.COMPANIONS: 0.01}
_STRETCHED_SHARE = 0.5  # of the writes
_OVERWRITE_SECONDS = 0.1  # between the check and the write, when sabotaged
_EXCHANGES: Mapping[Mode, Exchange] = {
    Mode.EXCHANGE: atomic.exchange,
    Mode.LINK: atomic.exchange_by_link,
    Mode.RENAME: atomic.replace_existing,
}


def exchange_of(options: Options) -> Exchange:
    """Return how two files change names on the file system under test."""
    return _overwrite if options.sabotage is Sabotage.OVERWRITE else _EXCHANGES[options.mode]


class Steps:
    """Follows a write from step to step, and ends the process after one of them now and then."""

    def __init__(self, ledger: Ledger, random: Random, risk: float) -> None:
        self._ledger, self._random = ledger, random
        self._dies_after = random.choice(list(WriteStep)) if random.random() < risk else None
        self.seen: dict[str, float] = {}

    def __call__(self, step: WriteStep) -> None:
        """Note a step that was made, and do what is to be done after it."""
        self.seen[step.value] = time.monotonic()
        if step is WriteStep.STAGED:
            self._ledger.note("staged")
        if step is self._dies_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if step in _STRETCHED and self._random.random() < _STRETCHED_SHARE:
            time.sleep(self._random.uniform(0, _STRETCHED[step]))


def _overwrite(target: Path, temp: Path) -> None:
    """Be careless: let a save come in between, then replace whatever is there and don't keep it."""
    time.sleep(_OVERWRITE_SECONDS)
    temp.replace(target)


def known_blindly(known_of: Callable[[Store, SlideEntry], Known]) -> Callable[[Store, SlideEntry], Known]:
    """Return a ``known_of`` that has never heard of write markers: every author seems to have seen everything."""
    return lambda store, entry: replace(known_of(store, entry), newest_marker=None)
