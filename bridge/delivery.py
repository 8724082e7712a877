"""Our edits into an image that a viewer has open: offered to the viewer instead of written behind its back.

    deliver_edits ──▶ journal: begun ──▶ inbox ──▶ the viewer's memory ──▶ a person saves ──▶ commit_delivery: finished
                                           │               └── closed without saving ──▶ dropped
                                           └── closed before anybody took it ──▶ withdrawn

Until a save carries its marker a delivery counts for nothing: whatever is saved before that is judged by the write
before it. One that a viewer had in memory and let go counts as a write that a viewer saved over, so that its objects
are known again should that viewer save them after all (a notebook that was asleep).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from bridge.annotations import (
    AnnotationSet,
    Delivery,
    DeliveryState,
    Edits,
    OpenSlide,
    Promotion,
    SlideEntry,
    Source,
    Viewer,
)
from bridge.annotations.composition import Composed, compose, moved
from bridge.annotations.viewer import DeliveryProgress
from bridge.errors import AnnotationFileError, BridgeError, WriteConflictError, WriteFailedError
from bridge.export import WriteResult, check_marker, check_placed
from bridge.files import read_plain
from bridge.store import Backups, WriteRecord
from bridge.store.placement import WriteStep, ignore_step, temp_name
from bridge.store.records import WriteKind

if TYPE_CHECKING:  # SQLAlchemy comes with it
    from bridge.store import Store

logger = logging.getLogger(__name__)


class DeliveryFate(Enum):
    """What became of a delivery, or has so far."""

    WAITING = "waiting"  # a viewer has the slide open and will take it
    SHOWN = "shown"  # in a viewer's memory, not saved yet
    SAVED = "saved"  # a save carries it: it counts
    WITHDRAWN = "withdrawn"  # nobody took it: nothing of it counts
    DROPPED = "dropped"  # a viewer took it and let it go unsaved: the slide is to be read, and written, again

    @property
    def is_pending(self) -> bool:
        """A later save may still carry it."""
        return self in (DeliveryFate.WAITING, DeliveryFate.SHOWN)


@dataclass(frozen=True, slots=True)
class SettledDelivery:
    """One delivery and what became of it."""

    slide_key: str
    marker: str
    fate: DeliveryFate


def deliver_edits(
    viewer: Viewer,
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    edits: Edits,
    store: Store,
    backups: Backups,
    *,
    iteration: int,
    now: datetime,
    on_step: Callable[[WriteStep], None] = ignore_step,
) -> WriteResult:
    """Offer our edits to the viewer that has the slide open; its file is not touched.

    The new file is composed and checked just as ``write_edits`` does, but only the edits go out. A delivery that nobody
    has taken yet is replaced.

    Parameters
    ----------
    viewer
        Of the source; whether the slide is open in it is for the caller to ask.
    base
        The file as it was last read; None when there was none.
    on_step
        Called between steps, by tests.

    Returns
    -------
    WriteResult
        ``revision`` is that of the file, which stays as it is until the person saves.

    Raises
    ------
    WriteConflictError
        The file isn't what was read, a save is going on, or the viewer has results that are not saved yet.
    WriteFailedError
        The new file would lose something, or the viewer's folder can't be written.
    AnnotationFileError, StoreError
        As for ``write_edits``; nothing was offered.
    """
    check_marker(edits.write_marker)
    check_placed(entry)
    try:
        composed = compose(source, entry, base, edits, store.live_objects(entry.key), iteration=iteration)
        delivery = _delivery(source, entry, base, edits, promotes=composed.left_out is None)
    except AnnotationFileError as error:
        raise (error if error.path else error.at(entry.annotation_path)) from error
    on_step(WriteStep.COMPOSED)
    base_revision = None if base is None else backups.keep(base)
    on_step(WriteStep.BACKED_UP)
    _check_unchanged(source, entry, base_revision)
    _replace_waiting(viewer, store, entry, now)
    _journal(store, entry, base, base_revision, edits.write_marker, composed, iteration, now)
    on_step(WriteStep.JOURNALLED)
    _offer(viewer, store, entry, delivery, now)
    on_step(WriteStep.STAGED)
    logger.info("slide=%s objects=%d offered to the open viewer", entry.name, len(delivery.add))
    told = () if composed.left_out is None else (composed.left_out,)
    return WriteResult(
        edits.write_marker,
        base_revision or "",
        composed.written,
        composed.closes,
        warnings=told,
        is_promoting_left_out=bool(told),
    )


def is_pending(store: Store, entry: SlideEntry) -> bool:
    """Say whether results that no save has shown yet were offered to a viewer; current after ``settle_deliveries``."""
    return store.open_delivery(entry.key) is not None


def commit_delivery(
    source: Source, entry: SlideEntry, data: bytes | None, store: Store, now: datetime, *, viewer: Viewer | None = None
) -> str | None:
    """Let a slide's delivery count if a file carries its marker. Call it with the bytes of every file before reading.

    Parameters
    ----------
    data
        The file that is about to be read; None for none.
    viewer
        Tells what it left alone, and is told that the delivery has come to its end.

    Returns
    -------
    str or None
        The delivery's marker, if it counts from now on.

    Raises
    ------
    AnnotationFileError
        The file is none of the source's.
    """
    record = store.open_delivery(entry.key)
    if record is None or not _carries(source, entry, data, record):
        return None
    if viewer is not None:
        store.keep_live(record.marker, viewer.progress(entry.key, record.marker).left)
    _finish(store, record, now, viewer)
    logger.info("slide=%s results that were shown in the viewer are saved", entry.name)
    return record.marker


def settle_deliveries(
    viewer: Viewer, source: Source, entries: Iterable[SlideEntry], store: Store, *, now: datetime, clock: float
) -> tuple[SettledDelivery, ...]:
    """Look after every delivery that no save has shown yet: call it at start and every second or so.

    A save of a slide that stays open is not looked for here: ``commit_delivery`` sees it when the file is read.

    Parameters
    ----------
    entries
        Slides of the source; deliveries of others are left alone.
    clock
        Seconds of a clock that never goes back (``Viewer.open_slides``).

    Returns
    -------
    tuple of SettledDelivery
        One per delivery. Slides of those that are not pending any more are to be read again.
    """
    by_key = {entry.key: entry for entry in entries}
    records = [record for record in store.open_deliveries() if record.slide_key in by_key]
    if not records:
        return ()
    # In this order: a viewer reports what it has taken before it clears up, and saves before it closes.
    progress = {record.marker: viewer.progress(record.slide_key, record.marker) for record in records}
    open_slides = viewer.open_slides(clock)
    settlement = _Settlement(viewer, source, store, open_slides, now)
    return tuple(settlement.settle(r, by_key[r.slide_key], progress[r.marker]) for r in records)


@dataclass(frozen=True, slots=True)
class _Settlement:
    viewer: Viewer
    source: Source
    store: Store
    open_slides: Mapping[str, OpenSlide]
    now: datetime

    def settle(self, record: WriteRecord, entry: SlideEntry, progress: DeliveryProgress) -> SettledDelivery:
        self.store.keep_live(record.marker, progress.left)
        if progress.state is DeliveryState.SHOWN:  # the receipt has told what it had to tell
            self.viewer.forget(record.slide_key, record.marker)
        fate = self._fate(record, entry, progress)
        if fate is DeliveryFate.WITHDRAWN:
            self.store.abandon_write(record.marker, "the image was closed before it was taken", self.now)
            self.store.forget_predicted(record.slide_key)
        elif not fate.is_pending:
            _finish(self.store, record, self.now, self.viewer)
        if progress.trouble is not None:
            logger.warning("slide=%s the viewer could not show our results: %s", entry.name, progress.trouble)
        if not fate.is_pending:
            logger.info("slide=%s results offered to the viewer: %s", entry.name, fate.value)
        return SettledDelivery(record.slide_key, record.marker, fate)

    def _fate(self, record: WriteRecord, entry: SlideEntry, progress: DeliveryProgress) -> DeliveryFate:
        seen = self.open_slides.get(record.slide_key, OpenSlide())
        if progress.state is DeliveryState.WAITING and seen.sessions:
            return DeliveryFate.WAITING
        is_held = record.marker in seen.markers
        if is_held or (progress.state is DeliveryState.TAKEN and progress.session in seen.sessions):
            return DeliveryFate.SHOWN
        if self.source.blocker(entry) is not None:
            return DeliveryFate.SHOWN  # a save is going on: what is in it is to be seen yet
        if self._is_saved(record, entry):
            return DeliveryFate.SAVED
        if progress.state is not DeliveryState.WAITING:
            return DeliveryFate.DROPPED
        return self._withdrawn(record, entry)

    def _withdrawn(self, record: WriteRecord, entry: SlideEntry) -> DeliveryFate:
        try:
            is_ours = self.viewer.withdraw(record.slide_key, record.marker)
        except WriteFailedError as error:
            logger.warning("slide=%s results offered to the viewer can't be taken back yet: %s", entry.name, error)
            return DeliveryFate.WAITING
        return DeliveryFate.WITHDRAWN if is_ours else DeliveryFate.SHOWN  # taken in this very moment: see again

    def _is_saved(self, record: WriteRecord, entry: SlideEntry) -> bool:
        try:
            return _carries(self.source, entry, _bytes_of(entry), record)
        except AnnotationFileError as error:
            logger.warning("slide=%s not read: %s", entry.name, error)
            return False


def _bytes_of(entry: SlideEntry) -> bytes | None:
    try:
        return read_plain(entry.annotation_path)
    except FileNotFoundError:
        return None


def _carries(source: Source, entry: SlideEntry, data: bytes | None, record: WriteRecord) -> bool:
    if data is None or hashlib.sha256(data).hexdigest() == record.base_revision:
        return False
    return source.parse(data, entry).write_marker == record.marker


def _finish(store: Store, record: WriteRecord, now: datetime, viewer: Viewer | None) -> None:
    store.finish_write(record.marker, now)
    if viewer is not None:
        viewer.forget(record.slide_key, record.marker)


def _delivery(source: Source, entry: SlideEntry, base: bytes | None, edits: Edits, *, promotes: bool) -> Delivery:
    """Return the edits with the objects that they change, as the file has them."""
    x, y = entry.origin
    found = AnnotationSet() if base is None else source.parse(base, entry)
    by_id = {a.object_id: a for a in found.annotations if a.is_ours}
    promoted = edits.promote.items() if promotes else ()
    return Delivery(
        edits.write_marker,
        moved(edits.add, (-x, -y)),
        tuple(by_id[object_id] for object_id in sorted(edits.delete)),
        tuple(Promotion(by_id[object_id], *plain) for object_id, plain in promoted),
    )


def _check_unchanged(source: Source, entry: SlideEntry, base_revision: str | None) -> None:
    blocker = source.blocker(entry)
    if blocker is not None:
        raise WriteConflictError(f"{entry.annotation_path}: {blocker}")
    data = _bytes_of(entry)
    revision = None if data is None else hashlib.sha256(data).hexdigest()
    if revision != base_revision:
        raise WriteConflictError(f"{entry.annotation_path}: it was saved since it was read; read it again")


def _replace_waiting(viewer: Viewer, store: Store, entry: SlideEntry, now: datetime) -> None:
    waiting = store.open_delivery(entry.key)
    if waiting is None:
        return
    if not viewer.withdraw(entry.key, waiting.marker):
        raise WriteConflictError(
            f"{entry.annotation_path}: the viewer shows results that aren't saved yet; newer ones follow after the save"
        )
    store.abandon_write(waiting.marker, "newer results replaced it before it was taken", now)


def _journal(
    store: Store,
    entry: SlideEntry,
    base: bytes | None,
    base_revision: str | None,
    marker: str,
    composed: Composed,
    iteration: int,
    now: datetime,
) -> None:
    store.begin_write(
        entry.key,
        marker,
        base_revision=base_revision,
        base_size=None if base is None else len(base),
        new_revision=composed.revision,
        target=entry.annotation_path.resolve(),
        temp_name=temp_name(marker),
        iteration=iteration,
        written=composed.written,
        closes=composed.closes,
        kind=WriteKind.DELIVERY,
        now=now,
    )


def _offer(viewer: Viewer, store: Store, entry: SlideEntry, delivery: Delivery, now: datetime) -> None:
    try:
        viewer.deliver(entry.key, delivery)
    except BridgeError as error:
        store.abandon_write(delivery.marker, str(error), now)
        raise
