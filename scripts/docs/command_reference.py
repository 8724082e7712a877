"""``docs/reference/commands.md``: every command with every option, as the program itself has them."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.cli import app
from scripts.docs.command_tree import Argument, Command, Option, read_tree, usage
from scripts.docs.markdown import GENERATED, code, plain, table

_HEAD = f"""\
{GENERATED}
# Commands

Every command has `--help`, which says what is said here. Results go to standard output and all else to standard error,
so `--json` can be piped into other programs. `--dry-run`, where there is one, says what would be done and writes
nothing. The exit status is 0 when all went well, 1 when something failed (one line says what, and the way out), 2 when
the command was mistyped. What concerns a project is told by `--project`: its folder, or any file or folder in it;
without it, where you are.
"""


def command_page() -> str:
    """Return the page."""
    root = read_tree(app)
    parts = [_HEAD, _overview(root), "## Before any command\n", _options(root.options)]
    parts += [part for command in root.walk() if command is not root for part in _section(command)]
    return "\n".join(parts).rstrip("\n") + "\n"


def _overview(root: Command) -> str:
    rows = [(f"[{code(' '.join(c.path))}](#{_anchor(c)})", plain(_summary(c))) for c in root.walk() if c is not root]
    return table(("command", "what it does"), rows) + "\n"


def _anchor(command: Command) -> str:
    return "-".join(command.path)


def _summary(command: Command) -> str:
    return " ".join(command.description.partition("\n\n")[0].split())


def _section(command: Command) -> Iterator[str]:
    title = " ".join(command.path)
    yield f"{'#' * len(command.path)} {title} {{ #{_anchor(command)} }}\n"
    yield f"```text\n{usage(command)}\n```\n"
    for paragraph in command.description.split("\n\n"):
        yield f"{plain(' '.join(paragraph.split()))}\n"
    if command.arguments:
        yield table(("argument", "meaning", "if left out"), [_argument_row(a) for a in command.arguments]) + "\n"
    if command.options:
        yield _options(command.options)


def _options(options: tuple[Option, ...]) -> str:
    return table(("option", "meaning", "if left out"), [_option_row(option) for option in options]) + "\n"


def _argument_row(argument: Argument) -> tuple[str, str, str]:
    several = " (several)" if argument.is_variadic else ""
    chosen = f" One of {', '.join(map(code, argument.choices))}." if argument.choices else ""
    name = argument.name.strip("[]…")
    return f"{code(name)}{several}", plain(argument.help) + chosen, _left_out(argument.default, argument.is_required)


def _option_row(option: Option) -> tuple[str, str, str]:
    value = f" {option.value}" if option.value else ""
    typed = ", ".join(code(name + value) for name in option.names)
    if option.negative:
        typed += " / " + ", ".join(map(code, option.negative))
    several = " May be given several times." if option.is_repeatable else ""
    return typed, plain(option.help) + several, _left_out(option.default, is_required=False)


def _left_out(default: str, is_required: bool) -> str:
    return "must be given" if is_required else plain(default) if default else "–"
