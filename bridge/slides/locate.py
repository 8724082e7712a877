"""Finding a slide that is not where its project says: on another drive, share or machine."""

from __future__ import annotations

import logging
import os
import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.errors import SlideNotFoundError

logger = logging.getLogger(__name__)

MAX_ENTRIES = 200_000
"""Files and folders looked at below one search folder."""

_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\]|$)")
_SERVER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")  # at least two letters before the colon: a drive has one
_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class SearchRules:
    r"""Where to look.

    Parameters
    ----------
    folders
        In this order; the first that has the slide counts.
    depth
        How many folders deep to look below each of them; 0: only in the folder itself.
    relocate
        Old prefix → new prefix of addresses; of several that fit the longest counts. Of any system: ``Z:\``,
        ``\\server\share``, ``//server/share``, ``/mnt/old``. Prefixes of Windows match in upper and lower case.
    """

    folders: Sequence[Path] = ()
    depth: int = 3
    relocate: Mapping[str, str] = field(default_factory=dict)


def find_slide(said: str, rules: SearchRules) -> Path | None:
    """Find a slide at its address, by a relocation rule, or by name in the search folders; None if it is in none.

    Parameters
    ----------
    said
        Its path on whichever system the project was saved; no URI.

    Raises
    ------
    SlideNotFoundError
        A search folder holds several files of that name and nothing tells which is meant, or the address is one of an
        image server.
    """
    if is_here(said) and os.path.isfile(said):  # noqa: PTH113 - false, not an error, for odd names
        return Path(said)
    if _SERVER.match(said):
        raise SlideNotFoundError(
            f"{said} is on an image server, which SlideBridge doesn't read; export the slide to a file, and add it to"
            " the project as one"
        )
    parts = split_address(said)
    moved = _relocated(parts, rules.relocate)
    if moved is not None or not parts:
        return moved
    found = (_in_folder(folder, parts, rules.depth) for folder in rules.folders)
    return next((path for path in found if path is not None), None)


def is_here(address: str) -> bool:
    """Say whether an address is one of this system: on Linux ``Z:/a.svs`` would be a path below the current folder."""
    return os.name == "nt" or not (_DRIVE.match(address) or address.startswith("\\\\"))


def split_address(address: str) -> tuple[str, ...]:
    r"""Return the parts of a path of any system, drive, share or root first.

    Examples
    --------
    >>> split_address("Z:\\slides\\a.svs"), split_address("\\\\nas\\s\\a.svs"), split_address("/s/a.svs")
    (('Z:', 'slides', 'a.svs'), ('//nas', 's', 'a.svs'), ('/', 's', 'a.svs'))
    """
    is_windows = _DRIVE.match(address) is not None or address.startswith("\\\\")
    text = address.replace("\\", "/") if is_windows else address
    for long_prefix, plain in (("//?/UNC/", "//"), ("//?/", "")):
        if text.startswith(long_prefix):
            text = plain + text.removeprefix(long_prefix)
    rest = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("//") and rest:
        return (f"//{rest[0]}", *rest[1:])
    return ("/", *rest) if text.startswith("/") else tuple(rest)


def _relocated(parts: Sequence[str], rules: Mapping[str, str]) -> Path | None:
    by_length = sorted(rules.items(), key=lambda rule: -len(split_address(rule[0])))
    for old, new in by_length:
        prefix = split_address(old)
        rest = parts[len(prefix) :]
        # "..": a rule promises what lies below a folder, not beside it.
        if not prefix or ".." in rest or _key(parts[: len(prefix)]) != _key(prefix):
            continue
        moved = os.path.join(new, *rest)  # noqa: PTH118 - no error for odd names
        if is_here(moved) and os.path.isfile(moved):  # noqa: PTH113
            return Path(moved)
    return None


def _key(parts: Sequence[str]) -> tuple[str, ...]:
    """Return what two prefixes are compared by: on Windows, upper and lower case are one."""
    is_windows = bool(parts) and (parts[0].startswith("//") or _DRIVE.match(parts[0]) is not None)
    return tuple(_same(part) if is_windows else part for part in parts)


def _same(name: str) -> str:
    """Return a name as macOS and Windows compare it."""
    return unicodedata.normalize("NFC", name).casefold()


def _in_folder(folder: Path, parts: Sequence[str], depth: int) -> Path | None:
    names = [part for part in parts[1:] if part != ".."] if len(parts) > 1 else list(parts)
    for count in range(min(len(names), depth + 1), 0, -1):  # below the same folders as before, at best
        direct = os.path.join(folder, *names[-count:])  # noqa: PTH118
        if os.path.isfile(direct):  # noqa: PTH113
            return Path(direct)
    alike = [path for path in _walk(folder, depth) if _same(path.name) == _same(parts[-1])]
    exact = [path for path in alike if path.name == parts[-1]]
    return _nearest(exact or alike, names, folder)


def _nearest(candidates: Sequence[Path], names: Sequence[str], folder: Path) -> Path | None:
    """Return the candidate that lies in folders named as before; several alike are an error."""
    shared = {path: _shared_tail(path.parts, names) for path in candidates}
    best = [path for path in candidates if shared[path] == max(shared.values())]
    if len(best) > 1:
        listed = ", ".join(str(path) for path in best[:_MOST_NAMED]) + (", …" if len(best) > _MOST_NAMED else "")
        raise SlideNotFoundError(
            f"{len(best)} files in {folder} could be slide {names[-1]}: {listed}; give the right folder in [slides]"
            " search, or a prefix in [slides.relocate]"
        )
    return best[0] if best else None


def _shared_tail(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(first), reversed(second), strict=False):
        if _same(one) != _same(other):
            break
        count += 1
    return count


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the files below a folder, breadth first; links to folders and hidden folders are not followed."""
    waiting, seen = deque([(folder, 0)]), 0
    while waiting:
        here, level = waiting.popleft()
        for entry in _entries(here):
            seen += 1
            if seen > MAX_ENTRIES:
                logger.warning("search stopped after %d files folder=%s", MAX_ENTRIES, folder)
                return
            if entry.is_dir(follow_symlinks=False):
                if level < depth and not entry.name.startswith("."):
                    waiting.append((Path(entry.path), level + 1))
            elif os.path.isfile(entry.path):  # noqa: PTH113 - a broken link is no file
                yield Path(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        logger.warning("search folder can't be listed path=%s error=%s", folder, error.strerror)
        return []
