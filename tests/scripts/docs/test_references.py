"""What the generated references hold: every setting with a meaning, every command with every option."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from importlib import resources
from typing import get_type_hints

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from scripts.config import RANGES, Settings
from scripts.docs.command_reference import command_page
from scripts.docs.command_tree import Command, named, read_tree
from scripts.docs.configuration import configuration_page
from scripts.docs.manual import meanings


@pytest.fixture(scope="module")
def tree() -> Command:
    """The command line that there is."""
    return read_tree(app)


def _keys() -> list[str]:
    hints = get_type_hints(Settings)
    return [f"{s.name}.{option.name}" for s in fields(Settings) for option in fields(hints[s.name])]


def test_every_setting_has_a_meaning_in_the_shipped_file() -> None:
    said = meanings()
    assert [key for key in _keys() if not said.get(key)] == []


def test_the_shipped_file_speaks_of_no_setting_that_there_is_not() -> None:
    sections = {field.name for field in fields(Settings)}
    assert set(meanings()) - set(_keys()) == sections


def test_configuration_names_every_key_its_variable_and_its_range() -> None:
    page = configuration_page().replace("<wbr>", "").replace("&#95;", "_")
    for key in _keys():
        section, _, name = key.partition(".")
        assert f"`{name}`<br><code>SLIDEBRIDGE_{section.upper()}__{name.upper()}</code>" in page
    assert set(RANGES) <= set(_keys())
    assert "| number, 0.01 to 1,000 | `1.0` |" in page


def test_defaults_on_the_page_are_those_of_the_shipped_file() -> None:
    shipped = tomllib.loads(resources.files("scripts").joinpath("defaults.toml").read_text("utf-8"))
    page = configuration_page()
    for value in ('`"deepzoom"`', '`["slide", "class"]`', '`"#ffc800"`', "`512`", "`false`"):
        assert f"| {value} |" in page
    assert shipped["write"]["proposed_color"] == "#ffc800" and shipped["train"]["tree"] == ["slide", "class"]


def test_presets_are_told_with_what_they_set() -> None:
    row = next(line for line in configuration_page().splitlines() if line.startswith("| `train.max_steps`"))
    assert "`20000`" in row and "`50000`" in row and "–" in row


def test_every_command_and_option_is_on_the_page(tree: Command) -> None:
    page = command_page()
    for command in tree.walk():
        names = [name for option in command.options for name in (*option.names, *option.negative)]
        assert [name for name in names if f"`{name}" not in page] == []
        assert command.path == ("slidebridge",) or f"{{ #{'-'.join(command.path)} }}" in page


@pytest.mark.parametrize("words", ["train", "new", "hooks install"])
def test_options_are_those_of_the_programs_own_help(tree: Command, words: str) -> None:
    shown = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    told = {word for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown.output) if word != "--help"}
    options = named(words.split(), tree).options
    assert {name for option in options for name in (*option.names, *option.negative)} <= told


def test_kinds_and_choices_are_read_from_the_commands_themselves(tree: Command) -> None:
    convert = named(["convert"], tree)
    assert [a.name for a in convert.arguments] == ["SRC", "DST"]
    assert all(a.is_required for a in convert.arguments)
    transform = convert.option("--transform")
    assert transform is not None and transform.choices == ("rotate90", "rotate180", "rotate270", "flip-x", "flip-y")
    one = named(["train"], tree).option("--two-networks")
    assert one is not None and one.value == "" and one.names == ("--one-network",)
    assert named(["watch"], tree).arguments[0].is_variadic
    with pytest.raises(KeyError):
        named(["nothing"], tree)
