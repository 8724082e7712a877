"""When a change on disk may be believed: settling, reading what has settled, and later the observers.

Pure decisions over what was seen and ``now``; the file system is only read. May call ``bridge.annotations``,
``bridge.coords`` and ``bridge.errors``.
"""

from bridge.watch.settled import SettledFile, read_all_settled, read_settled
from bridge.watch.settling import FileState, Observing, SettleOptions, WatchOptions, is_settled, observe

__all__ = [
    "FileState",
    "Observing",
    "SettleOptions",
    "SettledFile",
    "WatchOptions",
    "is_settled",
    "observe",
    "read_all_settled",
    "read_settled",
]
