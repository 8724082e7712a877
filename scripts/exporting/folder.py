"""The folder of an export: made beside its place and renamed once it is whole, so that no half of one is ever there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from bridge.files import sync_folder
from scripts.exporting.errors import ExportError
from scripts.project import Project

MARKER = "slidebridge-export.json"  # says that the folder is one of ours, and which kind: what --force may replace
_UNFINISHED, _FORMER = ".slidebridge-part", ".slidebridge-former"


class ExportKind(StrEnum):
    """What is in the folder."""

    ONNX = "onnx"
    FAST = "fast"
    WSINFER = "wsinfer"
    DATASET = "dataset"


@contextmanager
def new_folder(out: Path, kind: ExportKind, project: Project, *, is_forced: bool = False) -> Iterator[Path]:
    """Lend an empty folder beside the wanted one; it takes that one's place at the end, or nothing does.

    Parameters
    ----------
    out
        May be there if it is empty. Its parents are made.
    project
        The folder must not lie in it.
    is_forced
        Replace an export of the same kind that is there.

    Raises
    ------
    ExportError
        Something else is there, or the place is the project's.
    OSError
        It can't be written.
    """
    target = out.expanduser().resolve()  # a link stays, and what it names is replaced
    check_place(target, kind, project, is_forced=is_forced)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}{_UNFINISHED}")
    if unfinished.exists():
        shutil.rmtree(unfinished)  # of an export that was killed
    unfinished.mkdir()
    try:
        yield unfinished
        (unfinished / MARKER).write_text(json.dumps({"kind": kind.value}) + "\n", "utf-8")
        _put_in_place(unfinished, target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_folder(target.parent)


def check_place(out: Path, kind: ExportKind, project: Project, *, is_forced: bool = False) -> None:
    """Refuse a place that is somebody's, before anything is computed.

    Raises
    ------
    ExportError
        As `new_folder`.
    """
    if not out.name:
        raise ExportError(f"{out}: name a new folder for the export, --out FOLDER")
    for own in _own_folders(project):
        if out.resolve().is_relative_to(own):
            raise ExportError(
                f"{out} lies in the project, which exports leave as it is; choose a folder outside of {own}"
            )
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file; choose a new folder")
    if not out.exists() or not any(out.iterdir()):
        return
    if kind_of(out) is not kind:
        raise ExportError(f"{out} is not empty, and no {kind.value} export of SlideBridge; choose a new folder")
    if not is_forced:
        raise ExportError(f"{out} holds an export already; --force replaces it, or choose a new folder")


def _own_folders(project: Project) -> tuple[Path, ...]:
    """Return the project's folder, and that of its annotations where it lies elsewhere."""
    source = project.root / project.settings.source.path
    return project.root.resolve(), (source if source.is_dir() else source.parent).resolve()


def kind_of(folder: Path) -> ExportKind | None:
    """Return what export a folder holds; None where it holds none."""
    try:
        return ExportKind(json.loads((folder / MARKER).read_text("utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # anything else is no folder of ours


def _put_in_place(unfinished: Path, target: Path) -> None:
    former = target.with_name(f".{target.name}{_FORMER}")
    if former.exists():
        shutil.rmtree(former)  # of a replacement that was killed
    if not target.exists():
        unfinished.rename(target)
        return
    target.rename(former)  # a folder with content can't be replaced in one step
    try:
        unfinished.rename(target)
    except OSError:
        former.rename(target)
        raise
    shutil.rmtree(former)
