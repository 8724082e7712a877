"""The code in a page of Markdown: fenced blocks and what stands between backticks, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+.-]*)(?P<info>.*)$")
_INLINE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block.

    Parameters
    ----------
    language
        The first word behind the fence: ``sh``, ``python`` …; empty where there is none.
    info
        What stands behind it.
    line
        Of its first line of code, from 1.
    """

    path: Path
    line: int
    language: str
    info: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.path}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a file, those within lists and notes without their indent."""
    yield from _blocks(path, path.read_text("utf-8").splitlines())


def _blocks(path: Path, lines: list[str]) -> Iterator[Block]:
    at = 0
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        at += 1
        if opening is None:
            continue
        first = at
        while at < len(lines) and not _closes(lines[at], opening["fence"]):
            at += 1
        indent = len(opening["indent"])
        text = "".join(f"{line[indent:] if not line[:indent].strip() else line}\n" for line in lines[first:at])
        yield Block(path, first + 1, opening["language"], opening["info"].strip(), text)
        at += 1


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    return stripped.startswith(fence) and not stripped.strip(fence[0])


def inline_code(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of what stands between backticks outside fenced blocks; line breaks in it become spaces."""
    text = _without_blocks(path)
    for found in _INLINE.finditer(text):
        yield text.count("\n", 0, found.start()) + 1, " ".join(found[2].split())


def _without_blocks(path: Path) -> str:
    """Return the page with the lines of its blocks left empty, so that every line keeps its number."""
    lines = path.read_text("utf-8").splitlines()
    for block in list(_blocks(path, lines)):
        for number in range(block.line - 2, block.line + block.text.count("\n")):
            lines[number] = ""
    return "\n".join(lines)
