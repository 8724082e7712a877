"""Which versions of a slide's file the backups keep, and the removal of the others.

A version stays as long as it is among the newest, as anything may still ask for it, or as it holds a drawing of a
person's that no later version holds.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.annotations.fingerprints import count_of, holds_all
from bridge.store.backups import Backups
from bridge.store.records import VersionRecord

if TYPE_CHECKING:  # SQLAlchemy comes with it
    from bridge.store.store import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What the project keeps (``[store]``)."""

    path: Path | None = None  # folder of the database; None: .slidebridge, on network drives the user's data folder
    keep_checkpoints: int = 50  # earlier champions kept; candidates that lost go
    keep_backups: int = 20  # newest versions kept per slide; older ones only for drawings that no later one holds


def reasons_to_keep(
    versions: Sequence[VersionRecord], keep: int, awaited: Collection[str], *, gone: Collection[str] = ()
) -> Mapping[str, str]:
    """Return revision → why it is kept; those that may go are absent.

    Parameters
    ----------
    versions
        Of one slide, oldest first.
    keep
        How many of the newest stay whatever they hold; at least one does.
    awaited
        Revisions that an unfinished write, or the next reading, may ask for.
    gone
        Revisions whose backups are not there any more: they hold nothing for the others.
    """
    reasons: dict[str, str] = {}
    later: list[bytes] = []  # what is in the versions after this one that stay
    newest = len(versions) - max(keep, 1)
    for place in reversed(range(len(versions))):
        version = versions[place]
        why = _reason(version, place >= newest, awaited, later)
        if why is None:
            continue
        reasons[version.revision] = "the newest" if place == len(versions) - 1 else why
        if version.human_keys is not None and version.revision not in gone:
            later.append(version.human_keys)
    return reasons


def _reason(version: VersionRecord, is_new: bool, awaited: Collection[str], later: Sequence[bytes]) -> str | None:
    if is_new:
        return "among the newest"
    if version.revision in awaited:
        return "still needed"
    if version.human_keys is None:
        return "nobody has read it"
    if any(holds_all(other, version.human_keys) for other in later):
        return None
    return f"{count_of(version.human_keys)} drawings, not all of them in a later version"


def kept_versions(store: Store, backups: Backups, slide_key: str, options: StoreOptions) -> Mapping[str, str]:
    """Return revision → why it is kept, for the versions of one slide that the next pruning leaves.

    Raises
    ------
    StoreError
        The store can't be read.
    """
    versions = store.versions(slide_key)
    if store.suspicious_revision(slide_key) is not None:
        return {v.revision: "the last save is suspicious: save again or confirm" for v in versions}
    last = store.last_read(slide_key)
    awaited = store.awaited_revisions(slide_key) | ({last.revision} if last is not None else set())
    gone = {v.revision for v in versions if not backups.has(v.revision, v.size)}
    return reasons_to_keep(versions, options.keep_backups, awaited, gone=gone)


def prune(store: Store, backups: Backups, slide_key: str, options: StoreOptions) -> int:
    """Remove the versions of one slide that nothing keeps, and return how many.

    The file goes first, then its record: cut short between the two, the next pruning finishes.

    Raises
    ------
    StoreError
        A backup can't be removed, or the store not be written.
    """
    kept = kept_versions(store, backups, slide_key, options)
    gone = [version.revision for version in store.versions(slide_key) if version.revision not in kept]
    for revision in gone:
        if not store.is_shared_version(slide_key, revision):
            backups.remove(revision)
        store.forget_version(slide_key, revision)
    if gone:
        logger.info("slide=%s pruned=%d kept=%d", slide_key, len(gone), len(kept))
    return len(gone)
