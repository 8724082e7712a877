"""A project in which something is made to go wrong, for `doctor` to find.

Imported by tests as ``ward_lab`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
from qupath_lab import new_project

from lab_support import Lab, labelled, xml_of
from scripts.daemon.heartbeat import FILE_NAME, Beat, Heartbeat
from scripts.doctor.facts import ProjectFacts, gather
from scripts.doctor.project_checks import PROJECT_CHECKS
from scripts.doctor.report import Finding
from scripts.project import open_project
from scripts.set_up import Beginning, set_up


@dataclass
class Ward:
    """A project to make something go wrong in."""

    lab: Lab
    patch: pytest.MonkeyPatch
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def root(self) -> Path:
        return self.lab.root

    @property
    def data(self) -> Path:
        (self.root / ".slidebridge").mkdir(exist_ok=True)
        return self.root / ".slidebridge"

    def facts(self) -> ProjectFacts:
        return gather(open_project(self.root), self.now, environ=os.environ)

    def findings(self) -> list[Finding]:
        facts = self.facts()
        checks = PROJECT_CHECKS if facts.source_problem is None else PROJECT_CHECKS[:1]
        return [finding for check in checks for finding in check(facts)]

    def change_settings(self, old: str, new: str) -> None:
        path = self.root / "slidebridge.toml"
        path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    def beat(self, beat: Beat, change: Callable[[dict], None] = lambda found: None) -> None:
        Heartbeat(self.data, (str(self.root),), "1", lambda: self.now).write(beat)
        path = self.data / FILE_NAME
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))


def into_qupath(ward: Ward) -> Path:
    """Put a QuPath project in place of the folder's."""
    made = new_project(ward.root / "q", "a.png")
    set_up(Beginning("qupath", made.path))
    ward.lab = Lab(made.root)
    return made.path


def draw_too(ward: Ward, name: str) -> None:
    """Draw something of another class."""
    ward.lab.xml.write_bytes(xml_of(labelled() | {name: [(shapely.box(1, 1, 9, 9), "")]}))


def promote_tiny(ward: Ward, colours: str) -> None:
    """Give the project a model, and other classes."""
    from models.checkpoints import promote_champion
    from tiny_checkpoint import saved

    folder = ward.data / "checkpoints"
    folder.mkdir()
    promote_champion(folder, saved(folder, 0))  # of Background and Tumor
    ward.change_settings('Blob = "#c80000"', colours)
