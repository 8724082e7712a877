"""The files that a run leaves, looked through for what was missing from the annotation file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bridge.errors import AnnotationFileError
from bridge.files import PREFIX
from scripts.bench.torture.judge import Found
from scripts.bench.torture.ledger import Event
from scripts.bench.torture.memory import State
from scripts.bench.torture.options import Job
from scripts.bench.torture.prints import prints_of, where_now
from scripts.bench.torture.tools import simulator_of


def _lines(event: Event) -> Sequence[str]:
    """Return what people were told: of what was put back or kept, and why a write didn't come about."""
    match event["event"]:
        case "recovered":
            told: Sequence[str] = event["messages"]
            return told
        case "write":
            return [event["message"]] if "message" in event else []
        case _:
            return ()


class Searched:
    """Finds objects in the files that people were told of."""

    def __init__(self, job: Job, ours: Iterable[Event]) -> None:
        self._job = job
        self._told = [line for event in ours for line in _lines(event)]

    def find(self, missing: State) -> Found:
        """Return which objects lie in files that people were told of."""
        if not missing:
            return Found()
        folder = self._job.target.parent
        kept = [path for path in folder.glob(f"{PREFIX}*") if any(path.name in line for line in self._told)]
        found = Found(self._in(kept, missing))
        left = missing - set(found.kept)
        backups = (self._job.root / ".slidebridge" / "backups").glob("*/*")
        named = [path for path in backups if any(f"version {path.name[:12]}" in line for line in self._told)]
        return Found(found.kept, self._in(named, frozenset(left)))

    def _in(self, paths: Iterable[Path], missing: State) -> set[str]:
        parse = simulator_of(self._job.options.tool).parse
        found: set[str] = set()
        for path in paths:
            try:
                there = prints_of(parse(path.read_bytes()).annotations)
            except (AnnotationFileError, OSError):
                continue
            found |= {item for item in missing if where_now(item, there) is not None}
        return found
