"""The ledger: one JSON object a line, appended by a process that may be killed at any instant."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Event = Mapping[str, Any]  # as JSON gave it back


class Ledger:
    """An append-only file.

    A line that ``note`` returned from has outlived the process: it is with the operating system. Only the machine's
    own death could take it, and nobody kills the machine here, so nothing waits for the disk.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def note(self, event: str, **facts: object) -> None:
        """Append an event with the moment, on the clock that all processes of the machine share."""
        line = json.dumps({"event": event, "at": time.monotonic(), **facts}, separators=(",", ":"))
        os.write(self._file, f"\n{line}\n".encode())  # what a killed writer left unfinished ends here


def read_ledger(path: Path, *, tail_bytes: int | None = None) -> Iterator[Event]:
    """Yield the events in order; a line that a kill has cut is passed over.

    Parameters
    ----------
    tail_bytes
        Only the events in the last so many bytes; None: all.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        if tail_bytes is not None:
            file.seek(max(0, path.stat().st_size - tail_bytes))
        data = file.read()
    for line in data.split(b"\n"):
        if line.startswith(b"{"):
            try:
                yield json.loads(line)
            except ValueError:
                continue
