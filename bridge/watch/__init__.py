"""When a change on disk may be believed: settling, and later the observers.

Pure decisions over what was seen and ``now``; the file system is asked in one place. May call ``bridge.annotations``,
``bridge.coords`` and ``bridge.errors``.
"""

from bridge.watch.settling import FileState, SettleOptions, is_settled, observe

__all__ = ["FileState", "SettleOptions", "is_settled", "observe"]
