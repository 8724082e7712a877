"""What the store knows of a project's slides, read for many at once: so that a pass costs what changed.

Of a slide whose file is as it was read last, a pass asks the store nothing by itself and records nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.annotations import SlideEntry
from bridge.annotations.ownership import WrittenObject
from bridge.ingest import SlideReading
from bridge.store import ReadRecord, Store
from bridge.store.object_records import SlideObjects
from bridge.store.slide_records import ReadAgain
from bridge.store.split_records import Split

NO_FILE = ""  # the revision of a slide without annotation file, once that was confirmed
_AT_ONCE = 100  # slides whose objects are read together: those of all might not fit into memory
_NOTHING = SlideObjects()


class ObjectFacts(Protocol):
    """What reading a slide needs to know of our objects on it; a ``Store`` is one, and a ``ProjectKnowledge``."""

    def live_objects(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the objects that are taken to be in the file."""
        ...

    def newest_marker(self, slide_key: str) -> str | None:
        """Return the marker that our last write left in the file."""
        ...

    def adopted(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the predictions that a person ever accepted or corrected."""
        ...

    def superseded(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the objects that are not in the file any more unless a viewer brought them back."""
        ...


class PlanFacts(Protocol):
    """What the plan of a slide needs to know of it; a ``Store`` is one, and a ``ProjectKnowledge``."""

    def learned(self, slide_key: str) -> frozenset[str]:
        """Return the areas that any training learned from."""
        ...

    def rejected(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the predictions that a person deleted."""
        ...


class WriteFacts(Protocol):
    """What decides whether a slide needs a write; a ``Store`` is one, and a ``WriteKnowledge``."""

    def predicted_with(self, slide_key: str) -> str | None:
        """Return the model whose predictions were last made for the slide."""
        ...

    def newest_marker(self, slide_key: str) -> str | None:
        """Return the marker that our last write left in the file."""
        ...

    def is_own_revision(self, slide_key: str, revision: str) -> bool:
        """Say whether a revision of the file is a write of ours."""
        ...

    def declined(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the proposals that a person deleted."""
        ...


@dataclass(frozen=True, slots=True)
class WriteKnowledge:
    """What decides whether slides need a write, at one moment; made by ``known_of_writes``."""

    store: Store
    revisions: Mapping[str, str]
    _predicted: Mapping[str, str | None]
    _markers: Mapping[str, str]
    _own: frozenset[str]

    def predicted_with(self, slide_key: str) -> str | None:
        """Return the model whose predictions were last made for the slide."""
        return self._predicted.get(slide_key)

    def newest_marker(self, slide_key: str) -> str | None:
        """Return the marker that our last write left in the file."""
        return self._markers.get(slide_key)

    def is_own_revision(self, slide_key: str, revision: str) -> bool:
        """Say whether a revision of the file is a write of ours."""
        if self.revisions.get(slide_key) == revision:
            return slide_key in self._own
        return self.store.is_own_revision(slide_key, revision)

    def declined(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the proposals that a person deleted."""
        return self.store.declined(slide_key)


def known_of_writes(store: Store, readings: Iterable[SlideReading]) -> WriteKnowledge:
    """Read what decides whether slides, as they were read, need a write: a few statements for all of them."""
    revisions = {r.entry.key: r.revision for r in readings if r.revision is not None}
    predicted = {slide.key: slide.predicted_with for slide in store.slides()}
    return WriteKnowledge(store, revisions, predicted, store.newest_markers(), store.own_among(revisions))


@dataclass(slots=True)
class ProjectKnowledge:
    """What was known when a pass began; made by ``known_before``.

    It stays true for a slide until something is recorded of that slide: the pass itself is the only one that does, for
    it holds the project's lease.

    Parameters
    ----------
    last
        Slide → its last believed revision.
    offered
        Slides with results in an open viewer that no save has shown yet: of them the store is to be asked itself.
    """

    store: Store
    last: Mapping[str, ReadRecord]
    offered: frozenset[str]
    _keys: Sequence[str]
    _places: Mapping[str, int]
    _markers: Mapping[str, str]
    _own: Mapping[str, tuple[str, datetime]]
    _objects: dict[str, SlideObjects] = field(default_factory=dict)
    _rejected: dict[str, tuple[WrittenObject, ...]] = field(default_factory=dict)
    _again: list[ReadAgain] = field(default_factory=list)
    _split: Split | None = None

    @property
    def revisions(self) -> Mapping[str, str]:
        """Slide → revision that its file is to be believed at once with: read and believed last, or our write since.

        Of slides that had a file.
        """
        believed = {key: read.revision for key, read in self.last.items() if read.revision != NO_FILE}
        written = self._own.items()
        return believed | {
            key: new for key, (new, at) in written if key not in self.last or at > self.last[key].read_at
        }

    def live_objects(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the objects that are taken to be in the file."""
        return self._objects_of(slide_key).live

    def newest_marker(self, slide_key: str) -> str | None:
        """Return the marker that our last write left in the file."""
        return self._markers.get(slide_key)

    def adopted(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the predictions that a person ever accepted or corrected."""
        return self._objects_of(slide_key).adopted

    def superseded(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the objects that are not in the file any more unless a viewer brought them back."""
        return self._objects_of(slide_key).superseded

    def learned(self, slide_key: str) -> frozenset[str]:
        """Return the areas that any training learned from."""
        if self._split is None:
            self._split = self.store.split()
        return self._split.learned_of(slide_key)

    def rejected(self, slide_key: str) -> tuple[WrittenObject, ...]:
        """Return the predictions that a person deleted, of a slide that was ``taken``."""
        return self._rejected[slide_key]

    def is_taken(self, slide_key: str) -> bool:
        """Say whether nothing was recorded of a slide since the pass began."""
        return slide_key in self._rejected

    def is_as_before(self, reading: SlideReading) -> bool:
        """Say whether a reading has nothing to tell the store, but that the slide was looked at again."""
        key, last = reading.entry.key, self.last.get(reading.entry.key)
        if key in self.offered:
            return False
        if reading.revision is None or last is None:
            return reading.revision is None and last is None
        is_same = last.revision == reading.revision
        return is_same and not self._objects_of(key).is_news(reading.reconciled.outcomes)

    def take(self, reading: SlideReading) -> None:
        """Note a reading that ``is_as_before``; ``record`` tells the store of all of them."""
        entry = reading.entry
        if reading.revision is not None:
            self._again.append(ReadAgain(entry.key, reading.revision, entry.name, reading.human_count))
        self._rejected[entry.key] = self._objects_of(entry.key).rejected

    def done_with(self, slide_key: str) -> None:
        """Let go of a slide's objects: those that are still needed are part of its reading."""
        self._objects.pop(slide_key, None)

    def record(self, now: datetime) -> None:
        """Record that the slides that were taken were looked at again."""
        self.store.record_reads_again(self._again, now)

    def _objects_of(self, slide_key: str) -> SlideObjects:
        if slide_key not in self._objects:
            start = self._places[slide_key] // _AT_ONCE * _AT_ONCE
            block = self._keys[start : start + _AT_ONCE]
            # Of those that are done with nobody asks again.
            left = [key for key in block if key not in self._rejected]
            self._objects |= dict.fromkeys(left, _NOTHING) | dict(self.store.objects_of(left))
        return self._objects[slide_key]


def known_before(store: Store, entries: Iterable[SlideEntry]) -> ProjectKnowledge:
    """Read what is known of slides, before a pass reads their files."""
    keys = [entry.key for entry in entries]
    offered = frozenset(record.slide_key for record in store.open_deliveries())
    places = {key: place for place, key in enumerate(keys)}
    own = store.newest_own_revisions()
    return ProjectKnowledge(store, store.last_reads(), offered, keys, places, store.newest_markers(), own)
