"""When a change on disk may be believed: being told of it, settling, reading what has settled, and looking anyway.

Pure decisions over what was seen and ``now``; the file system is only read. May call ``bridge.annotations``,
``bridge.slide_files``, ``bridge.coords`` and ``bridge.errors``. The observers are in ``bridge.watch.observers``, which
only the daemon imports.
"""

from bridge.watch.changes import FileIndex, Hinted, WatchedFolder, index_files
from bridge.watch.rescan import ScanResult, look_at, scan
from bridge.watch.settled import SettledFile, read_all_settled, read_settled, read_still
from bridge.watch.settling import FileState, Observing, SettleOptions, WatchOptions, is_settled, observe
from bridge.watch.tracker import AtRest, Look, Tracker, Waiting

__all__ = [
    "AtRest",
    "FileIndex",
    "FileState",
    "Hinted",
    "Look",
    "Observing",
    "ScanResult",
    "SettleOptions",
    "SettledFile",
    "Tracker",
    "Waiting",
    "WatchOptions",
    "WatchedFolder",
    "index_files",
    "is_settled",
    "look_at",
    "observe",
    "read_all_settled",
    "read_settled",
    "read_still",
    "scan",
]
