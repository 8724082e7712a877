"""What people have open in a viewer that tells us: whose files we leave alone, and what they ask for."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from bridge.annotations.viewer import OpenSlide, Viewer
from bridge.delivery import deliver_edits, is_pending, settle_deliveries
from bridge.export import write_edits
from bridge.store import JobKind, Store
from scripts.daemon.beginning import FORCED
from scripts.daemon.slides_now import SlidesNow
from scripts.daemon.world import World
from scripts.loop.push import Write
from scripts.project import Project

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Viewing:
    """Looks after the viewers of one project, in the file lane.

    Parameters
    ----------
    viewer
        None where no program tells what it has open.
    clock
        Monotonic seconds.
    """

    project: Project
    store: Store
    slides: SlidesNow
    world: World
    clock: Callable[[], float]
    viewer: Viewer | None = None
    _open: Mapping[str, OpenSlide] = field(default_factory=dict)

    def begin(self) -> None:
        """Let viewers know that somebody listens.

        Raises
        ------
        WriteFailedError
            The project's folder can't be written.
        """
        if self.viewer is not None:
            self.viewer.prepare()

    @property
    def on_screen(self) -> frozenset[str]:
        """Keys of the slides that somebody sees now."""
        return frozenset(key for key, slide in self._open.items() if slide.is_on_screen)

    def look(self) -> tuple[str, ...]:
        """Ask the viewers what is open; return the slides that are to be read again because a delivery ended.

        Raises
        ------
        BridgeError
            The store can't be written.
        """
        if self.viewer is None:
            return ()
        before = self.on_screen
        self._open = self.viewer.open_slides(self.clock())
        now = self.world.now()
        for key in (self.on_screen - before) & self.slides.entries.keys():
            self.store.record_viewed(key, now)
        entries = self.slides.entries.values()
        settled = settle_deliveries(self.viewer, self.project.source, entries, self.store, now=now, clock=self.clock())
        self._answer_requests()
        return tuple(found.slide_key for found in settled if not found.fate.is_pending)

    def is_pending(self, key: str) -> bool:
        """Say whether results that no save has shown yet were offered to a viewer."""
        entry = self.slides.entries.get(key)
        return self.viewer is not None and entry is not None and is_pending(self.store, entry)

    def write_to(self, key: str) -> Write:
        """Return how edits get to a slide: into its file, or into the viewer that has it open."""
        if self.viewer is None or not self.is_open(key):
            return write_edits
        return partial(deliver_edits, self.viewer)

    def is_open(self, key: str) -> bool:
        """Say whether a viewer that takes deliveries has the slide open."""
        return bool(self._open.get(key, OpenSlide()).sessions)

    def _answer_requests(self) -> None:
        assert self.viewer is not None, "who asks has a viewer"
        for request in self.viewer.requests():
            entry = self.slides.entries.get(request.slide_key)
            if entry is not None:
                logger.info("somebody asks in the viewer for predictions slide=%s", entry.name)
                self.store.ask_job(JobKind.PREDICT, entry.key, f"{FORCED}{uuid.uuid4()}", self.world.now())
