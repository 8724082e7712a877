"""The learning step called directly, on the small project of ``lab_support``.

Imported by tests as ``learn_support`` (``pythonpath`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.store import Backups, Store
from lab_support import Lab
from scripts.loop.learn import Learned, learn
from scripts.loop.pull import Pulled, pull
from scripts.progress import Silent
from scripts.project import Project, open_project

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Classroom:
    """An opened project with its store."""

    project: Project
    store: Store

    @property
    def backups(self) -> Backups:
        return Backups(self.project.data_folder / "backups")

    def pull(self) -> Pulled:
        return pull(self.project, self.store, self.backups, NOW)

    def learn(self, **options: Any) -> Learned:
        """Read the files, and learn."""
        return learn(self.project, self.store, self.pull(), Silent(), lambda: NOW, **options)

    @property
    def champion(self) -> str | None:
        from models.checkpoints import read_champion

        return read_champion(self.project.checkpoints)


@contextmanager
def classroom(lab: Lab) -> Iterator[Classroom]:
    """Open a lab's project as it is set now."""
    project = open_project(lab.root)
    with Store.open(project.data_folder) as store:
        yield Classroom(project, store)
