"""An observer that hears nothing, as one of a share whose files other machines change.

Imported by tests as ``deaf_observer`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from watchdog.observers.api import BaseObserver, EventEmitter


class _Deaf(EventEmitter):
    def queue_events(self, timeout: float) -> None:
        self.stopped_event.wait(timeout)


def deaf() -> BaseObserver:
    """Return an observer that wasn't started and that no event will reach."""
    return BaseObserver(_Deaf, timeout=0.1)
