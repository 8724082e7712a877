"""What is to be known of a project to say what its slides are called."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from bridge.annotations import Source


class NamedProject(Protocol):
    """A project, as far as names go."""

    @property
    def root(self) -> Path:
        """The folder that holds ``slidebridge.toml``."""
        ...

    @property
    def source(self) -> Source:
        """Where slides and annotations live."""
        ...

    @property
    def data_folder(self) -> Path:
        """Where our own files lie."""
        ...

    @property
    def hides_names(self) -> bool:
        """Whether what others may read says hashes in place of names."""
        ...

    def find_store(self, user: Path | None = None) -> Path | None:
        """Return the folder that has the project's database now; None before the first writing command."""
        ...
