"""What an export made, for people and machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scripts.exporting.checking import Check
from scripts.exporting.facts import ModelFacts


@dataclass(frozen=True, slots=True)
class ExportedNetwork:
    """One network of a model, written and checked.

    Parameters
    ----------
    file
        Within the folder, with ``/``.
    sha256
        Of the file.
    runtime
        What ran the copy in the check, as people call it.
    """

    facts: ModelFacts
    file: str
    sha256: str
    check: Check
    runtime: str

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines; no time in them, so that the same model gives the same."""
        return {"file": self.file, "sha256": self.sha256, **self.facts.as_json(), "checked": self.check.as_json()}

    def line(self) -> str:
        """Return the facts for people."""
        return f"{self.file}: {self.facts.purpose}; {self.check.line(self.runtime)}"


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """A model handed over.

    Parameters
    ----------
    notes
        What people must know, one line each.
    next_step
        What to do with the folder.
    """

    out: Path
    checkpoint_id: str
    networks: tuple[ExportedNetwork, ...]
    notes: tuple[str, ...] = ()
    next_step: str = ""
    files: tuple[str, ...] = field(default=())

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        networks = [{**network.as_json(), "speed": network.check.speed_as_json()} for network in self.networks]
        return {
            "out": str(self.out),
            "checkpoint": self.checkpoint_id,
            "networks": networks,
            "files": list(self.files),
            "notes": list(self.notes),
        }

    def lines(self) -> tuple[str, ...]:
        """Return the facts for people."""
        notes = (f"note: {note}" for note in self.notes)
        head = f"model {self.checkpoint_id} exported to {self.out}"
        return (
            head,
            *(network.line() for network in self.networks),
            *notes,
            *([self.next_step] if self.next_step else []),
        )
