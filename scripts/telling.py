"""Results on stdout, for people: colours on a terminal only, and nothing in them that a terminal would obey."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TextIO

import typer

from scripts.naming.hidden import hidden_names
from scripts.plain_words import clean


class Tone(Enum):
    """How a line, or its first words, are meant."""

    PLAIN = "plain"
    HEAD = "head"  # the name of what follows
    GOOD = "good"
    NOTE = "note"  # worth a look
    BAD = "bad"  # to be mended
    NEXT = "next"  # what to do now


_FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)
_STYLES: Mapping[Tone, Mapping[str, object]] = {
    Tone.HEAD: {"bold": True},
    Tone.GOOD: {"fg": "green"},
    Tone.NOTE: {"fg": "yellow"},
    Tone.BAD: {"fg": "red", "bold": True},
    Tone.NEXT: {"fg": "cyan", "bold": True},
}


@dataclass(frozen=True, slots=True)
class Said:
    """One line for people.

    Parameters
    ----------
    text
        The line.
    tone
        Of its first ``marked`` characters.
    marked
        How many of them are coloured; None: all.
    """

    text: str
    tone: Tone = Tone.PLAIN
    marked: int | None = None


class Stream(Protocol):
    """What may be a terminal."""

    def isatty(self) -> bool:
        """Say whether it is."""
        ...


def is_screen(stream: Stream | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether a stream is a terminal on which the cursor can be moved: for live views and progress bars."""
    return stream is not None and stream.isatty() and environ.get("TERM") != "dumb"


def uses_colour(stream: Stream | None, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether to write colours: on terminals; ``NO_COLOR`` forbids them, ``FORCE_COLOR`` wants them everywhere."""
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or is_screen(stream, environ)


def tell(lines: Iterable[str | Said], stream: TextIO | None = None, environ: Mapping[str, str] | None = None) -> None:
    """Print lines.

    Parameters
    ----------
    stream
        None: stdout.
    environ
        None: this process's.
    """
    out = sys.stdout if stream is None else stream
    is_coloured = uses_colour(out, os.environ if environ is None else environ)
    for line in lines:
        said = Said(line) if isinstance(line, str) else line
        typer.echo(_printed(said, getattr(out, "encoding", None), is_coloured=is_coloured), file=out, color=is_coloured)


def complain(text: str) -> None:
    """Print one line on stderr: why a command ends."""
    shown = clean(hidden_names().hide(text), getattr(sys.stderr, "encoding", None))
    sys.stderr.write(f"slidebridge: {shown}\n")


def system_said(error: OSError) -> str:
    """Return one line of what the system complains of, with the way out."""
    named = "" if error.filename is None else f"{error.filename}: "
    way_out = "make room on the disk and run again" if error.errno in _FULL else "check the path"
    return f"{named}{error.strerror or error}; {way_out}"


def say(text: str) -> None:
    """Print a text on stdout, of one line or of several."""
    tell(text.split("\n"))


def _printed(said: Said, encoding: str | None, *, is_coloured: bool) -> str:
    hide = hidden_names().hide
    text = clean(hide(said.text), encoding)
    if not is_coloured or said.tone is Tone.PLAIN:
        return text
    end = len(text) if said.marked is None else len(hide(said.text[: said.marked]))
    return typer.style(text[:end], **_STYLES[said.tone]) + text[end:]  # type: ignore[arg-type]  # its own words
