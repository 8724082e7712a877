"""What pages tell people to type, held against the command line that there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.docs.code_blocks import Block, blocks, inline_code
from scripts.docs.command_tree import PROGRAM, Command, Option

SHELLS = ("sh", "console")  # what these blocks hold is run by the long tests
OTHER_SHELLS = ("powershell",)  # of other systems: read only
_ENDS = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "(", ")"})
_PLACEHOLDER = re.compile(r"…|\.\.\.|[A-Z][A-Z0-9_.:|-]*")  # PROJECT, ID, HH:MM


@dataclass(frozen=True, slots=True)
class Line:
    """One command line of a page; ``is_whole`` is false for what is only named in running text."""

    path: Path
    number: int
    text: str
    language: str = "sh"
    is_whole: bool = True

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return f"{self.path}:{self.number}"


def documents(root: Path) -> list[Path]:
    """Return the pages of a repository: README.md, and all below ``docs``."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def lines_of(path: Path) -> Iterator[Line]:
    """Yield a page's command lines: those of its blocks, then those named in running text."""
    for block in blocks(path):
        if block.language in (*SHELLS, *OTHER_SHELLS):
            yield from block_lines(block)
    for number, text in inline_code(path):
        if text.startswith(f"{PROGRAM} "):
            yield Line(path, number, text, is_whole=False)


def block_lines(block: Block) -> Iterator[Line]:
    """Yield a block's commands, continued lines joined; of a ``console`` only what stands behind ``$``."""
    pending, first = "", 0
    for number, raw in enumerate(block.text.splitlines(), block.line):
        text = raw.strip()
        if block.language == "console" and not pending:
            if not text.startswith("$ "):
                continue
            text = text[2:]
        if not pending:
            first = number
        if text.endswith("\\") and block.language in SHELLS:
            pending += text[:-1] + " "
            continue
        whole, pending = (pending + text).strip(), ""
        if whole and not whole.startswith("#"):
            yield Line(block.path, first, whole, block.language)


def words_of(line: Line) -> list[str]:
    """Return a line's words, its comment left out.

    Raises
    ------
    ValueError
        A quote is not closed.
    """
    text = line.text if line.language in SHELLS else line.text.replace("\\", "/")
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();<>|&")
    lexer.whitespace_split, lexer.commenters = True, ""
    words = list(lexer)
    comment = next((place for place, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def calls(words: Sequence[str]) -> Iterator[list[str]]:
    """Yield what is given to our program, each time that a line calls it."""
    for place, word in enumerate(words):
        if Path(word).name in (PROGRAM, f"{PROGRAM}.exe") and _is_called(words, place):
            rest = list(words[place + 1 :])
            end = next((i for i, other in enumerate(rest) if other in _ENDS), len(rest))
            yield rest[:end]


def _is_called(words: Sequence[str], place: int) -> bool:
    """Say whether a word stands where a command does: first, behind variables, or as another program's last word."""
    before = words[place - 1] if place else ";"
    return before in _ENDS or "=" in before or before in ("--no-python", "exec", "time", "nohup")


def problem(line: Line, root: Command) -> str | None:
    """Say what is wrong with a line, or None: a command that there isn't, an option, a value, a word too many."""
    try:
        words = words_of(line)
    except ValueError as error:
        return f"{line.place}: {error}: {line.text}"
    for given in calls(words):
        what = _first_fault(given, root, is_whole=line.is_whole)
        if what is not None:
            return f"{line.place}: {what}: {line.text}"
    return None


def _first_fault(words: Sequence[str], root: Command, *, is_whole: bool) -> str | None:
    command, rest = root, list(words)
    loose: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--help":
            return None
        if word.startswith("-") and len(word) > 1 and not _is_number(word):
            fault = _option_fault(command, word, rest, is_whole=is_whole)
            if fault is not None:
                return fault
        elif (below := command.command(word)) is not None and not loose:
            command = below
        elif command.needs_more and not _PLACEHOLDER.fullmatch(word):
            return f"{' '.join(command.path)} has no command {word!r}"
        elif word not in ("…", "..."):
            loose.append(word)
    return _count_fault(command, loose, is_whole=is_whole)


def _option_fault(command: Command, word: str, rest: list[str], *, is_whole: bool) -> str | None:
    name, has_value, value = word.partition("=")
    option = command.option(name)
    if option is None:
        return f"{' '.join(command.path)} has no option {name}"
    if not option.value:
        return f"{name} takes no value" if has_value else None
    if not has_value:
        if not rest:
            return f"{name} needs a value" if is_whole else None
        value = rest.pop(0)
    return _value_fault(option, name, value)


def _value_fault(option: Option, name: str, value: str) -> str | None:
    if not option.choices or value in option.choices or _PLACEHOLDER.fullmatch(value):
        return None
    return f"{name} is one of {', '.join(option.choices)}, not {value!r}"


def _count_fault(command: Command, loose: Sequence[str], *, is_whole: bool) -> str | None:
    called, count = " ".join(command.path), len(loose)
    if command.needs_more and is_whole:
        return f"{called} needs a command"
    is_open = command.needs_more or any(argument.is_variadic for argument in command.arguments)
    if count > len(command.arguments) and not is_open:
        return f"{called} takes {len(command.arguments)} words, not {count}"
    for argument, word in zip(command.arguments, loose, strict=False):
        if argument.choices and word not in argument.choices and not _PLACEHOLDER.fullmatch(word):
            return f"{called} takes one of {', '.join(argument.choices)}, not {word!r}"
    least = sum(argument.is_required for argument in command.arguments)
    return f"{called} needs {least} words, not {count}" if is_whole and count < least else None


def _is_number(word: str) -> bool:
    return re.fullmatch(r"-\d+(\.\d+)?(,-?\d+(\.\d+)?)*", word) is not None
