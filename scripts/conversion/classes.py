"""Classes and their colours: from ``--classes``, else from the source itself."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.annotations import Annotation, ClassScheme, LabelOptions, Rgb, parse_color, plain_class
from bridge.errors import ConfigError
from bridge.files import read_plain
from scripts.config import load_settings

_MOST_BYTES = 1_000_000
IGNORE_CLASS = "Ignore*"  # what QuPath calls label 255
IGNORE_COLOR: Rgb = (128, 128, 128)
PALETTE: tuple[Rgb, ...] = ((200, 0, 0), (0, 128, 255), (255, 160, 0), (0, 160, 80), (160, 0, 200), (120, 80, 40))


@dataclass(frozen=True, slots=True)
class ClassFile:
    """What ``--classes`` says.

    Parameters
    ----------
    scheme
        Classes in label order, and what a file says → class.
    labels
        Which classes are ROIs and which are ignored.
    """

    path: Path
    scheme: ClassScheme
    labels: LabelOptions = field(default_factory=LabelOptions)


def read_class_file(path: Path) -> ClassFile:
    """Read a ``slidebridge.toml``, a TOML or JSON table of name → colour, or QuPath's ``classes.json``.

    Raises
    ------
    ConfigError
        Not there, none of these, or without a class; the message says the way out.
    """
    try:
        data = read_plain(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; --classes names a file of classes and colours") from error
    if len(data) > _MOST_BYTES:
        raise ConfigError(f"{path}: {len(data)} bytes is no file of classes")
    values = _parse(path, data)
    if path.suffix.lower() == ".toml" and isinstance(values.get("classes"), dict):
        settings = load_settings(path).settings
        found = ClassFile(path, settings.classes.scheme(), settings.labels)
    else:
        found = ClassFile(path, ClassScheme(_colors(path, values)))
    if not found.scheme.colors:
        raise ConfigError(f'{path}: names no class; write lines such as Tumor = "#c80000" below [classes.colors]')
    return found


def _parse(path: Path, data: bytes) -> Mapping[str, object]:
    try:
        values = tomllib.loads(data.decode("utf-8-sig")) if path.suffix.lower() == ".toml" else json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: neither TOML nor JSON ({error}); name it .toml or .json") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: no table of class names and colours")
    return values


def _colors(path: Path, values: Mapping[str, object]) -> dict[str, Rgb]:
    listed = values.get("pathClasses")
    if isinstance(listed, list):
        rows = [row for row in listed if isinstance(row, dict)]
        values = {str(row.get("name")): row.get("color") for row in rows if row.get("name")}
    return {name: _color(path, name, value) for name, value in values.items()}


def _color(path: Path, name: str, value: object) -> Rgb:
    if isinstance(value, str):
        return parse_color(value)
    if isinstance(value, int) and not isinstance(value, bool):  # QuPath's packed ARGB
        return value >> 16 & 255, value >> 8 & 255, value & 255
    if isinstance(value, list) and len(value) == 3 and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        red, green, blue = value
        return red, green, blue
    raise ConfigError(f'{path}: {name} = {value!r} is no colour; write it as "#rrggbb" or [r, g, b]')


def classified(
    annotations: Sequence[Annotation], chosen: ClassFile | None, known: Mapping[str, Rgb]
) -> tuple[Annotation, ...]:
    """Return the annotations with the classes and colours that they go out with; each class has a colour.

    Parameters
    ----------
    chosen
        Renames by its rules and colours what it names; what it doesn't name stays as it is.
    known
        Colours that the source gives to classes beside its objects.
    """
    named = [a if chosen is None else replace(a, path_class=chosen.scheme.classify(a)) for a in annotations]
    colors = {} if chosen is None else chosen.scheme.colors
    spare = _spare_colors(named, colors, known)
    return tuple(_colored(a, colors, spare) for a in named)


def _spare_colors(
    annotations: Sequence[Annotation], colors: Mapping[str, Rgb], known: Mapping[str, Rgb]
) -> Mapping[str, Rgb]:
    """Return a colour for every class of objects that have none: the class's own on other objects, or a new one."""
    found = dict(known)
    for annotation in annotations:
        if annotation.path_class is not None and annotation.color is not None:
            found.setdefault(annotation.path_class, annotation.color)
    for annotation in annotations:
        if annotation.path_class is not None and annotation.path_class not in colors:
            found.setdefault(annotation.path_class, PALETTE[len(found) % len(PALETTE)])
    return found


def _colored(annotation: Annotation, colors: Mapping[str, Rgb], spare: Mapping[str, Rgb]) -> Annotation:
    name = annotation.path_class
    if name is None:
        own = annotation.own_color  # without a class there is no other
        return annotation if own is None else replace(annotation, color=own, own_color=None)
    color = colors.get(name) or colors.get(plain_class(name) or "") or annotation.color or spare[name]
    return annotation if color == annotation.color else replace(annotation, color=color)
