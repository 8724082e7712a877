"""Setting a project up beside what exists: which classes its files hold, and the ``slidebridge.toml`` that says so."""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations import (
    BACKGROUND,
    PROPOSED,
    Annotation,
    AnnotationSet,
    LabelOptions,
    Rgb,
    Source,
    format_color,
    plain_class,
)
from bridge.errors import BridgeError, ConfigError, WriteFailedError
from bridge.ingest import known_classes
from bridge.store.atomic import replace_whole
from scripts.config import FILE_NAME
from scripts.options import SourceKind

logger = logging.getLogger(__name__)
_UNNAMED = "Annotation"
_PALETTE: tuple[Rgb, ...] = ((200, 0, 0), (0, 128, 255), (255, 160, 0), (0, 160, 80), (160, 0, 200), (120, 80, 40))


@dataclass(frozen=True, slots=True)
class Survey:
    """What the annotation files of a source hold.

    Parameters
    ----------
    colors
        Classes found, with their colours, in order of appearance.
    mapping
        Rules for layers without a name.
    slides, files, objects
        Counts.
    problems
        One line per file that couldn't be read.
    """

    colors: Mapping[str, Rgb]
    mapping: Mapping[str, str]
    slides: int
    files: int
    objects: int
    problems: tuple[str, ...]


def survey(source: Source) -> Survey:
    """Read every annotation file of a source and list its classes."""
    sets: list[AnnotationSet] = []
    problems: list[str] = []
    entries = source.slides()
    for entry in entries:
        if not entry.annotation_path.is_file():
            continue
        try:
            sets.append(source.parse(entry.annotation_path.read_bytes(), entry))
        except (BridgeError, OSError) as error:
            problems.append(f"{entry.name}: {error}")
    colors = _class_colors(known_classes(sets))
    unnamed, mapping = _unnamed_layers(sets, colors)
    objects = sum(len(s) for s in sets)
    return Survey({**colors, **unnamed}, mapping, len(entries), len(sets), objects, tuple(problems))


def _class_colors(found: Mapping[str, Annotation]) -> dict[str, Rgb]:
    labels = LabelOptions()
    special = {*labels.roi_classes, *labels.ignore_classes, PROPOSED, BACKGROUND, "Region*"}
    colors: dict[str, Rgb] = {}
    for path_class, annotation in found.items():
        name = plain_class(path_class) or path_class
        if name not in special and annotation.shape.is_area:
            colors.setdefault(name, annotation.color or _PALETTE[len(colors) % len(_PALETTE)])
    return colors


def _unnamed_layers(sets: Sequence[AnnotationSet], taken: Collection[str]) -> tuple[dict[str, Rgb], dict[str, str]]:
    """Return classes and rules for layers without a name: by colour, or by id where one file has two of a colour."""
    keys: dict[str, Rgb | None] = {}
    for found in sets:
        layers = {a.layer.id: a.layer for a in found.annotations if a.layer is not None and a.path_class is None}
        shades = Counter(layer.color for layer in layers.values())
        for layer in layers.values():
            by_id = layer.color is None or shades[layer.color] > 1
            keys.setdefault(
                f"id:{layer.id}" if by_id else f"color:{format_color(layer.color or (0, 0, 0))}", layer.color
            )
    names = (name for i in itertools.count(1) if (name := f"{_UNNAMED} {i}") not in taken)
    is_single = len(keys) == 1 and _UNNAMED not in taken
    mapping = {key: _UNNAMED if is_single else next(names) for key in keys}
    colors = {mapping[key]: color or _PALETTE[i % len(_PALETTE)] for i, (key, color) in enumerate(keys.items())}
    return colors, mapping


def settings_text(
    kind: SourceKind, path: str, colors: Mapping[str, Rgb], mapping: Mapping[str, str], extra: Mapping[str, object]
) -> str:
    """Compose a ``slidebridge.toml``.

    Parameters
    ----------
    extra
        ``section.key`` → value, beyond the classes.
    """
    lines = [
        "# SlideBridge settings of this project. All others, with their meaning: slidebridge config show",
        "",
        "[source]",
        f"kind = {_toml(kind.value)}",
        f"path = {_toml(path)}",
        "",
        "# The classes, in label order. Label 0 is Background, always.",
        "[classes.colors]",
        *(f"{_toml(name)} = {_toml(format_color(color))}" for name, color in colors.items()),
    ]
    if mapping:
        lines += ["", "# What a file says → class. Rename the classes on the right to what these layers mean."]
        lines += ["[classes.map]", *(f"{_toml(key)} = {_toml(name)}" for key, name in mapping.items())]
    sections: dict[str, list[str]] = {}
    for name, value in extra.items():
        section, _, key = name.partition(".")
        sections.setdefault(section, []).append(f"{key} = {_toml(value)}")
    for section, rows in sections.items():
        lines += ["", f"[{section}]", *rows]
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    """Write a value as TOML; strings, numbers, booleans and lists of them look the same in JSON."""
    return json.dumps(value, ensure_ascii=False)


def settings_path(root: Path, *, may_replace: bool) -> Path:
    """Return where a folder's ``slidebridge.toml`` is to be written.

    Raises
    ------
    ConfigError
        There is one already.
    """
    path = root / FILE_NAME
    if path.exists() and not may_replace:
        raise ConfigError(f"{path} is there already; edit it, or give --force to make it anew")
    return path


def write_settings(root: Path, text: str, *, may_replace: bool) -> Path | None:
    """Write ``slidebridge.toml`` into a folder.

    Returns
    -------
    Path or None
        Where the settings that were there are kept now; None if there were none, or the same.

    Raises
    ------
    ConfigError
        There is one already.
    WriteFailedError
        The folder can't be written.
    """
    path = settings_path(root, may_replace=may_replace)
    data = text.encode("utf-8")
    before = path.read_bytes() if path.is_file() else data
    kept = None if before == data else _free_name(path)
    try:
        if kept is not None:
            replace_whole(kept, before)
        replace_whole(path, data)
    except OSError as error:
        raise WriteFailedError(f"{path} can't be written ({error.strerror}); it is as it was") from error
    return kept


def _free_name(path: Path) -> Path:
    """Return ``slidebridge.toml.old``, or ``.old2`` … where older ones are kept."""
    names = itertools.chain([".old"], (f".old{number}" for number in itertools.count(2)))
    return next(kept for name in names if not (kept := path.with_name(path.name + name)).exists())
