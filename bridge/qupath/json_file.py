"""QuPath's JSON files: read with limits, written by rename."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridge.errors import QuPathFormatError, WriteFailedError
from bridge.files import read_plain, replace_whole

MAX_BYTES = 256 * 2**20  # a project of 10,000 slides has some 30 MB

_BOM = b"\xef\xbb\xbf"


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; whatever is in it must still be checked (hence ``Any``).

    Raises
    ------
    QuPathFormatError
        The file is not there, too large, or no JSON.
    """
    data = read_bounded(path)
    try:
        return parse_json(data)
    except QuPathFormatError as error:
        raise error.at(path) from error


def read_bounded(path: Path) -> bytes:
    """Return the bytes of a file that is none too large.

    Raises
    ------
    QuPathFormatError
        The file is not there, or too large.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise QuPathFormatError(f"the file has more than {MAX_BYTES} bytes", path=path)
        return read_plain(path)
    except FileNotFoundError as error:
        raise QuPathFormatError(
            "there is no such file; if QuPath isn't just writing it, rename its .backup to it", path=path
        ) from error
    except OSError as error:
        raise QuPathFormatError(f"can't be read ({error.strerror})", path=path) from error


def parse_json(data: bytes) -> Any:
    """Return the content of JSON bytes, with or without byte order mark.

    Raises
    ------
    QuPathFormatError
        No JSON, or nested too deeply.
    """
    try:
        return json.loads(data.removeprefix(_BOM))
    except (ValueError, RecursionError) as error:
        what = " ".join(str(error).split())[:100]
        raise QuPathFormatError(f"this is no JSON ({what}); restore the file from its backup") from error


def to_json(content: object, *, indent: int | None = 2) -> bytes:
    """Return JSON bytes as QuPath writes them: indented or in one line."""
    separators = None if indent else (",", ":")
    text = json.dumps(content, ensure_ascii=False, indent=indent, separators=separators)
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its JSON escape


def write_by_rename(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises
    ------
    WriteFailedError
        The folder is read-only, or the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, data, is_shared=False)
    except OSError as error:
        raise WriteFailedError(f"{path} can't be written ({error.strerror}); nothing was changed") from error
