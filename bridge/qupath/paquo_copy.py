"""Copies of a project for QuPath to work on, so that it never writes into, nor hangs on, what is a person's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import QuPathBackendError, QuPathFormatError
from bridge.qupath.project import DATA_FILE, QuPathProject
from bridge.qupath.qpdata import END_BYTES

_ROOT_FILES = ("classifiers/classes.json", "data/metadata.json")
_ENTRY_FILES = ("server.json",)


def read_whole(project: QuPathProject, entry: SlideEntry) -> bytes:
    """Return the bytes of a ``data.qpdata`` that QuPath may be given.

    On a file that was cut QuPath loops for ever, or shows an image without objects; so it never gets one.

    Raises
    ------
    QuPathFormatError
        A save is going on or has failed, the file isn't there, or lacks its end.
    """
    blocker = project.blocker(entry)
    if blocker is not None:
        raise QuPathFormatError(blocker)
    try:
        data = entry.annotation_path.read_bytes()
    except OSError as error:
        raise QuPathFormatError(f"can't be read ({error.strerror})", path=entry.annotation_path) from error
    if not data.endswith(END_BYTES):
        raise QuPathFormatError("the EOF mark is missing: save the image again in QuPath", path=entry.annotation_path)
    return data


def copy_aside(project: QuPathProject, files: Mapping[str, bytes], folder: Path) -> Path:
    """Write a project that holds the given images' data, and return its project file.

    Slides are not copied, nor needed for reading.

    Parameters
    ----------
    files
        Entry id → bytes of ``data.qpdata``, from ``read_whole``.
    folder
        Empty.

    Raises
    ------
    QuPathBackendError
        There is no room for it.
    """
    copy = folder / "project.qpproj"
    try:
        _copy_if_there(project.path, copy)
        for name in _ROOT_FILES:
            _copy_if_there(project.root / name, folder / name)
        for key, data in files.items():
            for name in _ENTRY_FILES:
                _copy_if_there(project.root / "data" / key / name, folder / "data" / key / name)
            target = folder / "data" / key / DATA_FILE
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except OSError as error:
        raise QuPathBackendError(
            f"a copy of {project.path} for QuPath can't be written to {folder} ({error.strerror});"
            " make room there, or set TMPDIR to another folder"
        ) from error
    return copy


def _copy_if_there(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
