"""The safe write: our edits into a file of people's, the same way for every source.

Compose, check that nothing human is lost, back up, journal, put in place, journal. Conflicts are raised, never forced:
to read again and merge again, a few times at most, is the caller's part.
"""

from __future__ import annotations

import errno
import hashlib
import re
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import shapely
from shapely import affinity

from bridge.annotations import Annotation, Edits, MachineObject, SlideEntry, Source
from bridge.annotations.diff import diff_annotations
from bridge.annotations.ownership import WrittenObject, is_as_written, match_written
from bridge.errors import AnnotationFileError, WriteConflictError, WriteFailedError
from bridge.store import Backups, WriteRecord
from bridge.store.atomic import exchange as exchange_files
from bridge.store.companions import write_companions
from bridge.store.placement import Exchange, Placement, WriteStep, ignore_step, temp_name
from bridge.store.recovery import Recovered, Recovery, RecoveryReport, finish_displaced, recover

if TYPE_CHECKING:  # SQLAlchemy comes with it
    from bridge.store import Store

__all__ = [
    "Recovered",
    "Recovery",
    "RecoveryReport",
    "WriteResult",
    "WriteStep",
    "finish_displaced",
    "recover",
    "write_edits",
]

_MARKER = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NO_SPACE = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NO_RIGHT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_Placed = TypeVar("_Placed", MachineObject, WrittenObject)


@dataclass(frozen=True, slots=True)
class WriteResult:
    """A write that stands.

    Parameters
    ----------
    revision
        SHA-256 of the file as it is now.
    written
        Our new objects as the file holds them, level-0 pixels of the slide.
    closed
        ``WrittenObject.object_id`` of those that it took out or made a person's.
    is_displaced
        The old file is still there: call ``finish_displaced`` after ``settle_seconds``.
    warnings
        One line each, for people.
    """

    marker: str
    revision: str
    written: tuple[WrittenObject, ...] = ()
    closed: frozenset[str] = frozenset()
    is_displaced: bool = False
    warnings: tuple[str, ...] = ()


def write_edits(
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    edits: Edits,
    store: Store,
    backups: Backups,
    *,
    iteration: int,
    now: datetime,
    exchange: Exchange = exchange_files,
    on_step: Callable[[WriteStep], None] = ignore_step,
) -> WriteResult:
    """Write our edits into a slide's annotation file, whole or not at all.

    Parameters
    ----------
    base
        The file as it was read; None when there was none: it is created then, never replaced.
    edits
        New objects in level-0 pixels of the slide as OpenSlide opens it; ``entry.origin`` is taken off here. The marker
        names the write: letters, digits, ``.``, ``_`` and ``-``, new for every try.
    store
        Must hold the outcomes of ``base`` (``record_outcomes``): what is deleted has to be live and as written.
    iteration
        The training whose predictions are written.
    now
        The moment of the call.
    exchange
        How two files change names (``atomic.exchange``).
    on_step
        Called between steps, by tests.

    Raises
    ------
    WriteConflictError
        The file isn't what was read, or a save came in between; it holds that save. Read it again and merge again.
    WriteFailedError
        The new file would lose something, or the folder or disk doesn't take it; the file is as it was.
    AnnotationFileError
        The source can't make the edits; the file is as it was.
    StoreError
        The store or the backup can't be written. If that was after the new file was put in place, ``recover`` finishes
        the write.
    """
    if _MARKER.fullmatch(edits.write_marker) is None:
        raise ValueError(f"{edits.write_marker!r} can't name a write: up to 64 letters, digits, dots, dashes")
    try:
        composed = _compose(source, entry, base, edits, store.live_objects(entry.key), iteration)
    except AnnotationFileError as error:
        raise (error if error.path else error.at(entry.annotation_path)) from error
    on_step(WriteStep.COMPOSED)
    base_revision = None if base is None else backups.keep(base)
    on_step(WriteStep.BACKED_UP)
    if base_revision == composed.revision:
        return WriteResult(edits.write_marker, composed.revision)
    record = _journal(store, entry, base_revision, edits.write_marker, composed, iteration, now)
    on_step(WriteStep.JOURNALLED)
    placement = Placement(record, base, lambda: source.blocker(entry), exchange, on_step)
    try:
        placement.put(composed.data)
    except OSError as error:
        raise _ended(placement, store, error, now) from error
    on_step(WriteStep.SYNCED)
    warnings = write_companions(source, entry, composed.data)
    on_step(WriteStep.COMPANIONS)
    is_displaced = record.temp.exists()
    store.finish_write(record.marker, now, displaced_since=now if is_displaced else None)
    on_step(WriteStep.FINISHED)
    return WriteResult(record.marker, composed.revision, composed.written, composed.closes, is_displaced, warnings)


@dataclass(frozen=True, slots=True)
class _Composed:
    data: bytes
    written: tuple[WrittenObject, ...]
    closes: frozenset[str]

    @property
    def revision(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def _journal(
    store: Store,
    entry: SlideEntry,
    base_revision: str | None,
    marker: str,
    composed: _Composed,
    iteration: int,
    now: datetime,
) -> WriteRecord:
    return store.begin_write(
        entry.key,
        marker,
        base_revision=base_revision,
        new_revision=composed.revision,
        target=entry.annotation_path.resolve(),
        temp_name=temp_name(marker),
        iteration=iteration,
        written=composed.written,
        closes=composed.closes,
        now=now,
    )


def _compose(
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    edits: Edits,
    live: Sequence[WrittenObject],
    iteration: int,
) -> _Composed:
    """Return the new file and what it means, having checked that it loses nothing."""
    x, y = entry.origin
    asked = replace(edits, add=_moved(edits.add, (-x, -y)))
    old = source.create(entry) if base is None else base
    before = source.parse(old, entry).annotations
    pairs = match_written(before, known := _moved(live, (-x, -y)))
    ours = {a.object_id: w for w in known if (a := pairs.get(w.object_id)) is not None}
    _check_deletions(before, ours, asked, entry)
    new = source.apply(old, asked, entry)
    additions = _additions(before, source.parse(new, entry).annotations, asked, entry)
    written = _written(additions, asked.add, iteration, entry)
    closes = frozenset(w.object_id for name, w in ours.items() if name in asked.delete or name in asked.promote)
    return _Composed(new, _moved(written, (x, y)), closes)


def _moved(objects: Sequence[_Placed], offset: tuple[int, int]) -> tuple[_Placed, ...]:
    if offset == (0, 0):
        return tuple(objects)
    return tuple(replace(o, geometry=affinity.translate(o.geometry, *offset)) for o in objects)


def _check_deletions(
    before: Iterable[Annotation], ours: dict[str, WrittenObject], edits: Edits, entry: SlideEntry
) -> None:
    for annotation in before:
        if annotation.object_id in edits.delete:
            written = ours.get(annotation.object_id)
            if written is None or not is_as_written(annotation, written):
                raise _refused(entry, f"would delete object {annotation.object_id}, which is not as we wrote it")


def _additions(
    before: Sequence[Annotation], after: Sequence[Annotation], edits: Edits, entry: SlideEntry
) -> list[Annotation]:
    """Return what only the new file holds, having found everything else of the old one in it."""
    kept = [a for a in before if a.object_id not in edits.delete and a.object_id not in edits.promote]
    lost, extra = _difference(kept, after)
    if lost:
        raise _refused(entry, f"would lose or change {len(lost)} objects, the first being {lost[0].object_id}")
    promoted = [replace(a, path_class=edits.promote[a.object_id][0]) for a in before if a.object_id in edits.promote]
    left = diff_annotations(promoted, extra)
    if left.removed:
        raise _refused(entry, f"would lose the accepted prediction {left.removed[0].object_id}")
    return list(left.added)


def _difference(before: Sequence[Annotation], after: Sequence[Annotation]) -> tuple[list[Annotation], list[Annotation]]:
    """Return what only one of two versions holds, by class, name and outline."""
    missing, extra = _subtract(before, after), _subtract(after, before)
    lost: list[Annotation] = []
    # Seldom any: a format may rewrite a number that it keeps to fewer digits.
    for name in {a.name or None for a in missing}:
        found = diff_annotations(_named(missing, name), _named(extra, name))
        lost += found.removed
        gone = {id(a) for a in found.added}
        extra = [a for a in extra if (a.name or None) != name or id(a) in gone]
    return lost, extra


def _named(annotations: Iterable[Annotation], name: str | None) -> list[Annotation]:
    return [a for a in annotations if (a.name or None) == name]


def _subtract(annotations: Sequence[Annotation], others: Sequence[Annotation]) -> list[Annotation]:
    """Return the annotations without those that the others hold too, exactly; the first of several twins goes first."""
    left = Counter(_fingerprints(others))
    result = []
    for annotation, key in zip(annotations, _fingerprints(annotations), strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            result.append(annotation)
    return result


def _fingerprints(annotations: Sequence[Annotation]) -> list[tuple[object, ...]]:
    shapes = shapely.to_wkb([a.geometry for a in annotations])
    return [(a.path_class, a.name or None, a.kind, shape) for a, shape in zip(annotations, shapes, strict=True)]


def _written(
    additions: Sequence[Annotation], asked: Sequence[MachineObject], iteration: int, entry: SlideEntry
) -> tuple[WrittenObject, ...]:
    """Return the new objects as the file holds them; an object that it splits becomes several."""
    found = _by_identity(additions, asked)
    claimed = {id(a) for parts in found.values() for a in parts}
    unclaimed = [a for a in additions if id(a) not in claimed]
    homeless = [_as_asked(item, iteration) for item in asked if item.object_id not in found]
    found |= {name: [annotation] for name, annotation in match_written(unclaimed, homeless).items()}
    claimed = {id(a) for parts in found.values() for a in parts}
    if len(claimed) != len(additions):
        raise _refused(entry, f"would hold {len(additions) - len(claimed)} objects that nobody asked for")
    written = []
    for item in asked:
        parts = found.get(item.object_id, [])
        _check_parts(parts, item, entry)
        written += [_as_found(item, part, place, iteration) for place, part in enumerate(parts)]
    return tuple(written)


def _by_identity(additions: Iterable[Annotation], asked: Iterable[MachineObject]) -> dict[str, list[Annotation]]:
    """Find objects by the id that we gave them, where the format keeps it somewhere."""
    wanted = {item.object_id for item in asked}
    found: dict[str, list[Annotation]] = {}
    for annotation in additions:
        names = (annotation.object_id, *annotation.metadata.values())
        name = next((n for n in names if n in wanted), None)
        if name is not None:
            found.setdefault(name, []).append(annotation)
    return found


def _check_parts(parts: Sequence[Annotation], item: MachineObject, entry: SlideEntry) -> None:
    # Formats round to whole pixels: what is thinner than two may vanish.
    if not parts and not item.geometry.buffer(-1).is_empty:
        raise _refused(entry, f"would lack our object {item.object_id}")
    left, top, right, bottom = item.geometry.buffer(1, join_style="mitre").bounds
    for part in parts:
        x0, y0, x1, y1 = part.geometry.bounds
        inside = left <= x0 and top <= y0 and x1 <= right and y1 <= bottom
        if part.path_class != item.path_class or not inside:
            raise _refused(entry, f"would hold our object {item.object_id} with another class or elsewhere")


def _as_asked(item: MachineObject, iteration: int) -> WrittenObject:
    return WrittenObject(
        item.object_id, item.role, item.path_class, item.geometry, item.name, iteration, item.is_editable
    )


def _as_found(item: MachineObject, part: Annotation, place: int, iteration: int) -> WrittenObject:
    name = item.object_id if place == 0 else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{item.object_id}/{place}"))
    written = _as_asked(item, iteration)
    return replace(written, object_id=name, geometry=part.geometry, name=part.name)


def _ended(placement: Placement, store: Store, error: OSError, now: datetime) -> OSError:
    """Close the journal after a write that didn't come about, and say so in our words."""
    record = placement.record
    target = record.target
    if not isinstance(error, WriteConflictError) and _may_be_in_place(placement):
        return WriteFailedError(f"{target}: {error.strerror or error}, right after writing; start again to settle it")
    since = now if record.temp.exists() else None
    store.abandon_write(record.marker, str(error), now, displaced_since=since)
    if isinstance(error, WriteConflictError):
        return error
    return WriteFailedError(f"{target}: {error.strerror or error}; {_way_out(error)}, the file is as it was")


def _may_be_in_place(placement: Placement) -> bool:
    try:
        return placement.is_in_place()
    except OSError:  # the share or disk is gone: the journal stays open until somebody can look
        return True


def _way_out(error: OSError) -> str:
    if error.errno in _NO_SPACE:
        return "free some disk space and write again"
    if error.errno in _NO_RIGHT:
        return "make the file and its folder writable for this account"
    return "check the disk and write again"


def _refused(entry: SlideEntry, what: str) -> WriteFailedError:
    return WriteFailedError(f"{entry.annotation_path}: the new file {what}; nothing was written, please report it")
