"""A glance at a store that may be in use, damaged, or of another version: nothing waits, changes, or fails."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bridge.store.location import STORE_NAME

_BUSY_SECONDS = 0.2


def peek_slides(folder: Path) -> tuple[tuple[str, str], ...]:
    """Return key and name of every slide that was ever recorded; none where that can't be read now.

    Parameters
    ----------
    folder
        That holds the database.
    """
    path = folder / STORE_NAME
    if not path.is_file():
        return ()
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as found:
            rows = found.execute("SELECT slide_key, name FROM slides").fetchall()
    except sqlite3.Error:  # told by who opens it next
        return ()
    return tuple((str(key), str(name)) for key, name in rows)
