"""The store: one contract over one SQLite file."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.errors import StoreError
from bridge.store.cost_records import CostRecords
from bridge.store.database import connect
from bridge.store.job_records import JobRecords
from bridge.store.look_records import LookRecords
from bridge.store.mark_records import MarkRecords
from bridge.store.migrate import migrate
from bridge.store.object_records import ObjectRecords
from bridge.store.prequential_records import PrequentialRecords
from bridge.store.run_records import RunRecords
from bridge.store.save_records import SaveRecords
from bridge.store.seen_records import SeenRecords
from bridge.store.slide_records import SlideRecords
from bridge.store.split_records import SplitRecords
from bridge.store.version_records import VersionRecords
from bridge.store.write_overview import WriteOverview
from bridge.store.write_records import WriteRecords

FILE_NAME = "store.sqlite"


class Store(
    SlideRecords,
    WriteRecords,
    WriteOverview,
    VersionRecords,
    ObjectRecords,
    SplitRecords,
    RunRecords,
    JobRecords,
    MarkRecords,
    PrequentialRecords,
    LookRecords,
    CostRecords,
    SaveRecords,
    SeenRecords,
):
    """A project's records. Every method is one transaction: it happens whole, or raises ``StoreError`` and didn't.

    Geometry is kept as WKB, level-0 pixels of the slide as OpenSlide opens it. Moments are aware datetimes. Threads may
    share a store; a second process waits for the first one's transaction, a few seconds at most.
    """

    @classmethod
    def open(cls, folder: Path, *, busy_seconds: float = 5.0) -> Self:
        """Open ``store.sqlite`` in a project's ``.slidebridge`` folder; both are made if they aren't there.

        Parameters
        ----------
        busy_seconds
            How long to wait for another process's transaction.

        Raises
        ------
        StoreError
            Locked, damaged, not writable, or of a newer SlideBridge.
        """
        path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"store {path}: {error.strerror}; make its folder writable") from error
        engine = connect(path, busy_seconds)
        try:
            migrate(engine, path)
        except BaseException:
            engine.dispose()
            raise
        return cls(path, engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
