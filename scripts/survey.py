"""Setting a project up beside what exists: which classes its files hold, and the ``slidebridge.toml`` that says so."""

from __future__ import annotations

import itertools
import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations import (
    BACKGROUND,
    PROPOSED,
    Annotation,
    AnnotationSet,
    LabelOptions,
    Layer,
    Rgb,
    SlideEntry,
    Source,
    format_color,
    plain_class,
)
from bridge.errors import BridgeError, ConfigError, SlideError, WriteFailedError
from bridge.files import replace_whole
from bridge.imagescope import MAX_CLASS, HailFolder
from bridge.ingest import known_classes
from bridge.slides import open_slide
from scripts.config import FILE_NAME
from scripts.options import SourceKind

logger = logging.getLogger(__name__)
_UNNAMED = "Annotation"
_FLAT_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_MOST_OPENED = 20
_PALETTE: tuple[Rgb, ...] = ((200, 0, 0), (0, 128, 255), (255, 160, 0), (0, 160, 80), (160, 0, 200), (120, 80, 40))


@dataclass(frozen=True, slots=True)
class Survey:
    """What the annotation files of a source hold.

    Parameters
    ----------
    colors
        Classes found, with their colours, in order of appearance.
    mapping
        Rules for layers without a name; in an H-AI-L project for all, by their ``Id``.
    slides, files, objects
        Counts.
    problems
        One line per file that couldn't be read.
    unmeasured
        Names of flat pictures for which neither they nor their annotation files say the resolution.
    empty
        Annotation files without an object.
    without_area
        Classes that only points and lines have.
    """

    colors: Mapping[str, Rgb]
    mapping: Mapping[str, str]
    slides: int
    files: int
    objects: int
    problems: tuple[str, ...]
    unmeasured: tuple[str, ...] = ()
    empty: int = 0
    without_area: tuple[str, ...] = ()


def survey(source: Source) -> Survey:
    """Read every annotation file of a source and list its classes."""
    sets: list[AnnotationSet] = []
    layers: list[Layer] = []
    measured: set[str] = set()
    problems: list[str] = []
    entries = source.slides()
    for entry in entries:
        if not entry.annotation_path.is_file():
            continue
        try:
            data = entry.annotation_path.read_bytes()
            sets.append(source.parse(data, entry))
            measured |= {entry.key} if sets[-1].mpp is not None else set()
            layers += source.layers(data, entry) if isinstance(source, HailFolder) else ()
        except (BridgeError, OSError) as error:
            problems.append(f"{entry.name}: {error}")
    if isinstance(source, HailFolder):
        colors, mapping = _numbered_layers(layers)
    else:
        named = _class_colors(known_classes(sets))
        unnamed, mapping = _unnamed_layers(sets, named)
        colors = {**named, **unnamed}
    objects = sum(len(s) for s in sets)
    unmeasured = tuple(_unmeasured(entry for entry in entries if entry.key not in measured and entry.mpp is None))
    empty = sum(len(s) == 0 for s in sets)
    points = tuple(name for name in _without_area(sets) if name not in colors)
    return Survey(colors, mapping, len(entries), len(sets), objects, tuple(problems), unmeasured, empty, points)


def _unmeasured(entries: Iterable[SlideEntry]) -> Iterator[str]:
    """Yield the names of pictures that don't say their resolution; of many only some are opened."""
    pictures = (entry for entry in entries if entry.slide_path.suffix.lower() in _FLAT_SUFFIXES)
    for entry in itertools.islice(pictures, _MOST_OPENED):
        try:
            with open_slide(entry.slide_path) as slide:
                is_measured = slide.pyramid.mpp is not None
        except SlideError as error:  # whoever reads it says so
            logger.debug("not looked at slide=%s error=%s", entry.name, error)
            continue
        if not is_measured:
            yield entry.slide_path.name


def _special_classes() -> frozenset[str]:
    labels = LabelOptions()
    return frozenset({*labels.roi_classes, *labels.ignore_classes, PROPOSED, BACKGROUND, "Region*"})


def _class_colors(found: Mapping[str, Annotation]) -> dict[str, Rgb]:
    special = _special_classes()
    colors: dict[str, Rgb] = {}
    for path_class, annotation in found.items():
        name = plain_class(path_class) or path_class
        if name not in special and annotation.shape.is_area:
            colors.setdefault(name, annotation.color or _PALETTE[len(colors) % len(_PALETTE)])
    return colors


def _without_area(sets: Iterable[AnnotationSet]) -> Iterator[str]:
    """Yield each class that only points and lines have: they cover nothing that could be learned from."""
    is_area: dict[str, bool] = {}
    for annotation in itertools.chain.from_iterable(found.annotations for found in sets):
        if annotation.path_class is not None:
            name = plain_class(annotation.path_class) or annotation.path_class
            is_area[name] = is_area.get(name, False) or annotation.shape.is_area
    yield from (name for name, has_area in is_area.items() if not has_area and name not in _special_classes())


def colors_for(classes: Sequence[str]) -> dict[str, Rgb]:
    """Return a colour of ours for each of some classes."""
    return {name: _PALETTE[i % len(_PALETTE)] for i, name in enumerate(classes)}


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


def _numbered_layers(layers: Sequence[Layer]) -> tuple[dict[str, Rgb], dict[str, str]]:
    """Return classes and rules by layer ``Id``, which is the class in an H-AI-L project; empty layers count, too."""
    special = _special_classes()
    found: dict[int, Layer] = {}
    for layer in layers:
        number = int(layer.id) if layer.id.isascii() and layer.id.isdigit() else 0
        is_class = 1 <= number <= MAX_CLASS and layer.name.strip() not in special
        if is_class and (number not in found or not found[number].name.strip()):
            found[number] = layer
    colors: dict[str, Rgb] = {}
    mapping: dict[str, str] = {}
    for number, layer in sorted(found.items()):
        name = layer.name.strip() or (_UNNAMED if len(found) == 1 else f"{_UNNAMED} {number}")
        name = name if name not in colors else f"{name} {number}"
        colors[name] = layer.color or _PALETTE[len(colors) % len(_PALETTE)]
        mapping[f"id:{number}"] = name
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
        *(() if colors else ('# Tumor = "#c80000"  # a line like this for each class, without the first #',)),
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
