"""Names that tell as much as those of a project's slides: of files beside them, of images left out, of slides gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bridge.errors import BridgeError
from bridge.imagescope import HailFolder
from bridge.qupath import QuPathProject
from bridge.qupath.project_file import read_project_file
from bridge.slide_files import SLIDE_SUFFIXES
from bridge.store.peeking import peek_slides
from scripts.naming.named_project import NamedProject

_ENDINGS = (*SLIDE_SUFFIXES, ".xml", ".geojson", ".geojson.gz")


def names_beside(project: NamedProject) -> tuple[str, ...]:
    """Return what messages about a project may name besides its slides; what can't be looked at has no names."""
    return tuple(dict.fromkeys([*_of_files(project), *_of_images(project), *_of_records(project)]))


def _of_files(project: NamedProject) -> Iterator[str]:
    root = project.source.root
    folders = [root]
    if isinstance(project.source, HailFolder):
        folders += [folder for part in _listed(root) for folder in (part, *_listed(part))]
    for path in (path for folder in folders for path in _listed(folder)):
        ending = next((e for e in reversed(_ENDINGS) if path.name.lower().endswith(e)), None)
        if ending is not None:
            yield path.name[: -len(ending)] if ending == ".geojson.gz" else path.name
            yield os.fsencode(path.name).decode("utf-8", "backslashreplace")


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # no folder, or one that may not be read
        return []


def _of_images(project: NamedProject) -> tuple[str, ...]:
    if not isinstance(project.source, QuPathProject):
        return ()
    try:
        return read_project_file(project.source.path).names
    except BridgeError:  # told by who reads it next
        return ()


def _of_records(project: NamedProject) -> Iterator[str]:
    try:
        folder = project.find_store()
    except (BridgeError, OSError):  # told by who opens it next
        return
    if folder is not None:
        for key, name in peek_slides(folder):
            yield key
            yield name
