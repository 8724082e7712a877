"""The report's file: what is in its place now, and the new one put there whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from bridge.errors import ConfigError
from bridge.files import replace_whole

NAME = "report.html"
_OURS = b'<meta name="generator" content="SlideBridge report">'
_MOMENT = rb'<meta name="slidebridge-%s" content="([^"]{1,64})">'
_HEAD_BYTES = 4096
_SAME_SITTING = timedelta(hours=8)  # a report made again within it tells the same news, and what came since


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report is written to.

    Parameters
    ----------
    since
        From when on things are news, by the report that is there now; None where there is none.
    """

    path: Path
    since: datetime | None = None


def find_place(out: Path, now: datetime, *, is_forced: bool) -> Place:
    """Look at what is there, before anything is gathered.

    Parameters
    ----------
    out
        A file, or a folder: then its ``report.html``.
    is_forced
        A file that is no report of ours may be replaced.

    Raises
    ------
    ConfigError
        Its folder isn't there; it is no file; or it is somebody's, and not to be replaced.
    """
    path = out / NAME if out.is_dir() else out
    if not path.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {path.parent}; make it, or name another file")
    if not path.exists():
        return Place(path)
    if not path.is_file():
        raise ConfigError(f"--out {path} is not a file; name another")
    head = _head(path)
    is_ours = _OURS in head
    if head and not is_ours and not is_forced:
        raise ConfigError(f"--out {path} is no report of ours and is left alone; name another file, or add --force")
    return Place(path, _news_since(head, now) if is_ours else None)


def write_report(place: Place, page: str) -> Path:
    """Put the page in its place, whole or not at all, and return the whole path."""
    replace_whole(place.path, page.encode("utf-8", "replace"), is_shared=False)
    return place.path.resolve()


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _news_since(head: bytes, now: datetime) -> datetime | None:
    """Return when the last report was made; of one that was made a moment ago, what it told from."""
    made, since = _moment(head, b"made"), _moment(head, b"since")
    if made is None or made > now:
        return since
    return made if now - made >= _SAME_SITTING else since


def _moment(head: bytes, name: bytes) -> datetime | None:
    match = re.search(_MOMENT % name, head)
    try:
        found = None if match is None else datetime.fromisoformat(match[1].decode())
    except ValueError:  # of somebody who edited it
        return None
    return found if found is not None and found.tzinfo is not None else None
