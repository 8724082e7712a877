"""A lab whose slide shows all three layers, without any training: our objects are written as the loop writes them.

Imported by tests as ``shown_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from shapely.geometry.base import BaseGeometry

from bridge.annotations import Edits, MachineObject, MachineRole, predicted_class
from bridge.annotations.scheme import PROPOSED
from bridge.export import write_edits
from bridge.store import Backups, Store
from lab_support import Lab
from scripts.loop.pull import read_entry
from scripts.project import find_entry, open_project

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write_ours(
    lab: Lab,
    predictions: Sequence[tuple[str, BaseGeometry]],
    boxes: Sequence[tuple[BaseGeometry, str]] = (),
    *,
    slide: str | None = None,
) -> None:
    """Write predictions (plain class, outline) and proposals (box, what it says) into a slide, else the first."""
    project = open_project(lab.root)
    scheme, options = project.scheme, project.settings.write
    with Store.open(project.data_folder) as store:
        entry = find_entry(project, slide) if slide is not None else project.source.slides()[0]
        reading = read_entry(project, store, entry)
        found = [
            MachineObject(_uuid(1, i), MachineRole.PREDICTION, predicted_class(name), shape, scheme.colors[name])
            for i, (name, shape) in enumerate(predictions)
        ]
        asked = [
            MachineObject(_uuid(2, i), MachineRole.PROPOSAL, PROPOSED, box, options.proposed_color, text)
            for i, (box, text) in enumerate(boxes)
        ]
        edits = Edits(_uuid(3, 0), add=(*found, *asked))
        backups = Backups(project.data_folder / "backups")
        write_edits(project.source, reading.entry, reading.data, edits, store, backups, iteration=1, now=NOW)


def _uuid(kind: int, number: int) -> str:
    return f"00000000-0000-4000-8000-{kind:04d}{number:08d}"
