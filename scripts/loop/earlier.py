"""Earlier revisions of a slide's file, read again from the backups, or known still from the reading before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.annotations import Annotation
from bridge.ingest import SlideReading, shifted
from bridge.store import Backups
from scripts.project import Project


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a slide's file held before.

    Parameters
    ----------
    kept
        A reading of the slide that is still in memory: its revision needn't be read again, which takes as long as the
        new one. None where there is none.
    """

    project: Project
    backups: Backups
    kept: SlideReading | None = None

    def objects(self, revision: str, reading: SlideReading) -> Sequence[Annotation]:
        """Return the objects of a revision, level-0 pixels of the slide as it is placed now.

        Raises
        ------
        StoreError
            The backup is missing or damaged.
        AnnotationFileError
            It is none of its tool's.
        """
        entry, kept = reading.entry, self.kept
        if kept is not None and kept.revision == revision and _is_placed_alike(kept, reading):
            return kept.found.annotations
        return shifted(self.project.source.parse(self.backups.load(revision), entry).annotations, entry.origin)


def _is_placed_alike(kept: SlideReading, reading: SlideReading) -> bool:
    return kept.entry.key == reading.entry.key and kept.entry.origin == reading.entry.origin
