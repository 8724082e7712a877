"""The command line as values: every command with its options and arguments, read from the Typer app."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

PROGRAM = "slidebridge"
_WORDS: dict[object, str] = {Path: "PATH", int: "WHOLE NUMBER", float: "NUMBER", str: "TEXT"}


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Parameters
    ----------
    names
        As they are typed: ``("--project", "-p")``.
    negative
        What turns a switch off (``--two-networks``).
    value
        What stands for its value in a usage line; empty for a switch.
    choices
        The values that there are; empty where any of its kind will do.
    default
        In words; empty where there is nothing to say.
    """

    names: tuple[str, ...]
    negative: tuple[str, ...]
    value: str
    choices: tuple[str, ...]
    help: str
    default: str
    is_repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """One word that stands without an option's name."""

    name: str
    choices: tuple[str, ...]
    help: str
    default: str
    is_required: bool
    is_variadic: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of them.

    Parameters
    ----------
    path
        The words that call it, the program's name first.
    description
        Its help: paragraphs.
    needs_more
        It is a group that does nothing by itself.
    """

    path: tuple[str, ...]
    description: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...] = ()
    needs_more: bool = False

    def walk(self) -> Iterator[Command]:
        """Yield the command itself and all below it, in the order of the program's help."""
        yield self
        for command in self.commands:
            yield from command.walk()

    def option(self, name: str) -> Option | None:
        """Return the option that is typed so; None where there is none."""
        return next((found for found in self.options if name in (*found.names, *found.negative)), None)

    def command(self, name: str) -> Command | None:
        """Return the command of that name below this one."""
        return next((found for found in self.commands if found.path[-1] == name), None)


def read_tree(app: typer.Typer) -> Command:
    """Return the whole command line of an app."""
    return _command(typer.main.get_command(app), (PROGRAM,))


def _command(found: Any, path: tuple[str, ...]) -> Command:  # Any: Typer's commands, whose base class it hides
    hints = _hints(found.callback)
    params = [param for param in found.params if not getattr(param, "hidden", False)]
    is_group = isinstance(found, TyperGroup)
    below = found.commands if is_group else {}
    return Command(
        path,
        inspect.cleandoc(found.help or ""),
        tuple(_option(p, hints.get(p.name)) for p in params if isinstance(p, TyperOption) and "--help" not in p.opts),
        tuple(_argument(p, hints.get(p.name)) for p in params if isinstance(p, TyperArgument)),
        tuple(_command(sub, (*path, name)) for name, sub in below.items() if not sub.hidden),
        is_group and not found.invoke_without_command,
    )


def _hints(callback: Any) -> dict[str, Any]:  # Any: annotations are whatever they are
    return {} if callback is None else typing.get_type_hints(inspect.unwrap(callback))


def _option(param: TyperOption, hint: Any) -> Option:  # Any: an annotation
    kind, is_list = _kind(hint)
    is_switch = param.is_flag
    choices = () if is_switch else _choices(kind)
    value = "" if is_switch else str(param.metavar or "|".join(choices) or _WORDS.get(kind, "TEXT"))
    return Option(
        tuple(param.opts),
        tuple(param.secondary_opts),
        value,
        choices,
        _sentence(param.help),
        _default(param.show_default, param.default, is_switch=is_switch),
        is_list,
    )


def _argument(param: TyperArgument, hint: Any) -> Argument:  # Any: an annotation
    kind, is_list = _kind(hint)
    name = str(param.metavar or (param.name or "").upper())
    choices = _choices(kind)
    default = _default(param.show_default, param.default, is_switch=False)
    return Argument(name, choices, _sentence(param.help), default, bool(param.required), is_list)


def _kind(hint: Any) -> tuple[object, bool]:  # Any: an annotation
    """Return what one value is, and whether there may be several."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0], True
    return hint, False


def _choices(kind: object) -> tuple[str, ...]:
    return tuple(str(member.value) for member in kind) if isinstance(kind, type) and issubclass(kind, Enum) else ()


def _default(shown: bool | str, default: object, *, is_switch: bool) -> str:
    if isinstance(shown, str):
        return shown
    value = default.value if isinstance(default, Enum) else default
    is_said = value is not None and not is_switch and not callable(value) and value not in ("", ..., [], ())
    return str(value) if is_said and shown else ""


def _sentence(text: str | None) -> str:
    return " ".join((text or "").split())


def usage(command: Command) -> str:
    """Return how a command is typed.

    Examples
    --------
    >>> usage(Command(("slidebridge", "confirm"), "", (), (Argument("SLIDE", (), "", "", True, False),)))
    'slidebridge confirm SLIDE'
    """
    words = [*command.path, *(["[OPTIONS]"] if command.options else [])]
    words += [_argument_words(argument) for argument in command.arguments]
    words += [] if not command.commands else ["COMMAND"] if command.needs_more else ["[COMMAND]"]
    return " ".join(words)


def _argument_words(argument: Argument) -> str:
    name = argument.name.strip("[]…")
    shown = f"{name}…" if argument.is_variadic else name
    return shown if argument.is_required else f"[{shown}]"


def named(path: Sequence[str], root: Command) -> Command:
    """Return the command that some words call.

    Raises
    ------
    KeyError
        There is none.
    """
    found = root
    for name in path:
        below = found.command(name)
        if below is None:
            raise KeyError(" ".join(path))
        found = below
    return found
