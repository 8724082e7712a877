"""A new file made from one of people's and our edits, checked to lose nothing before anybody writes it."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import shapely
from shapely import affinity

from bridge.annotations.diff import diff_annotations
from bridge.annotations.objects import Annotation
from bridge.annotations.ownership import WrittenObject, is_as_written, match_written
from bridge.annotations.source import Edits, MachineObject, SlideEntry, Source
from bridge.errors import AnnotationFileError, WriteFailedError

logger = logging.getLogger(__name__)
_REPORT = "; nothing was written, please report it"
_Key = tuple[object, ...]  # equal for what is exactly the same drawing
_Placed = TypeVar("_Placed", MachineObject, WrittenObject)


@dataclass(frozen=True, slots=True)
class Composed:
    """A new file, not written yet.

    Parameters
    ----------
    written
        Our new objects as it holds them, level-0 pixels of the slide.
    closes
        ``WrittenObject.object_id`` of ours that it no longer holds as ours.
    left_out
        A line for people where something that was asked for couldn't be done; None where all of it is.
    """

    data: bytes
    written: tuple[WrittenObject, ...] = ()
    closes: frozenset[str] = frozenset()
    left_out: str | None = None

    @property
    def revision(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.data).hexdigest()


def compose(
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    edits: Edits,
    live: Sequence[WrittenObject],
    *,
    iteration: int,
) -> Composed:
    """Make the edits in a copy of the file and check, by reading it again, that nothing else changed.

    Where accepted and corrected predictions can't be made plain without harm to something else, they stay as they are,
    and the rest is done: one odd object must not keep a slide from ever being written to.

    Parameters
    ----------
    base
        The file; None for one that the source is to create.
    edits, live
        In level-0 pixels of the slide as OpenSlide opens it; ``entry.origin`` is taken off here.
    live
        Our objects that the store takes to be in the file.

    Raises
    ------
    WriteFailedError
        The new file would lose or change what it must not.
    AnnotationFileError
        The source can't make the edits.
    """
    try:
        return _compose(source, entry, base, edits, live, iteration)
    except (AnnotationFileError, WriteFailedError) as error:
        if not edits.promote:
            raise
        composed = _compose(source, entry, base, replace(edits, promote={}), live, iteration)
        logger.warning("slide=%s promotions=%d left out: %s", entry.key, len(edits.promote), error)
        why = str(error).removesuffix(_REPORT)
        said = f"{len(edits.promote)} accepted or corrected predictions keep their class for now ({why})"
        return replace(composed, left_out=said)


def _compose(
    source: Source,
    entry: SlideEntry,
    base: bytes | None,
    edits: Edits,
    live: Sequence[WrittenObject],
    iteration: int,
) -> Composed:
    x, y = entry.origin
    asked = replace(edits, add=moved(edits.add, (-x, -y)))
    old = source.create(entry) if base is None else base
    before = source.parse(old, entry).annotations
    pairs = match_written(before, known := moved(live, (-x, -y)))
    ours = {a.object_id: w for w in known if (a := pairs.get(w.object_id)) is not None}
    _check_deletions(before, ours, asked, entry)
    new = source.apply(old, asked, entry)
    additions = _additions(before, source.parse(new, entry).annotations, asked, entry)
    written = _written(additions, asked.add, iteration, entry)
    closes = frozenset(w.object_id for name, w in ours.items() if name in asked.delete or name in asked.promote)
    return Composed(new, moved(written, (x, y)), closes)


def moved(objects: Sequence[_Placed], offset: tuple[int, int]) -> tuple[_Placed, ...]:
    """Return the objects moved by (x, y) level-0 pixels: between a tool's frame and the slide's."""
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
    keys, other_keys = _fingerprints(before), _fingerprints(after)
    missing, extra = _subtract(before, keys, other_keys), _subtract(after, other_keys, keys)
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


def _subtract(annotations: Sequence[Annotation], keys: Sequence[_Key], other_keys: Sequence[_Key]) -> list[Annotation]:
    """Return the annotations without those that the others hold too, exactly; the first of several twins goes first."""
    left = Counter(other_keys)
    result = []
    for annotation, key in zip(annotations, keys, strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            result.append(annotation)
    return result


def _fingerprints(annotations: Sequence[Annotation]) -> list[_Key]:
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
        item.object_id,
        item.role,
        item.path_class,
        item.geometry,
        item.name,
        iteration,
        item.is_editable,
        checkpoint=item.checkpoint,
    )


def _as_found(item: MachineObject, part: Annotation, place: int, iteration: int) -> WrittenObject:
    name = item.object_id if place == 0 else str(uuid.uuid5(uuid.NAMESPACE_OID, f"{item.object_id}/{place}"))
    written = _as_asked(item, iteration)
    return replace(written, object_id=name, geometry=part.geometry, name=part.name)


def _refused(entry: SlideEntry, what: str) -> WriteFailedError:
    return WriteFailedError(f"{entry.annotation_path}: the new file {what}{_REPORT}")
