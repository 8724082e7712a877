"""What the store holds that the report speaks of, read at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.store import CostRecord, LookRecord, PrequentialRecord, ReadRecord, RunRecord, SaveRecord, Store
from bridge.store.split_records import Split
from bridge.store.write_overview import LastWrite


@dataclass(frozen=True, slots=True)
class Records:
    """A project's records at one moment.

    Parameters
    ----------
    reads
        By slide, oldest first.
    costs, looks, writes
        Of each slide the newest.
    """

    runs: Sequence[RunRecord]
    saves: Sequence[SaveRecord]
    first_look: datetime | None
    reads: Mapping[str, Sequence[ReadRecord]]
    costs: Mapping[str, CostRecord]
    looks: Mapping[str, LookRecord]
    writes: Mapping[str, LastWrite]
    prequential: Sequence[PrequentialRecord]
    split: Split
    known: Mapping[str, str]

    @property
    def iterations(self) -> Mapping[str, int]:
        """Checkpoint → its training."""
        return {run.checkpoint_id: run.iteration for run in self.runs if run.checkpoint_id is not None}


def read_records(store: Store, slide_keys: Sequence[str]) -> Records:
    """Read everything; only the readings are those of the slides named.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    return Records(
        store.runs(),
        store.saves(),
        store.first_look(),
        {key: store.reads(key) for key in slide_keys},
        {cost.slide_key: cost for cost in store.newest_costs()},
        {look.slide_key: look for look in store.looks()},
        {write.slide_key: write for write in store.last_writes()},
        store.prequential(),
        store.split(),
        {slide.key: slide.name for slide in store.slides()},
    )
