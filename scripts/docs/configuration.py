"""``docs/reference/configuration.md``: every key, its kind, default and meaning, and what each preset sets."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal

from bridge.annotations import format_color
from scripts.config import PREFIX, RANGES, Settings
from scripts.docs.manual import meanings
from scripts.docs.markdown import GENERATED, code, plain, table
from scripts.options import Design, ModelOptions, Preset
from scripts.presets import preset_values

_HEAD = f"""\
{GENERATED}
# Configuration

`slidebridge.toml` lies beside your slides or your `project.qpproj`; `slidebridge new` writes it. It holds only what
differs from the defaults below: copy the lines that you change, under the same `[section]`. A key that there isn't is
an error that names those that there are, so that no misspelt setting goes unnoticed.

What goes over what, the later over the earlier: the defaults, the [preset](#presets), `slidebridge.toml`, an
environment variable, an option of a command. `slidebridge config show` prints every setting with its value and where
that came from. A daemon that is running takes a changed file up by itself.

Every key has an environment variable: `{PREFIX}`, the section, two underscores, the key, all in capitals. Its value is
written as in the file, quotes of plain text may be left out: `{PREFIX}MODEL__MPP=0.5`.

Paths are relative to `slidebridge.toml`. Colours are `"#rrggbb"`.
"""
_BREAK = r"\g<0><wbr>"
_PRESETS = """\
## Presets

What stands for the keys that nobody sets: `[model] preset`, for each `[model] design`. A key that isn't in the table
has the default above. A paper's encoder needs a file of its ImageNet weights; only where `[model] weights` names one is
it set, too (`mobilenet_v2` for `patchwise` and `hybrid`, `resnet18` for `weak`).
"""


def configuration_page() -> str:
    """Return the page."""
    said = meanings()
    hints = typing.get_type_hints(Settings)
    sections = [_section(section.name, hints[section.name], said) for section in fields(Settings)]
    return "\n".join([_HEAD, *sections, _PRESETS, _preset_table()]) + "\n"


def _section(name: str, options: type[Any], said: Mapping[str, str]) -> str:
    assert is_dataclass(options), "a section's options are a dataclass"
    hints = typing.get_type_hints(options)
    rows = [_row(name, option, hints[option.name], said) for option in fields(options)]
    words = said.get(name, "")
    intro = f"{plain(words)}\n\n" if words else ""
    return f"## [{name}] {{ #{name} }}\n\n{intro}{table(('key', 'value', 'default', 'meaning'), rows)}\n"


def _row(section: str, option: Field[Any], hint: Any, said: Mapping[str, str]) -> tuple[str, str, str, str]:
    name = f"{section}.{option.name}"
    key = f"{code(option.name)}<br>{_variable(section, option.name)}"
    return key, _kind(name, hint), _default(_default_of(option)), plain(said.get(name, ""))


def _variable(section: str, key: str) -> str:
    """Return the environment variable, which may be broken into lines after an underscore only."""
    name = f"{PREFIX}{section}__{key}".upper().replace("_", "&#95;")
    return f"<code>{re.sub(r'(?:&#95;)+', _BREAK, name)}</code>"


def _default_of(option: Field[Any]) -> object:
    return option.default_factory() if callable(option.default_factory) else option.default


def _kind(name: str, hint: Any) -> str:  # Any: an annotation
    words = _kind_words(hint)
    if name not in RANGES:
        return "colour" if name.endswith("_color") else words
    least, most = RANGES[name]
    return f"{words}, {_number(least)} to {_number(most)}" if most < 1e9 else f"{words}, at least {_number(least)}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _kind_words(hint: Any) -> str:  # Any: an annotation
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return next(_kind_words(part) for part in args if part is not type(None))
    if origin is Literal:
        return " or ".join(code(json.dumps(value)) for value in args)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(code(json.dumps(member.value)) for member in hint)
    if origin is tuple:
        return "list of paths" if args[0] is Path else "list of texts"
    if origin is not None:
        return "table"
    plain_kinds = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text", Path: "path"}
    return plain_kinds[hint]


def _default(value: object) -> str:
    return "not set" if value is None else code(_toml(value))


def _toml(value: object) -> str:
    if isinstance(value, Enum):
        return json.dumps(value.value)
    if isinstance(value, Path):
        return json.dumps(value.as_posix())
    if isinstance(value, tuple) and len(value) == 3 and all(isinstance(part, int) for part in value):
        return json.dumps(format_color(value))
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _preset_table() -> str:
    columns = [(design, preset) for preset in Preset for design in Design if _values(design, preset)]
    keys = dict.fromkeys(key for column in columns for key in _values(*column))
    head = ("key", *(f"{design.value}, {preset.value}" for design, preset in columns))
    return table(head, ([code(key), *_cells(key, columns)] for key in keys))


def _cells(key: str, columns: list[tuple[Design, Preset]]) -> Iterator[str]:
    for column in columns:
        values = _values(*column)
        yield code(_toml(values[key])) if key in values else "–"


def _values(design: Design, preset: Preset) -> Mapping[str, Any]:  # Any: values of settings
    return preset_values(ModelOptions(design=design, preset=preset))
