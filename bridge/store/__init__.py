"""The project's own records and the files beside them: what was read, written, learned, and what became of it.

One SQLite file behind one class, ``Store``; SQL lives nowhere else. Content-addressed backups; the safe placing of one
file and what a crash left of it (``placement``, ``recovery``); the exchange of two files (``atomic``); who may write to
the project (``lease``), where its database lies (``location``) and whether it is sound (``consistency``). Knows no tool
and no format. May call ``bridge.annotations``, ``bridge.coords``, ``bridge.files`` and
``bridge.errors``.
"""

from typing import TYPE_CHECKING

from bridge.store.backups import Backups
from bridge.store.records import (
    CostRecord,
    JobKind,
    JobRecord,
    JobState,
    LookRecord,
    ObjectOrigin,
    PrequentialRecord,
    ReadRecord,
    RunRecord,
    RunState,
    SaveRecord,
    SeenRecord,
    SlideRecord,
    VersionRecord,
    WriteKind,
    WriteRecord,
    WriteState,
)

if TYPE_CHECKING:
    from bridge.store.store import Store

__all__ = [
    "Backups",
    "CostRecord",
    "JobKind",
    "JobRecord",
    "JobState",
    "LookRecord",
    "ObjectOrigin",
    "PrequentialRecord",
    "ReadRecord",
    "RunRecord",
    "RunState",
    "SaveRecord",
    "SeenRecord",
    "SlideRecord",
    "Store",
    "VersionRecord",
    "WriteKind",
    "WriteRecord",
    "WriteState",
]


def __getattr__(name: str) -> object:
    """Bring ``Store``, and with it SQLAlchemy (a quarter of a second), when it is first asked for."""
    if name != "Store":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bridge.store.store import Store

    return Store
