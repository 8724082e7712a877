"""What the shell completes with Tab: names that are known without loading anything heavy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

DESIGNS = ("deepzoom", "patchwise", "hybrid", "weak")  # as ``scripts.options.Design``, which takes long to import
PRESETS = ("fast", "paper")  # as ``scripts.options.Preset``
FORMATS = ("xml", "geojson", "geojson.gz", "png", "tif", "mask")  # that ``convert`` writes folders of
METHODS = ("random", "standard", "standard_nonsquare", "adaptive")  # as ``models.active.SelectionMethod``


def designs(incomplete: str) -> list[str]:
    """Return the designs that a beginning may become."""
    return _beginning_with(incomplete, DESIGNS)


def presets(incomplete: str) -> list[str]:
    """Return the presets that a beginning may become."""
    return _beginning_with(incomplete, PRESETS)


def formats(incomplete: str) -> list[str]:
    """Return the formats that a beginning may become."""
    return _beginning_with(incomplete, FORMATS)


def methods(incomplete: str) -> list[str]:
    """Return the ways of asking that a beginning may become; several are given with commas between."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{found}" for found in _beginning_with(last, METHODS)]


def slides(context: typer.Context, incomplete: str) -> list[str]:
    """Return the slides of the project that a beginning may become, called as ``status`` calls them.

    Read from the folder or the project file itself: to open the project as the commands do would take a second.
    """
    given = context.params.get("project")
    try:
        names = set(_slide_names(given if isinstance(given, Path) else Path()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []  # the command itself will say what is wrong
    return _beginning_with(incomplete, sorted(filter(str.isprintable, names)))


def _slide_names(path: Path) -> Iterator[str]:
    import tomllib

    from bridge.slide_files import SLIDE_SUFFIXES

    start = path.resolve()
    root = next((folder for folder in (start, *start.parents) if (folder / "slidebridge.toml").is_file()), None)
    if root is None:
        return
    settings = tomllib.loads((root / "slidebridge.toml").read_text("utf-8-sig"))
    kind, source = settings["source"]["kind"], root / settings["source"].get("path", ".")
    if settings.get("privacy", {}).get("hash_names"):
        return  # names are hidden, and the hashes of them take long to make
    if kind == "qupath":
        yield from (str(image["imageName"]) for image in json.loads(source.read_bytes())["images"])
        return
    folders = [source] if kind != "hail" else [*(source / "TRAINING_data").iterdir(), source / "HOLDOUT_data"]
    for folder in filter(Path.is_dir, folders):
        files = (file for file in folder.iterdir() if not file.name.startswith("."))
        yield from (file.stem for file in files if file.suffix.lower() in SLIDE_SUFFIXES)


def _beginning_with(incomplete: str, known: Iterable[str]) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]
