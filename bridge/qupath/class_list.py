"""``classifiers/classes.json``: the classes that QuPath offers in a project, with their colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.annotations import Rgb
from bridge.errors import QuPathFormatError
from bridge.qupath.json_file import read_json
from bridge.qupath.path_classes import rgb_of


def read_class_list(path: Path) -> Mapping[str, Rgb]:
    """Return full class name → colour, in QuPath's order; empty where there is no such file.

    Raises
    ------
    QuPathFormatError
        The file is broken: QuPath wouldn't open the project either.
    """
    if not path.is_file():
        return {}
    document = read_json(path)
    listed = document.get("pathClasses") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise QuPathFormatError("this is no list of QuPath's classes; restore the file from a backup", path=path)
    pairs = [(entry.get("name"), entry.get("color")) for entry in listed if isinstance(entry, dict)]
    return {name: rgb_of(argb) for name, argb in pairs if isinstance(name, str) and isinstance(argb, int)}
