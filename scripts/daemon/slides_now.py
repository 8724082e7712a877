"""A project's slides as they are now: what was read of each, what each teaches, and which can't be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import datetime

from bridge.annotations import LabelPlan, SlideEntry
from bridge.ingest import SlideReading
from bridge.store import Store
from scripts.loop.patch_labels import unheeded
from scripts.loop.planning import Divided, divide, whole_plan
from scripts.loop.pull import Pulled, SlideProblem, SlideState
from scripts.project import Project, left_out


class SlidesNow:
    """What the daemon knows of the slides; kept between saves, so that a save costs what changed.

    Threads may share it; what it returns are values.
    """

    def __init__(self, project: Project, store: Store) -> None:
        self._project = project
        self._store = store
        self._entries: Mapping[str, SlideEntry] = {}
        self._readings: dict[str, tuple[SlideReading, bool]] = {}
        self._problems: dict[str, SlideProblem] = {}
        self._whole: dict[str, LabelPlan] = {}
        self._divided: dict[str, Divided] = {}
        self._pulled: Pulled | None = None
        self._left_out: tuple[str, ...] = ()
        self._lock = threading.RLock()

    def list_entries(self) -> tuple[SlideEntry, ...]:
        """Ask the source for its slides, and return them; what is known of one that is gone is forgotten.

        Raises
        ------
        AnnotationFileError
            The project file is not one, or is being replaced.
        """
        entries = {entry.key: entry for entry in self._project.source.slides()}
        told = left_out(self._project.source)
        with self._lock:
            self._entries, self._left_out = entries, told
            for known in (self._readings, self._problems, self._whole):
                for key in known.keys() - entries.keys():
                    del known[key]
            self._pulled = None
        return tuple(entries.values())

    @property
    def entries(self) -> Mapping[str, SlideEntry]:
        """The slides by key, as listed last."""
        return self._entries

    @property
    def unread(self) -> tuple[str, ...]:
        """Keys of the slides that were neither read nor found unreadable since the start."""
        with self._lock:
            return tuple(k for k in self._entries if k not in self._readings and k not in self._problems)

    def put(self, reading: SlideReading, *, is_suspicious: bool) -> None:
        """Take in what was read of a slide."""
        key = reading.entry.key
        with self._lock:
            self._readings[key] = reading, is_suspicious
            self._problems.pop(key, None)
            self._whole.pop(key, None)
            self._pulled = None

    def fail(self, entry: SlideEntry, message: str) -> None:
        """Take in that a slide can't be read."""
        with self._lock:
            self._problems[entry.key] = SlideProblem(entry, message)
            self._readings.pop(entry.key, None)
            self._whole.pop(entry.key, None)
            self._pulled = None

    def forget_plans(self) -> None:
        """Have all plans made anew: a training has changed what is new to the model."""
        with self._lock:
            self._whole.clear()
            self._pulled = None

    def reading(self, key: str) -> SlideReading | None:
        """Return what was last read of a slide."""
        found = self._readings.get(key)
        return None if found is None else found[0]

    def state(self, key: str, now: datetime) -> SlideState | None:
        """Return one slide with its plan; None when it can't be read."""
        return next((s for s in self.pulled(now).slides if s.key == key), None)

    def pulled(self, now: datetime) -> Pulled:
        """Return all slides with their plans, in the order of the source: what a pass of the loop would have read."""
        with self._lock:
            if self._pulled is None:
                self._pulled = self._plan(now)
            return self._pulled

    def _plan(self, now: datetime) -> Pulled:
        known = [self._readings[key] for key in self._entries if key in self._readings]
        believed = [reading for reading, is_suspicious in known if not is_suspicious]
        whole = {r.entry.key: self._whole_plan(r) for r in believed}
        plans = divide(self._project, self._store, believed, whole, now, is_dry_run=False, before=self._divided)
        states = tuple(SlideState(r, plans.get(r.entry.key, LabelPlan(r.entry.key)), lost) for r, lost in known)
        problems = tuple(self._problems[key] for key in self._entries if key in self._problems)
        return Pulled(states, problems, tuple(self._warnings()))

    def _whole_plan(self, reading: SlideReading) -> LabelPlan:
        key = reading.entry.key
        if key not in self._whole:
            self._whole[key] = whole_plan(self._project, self._store, reading)
        return self._whole[key]

    def _warnings(self) -> Iterator[str]:
        yield from self._left_out
        settings = self._project.settings
        for reading, _ in self._readings.values():
            yield from reading.warnings
            unheeded_labels = unheeded(reading, settings.model, settings.source.kind)
            if unheeded_labels is not None:
                yield f"{reading.entry.name}: {unheeded_labels}"
