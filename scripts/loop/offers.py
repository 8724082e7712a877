"""What was offered to a viewer that has slides open, looked after by a command that runs once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from bridge.annotations import SlideEntry, Viewer
from bridge.delivery import settle_deliveries
from bridge.qupath import QuPathProject, QuPathViewer
from bridge.store import Store
from scripts.project import Project

_LOOK_SECONDS = 4.0  # until a heartbeat whose program is gone from this machine has stood still for long enough


def viewer_of(project: Project) -> Viewer | None:
    """Return the viewers that may have the project's slides open and say so; None where no tool of its kind does."""
    source = project.source
    return QuPathViewer(source.root) if isinstance(source, QuPathProject) else None


def settle_offers(
    project: Project,
    store: Store,
    entries: Sequence[SlideEntry],
    now: datetime,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Settle what a daemon offered to open viewers before it was stopped.

    Waits some seconds, and only where something is on offer: a heartbeat is known by its moving.

    Returns
    -------
    tuple of str
        One line, for people, for each slide that can't be written to yet.
    """
    viewer = viewer_of(project)
    if viewer is None or not store.open_deliveries():
        return ()
    found = settle_deliveries(viewer, project.source, entries, store, now=now, clock=clock())
    if any(delivery.fate.is_pending for delivery in found):
        sleep(_LOOK_SECONDS)
        found = settle_deliveries(viewer, project.source, entries, store, now=now, clock=clock())
    names = {entry.key: entry.name for entry in entries}
    return tuple(_line(names[delivery.slide_key]) for delivery in found if delivery.fate.is_pending)


def _line(name: str) -> str:
    return f"{name}: results wait in the viewer that has it open; save the image there, or close it, to get newer ones"
