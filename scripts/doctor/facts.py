"""Facts about a project, gathered once: every slide opened, every annotation file read, nothing written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bridge.annotations import AnnotationSet, Edits, SlideEntry
from bridge.annotations.roles import reconcile
from bridge.errors import BridgeError
from bridge.files import PREFIX
from bridge.ingest import locate_slide
from bridge.slides import choose_mpp, open_slide
from scripts.config import Settings
from scripts.options import TIMM, WITH_WEIGHTS, ModelOptions
from scripts.project import Project

_MARKER = "doctor"  # of edits that are made and thrown away


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """What was found of one slide; a problem is one line, None where there is none.

    Parameters
    ----------
    has_file
        There is an annotation file.
    objects
        In it.
    slide_problem, mpp_problem, blocker, file_problem, write_problem
        Why it isn't found or doesn't open; has no mpp; mustn't be read now; isn't read; couldn't be written.
    mpp_warnings
        One line each.
    unknown
        Classes that the scheme doesn't know, and objects of each.
    """

    entry: SlideEntry
    slide_problem: str | None = None
    mpp_problem: str | None = None
    mpp_warnings: tuple[str, ...] = ()
    has_file: bool = False
    blocker: str | None = None
    file_problem: str | None = None
    write_problem: str | None = None
    objects: int = 0
    unknown: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What was found of a project.

    Parameters
    ----------
    source_problem
        Why the source can't be listed; there are no slides then.
    classes
        Number of classes in the scheme.
    stray
        Temporary files of ours beside people's files.
    read_only
        Folders that we have to write to, and can't.
    model_problem
        Why no training can begin with the network that the settings name: "what; the way out".
    free_bytes
        On the disk of the project's own records.
    """

    root: Path
    slides: tuple[SlideFacts, ...] = ()
    source_problem: str | None = None
    classes: int = 0
    stray: tuple[Path, ...] = ()
    read_only: tuple[Path, ...] = ()
    model_problem: str | None = None
    free_bytes: int = 0


def gather(project: Project) -> ProjectFacts:
    """Look at everything that a project consists of."""
    try:
        entries = project.source.slides()
    except BridgeError as error:
        return ProjectFacts(project.root, source_problem=str(error), free_bytes=_free_bytes(project.root))
    folders = _folders(project, entries)
    return ProjectFacts(
        root=project.root,
        slides=tuple(_slide_facts(project, entry) for entry in entries),
        classes=len(project.scheme.colors),
        stray=tuple(stray for folder in folders for stray in _stray_files(folder)),
        read_only=tuple(folder for folder in folders if not _is_writable(folder)),
        model_problem=model_problem(project.settings.model, partial(_has_transfer, project)),
        free_bytes=_free_bytes(project.root),
    )


def model_problem(model: ModelOptions, has_transfer: Callable[[], bool] = lambda: False) -> str | None:
    """Say why the network that is set can't be begun: weights that are missing, or a library.

    ``has_transfer`` says whether weights were taken over that trainings begin with: they need no others.
    """
    encoder = model.encoder
    if model.weights is not None and not model.weights.is_file():
        return f"there is no weights file at {model.weights}; correct [model] weights"
    if encoder.startswith(TIMM) and find_spec("timm") is None:
        return f"encoder {encoder} needs timm, which is not installed; pip install timm, or name another encoder"
    if model.pretrained and model.weights is None and encoder not in WITH_WEIGHTS and not has_transfer():
        cure = "name their file in [model] weights, or set pretrained = false"
        return f"no ImageNet weights of encoder {encoder} come with SlideBridge; {cure}"
    return None


def _has_transfer(project: Project) -> bool:
    from models.checkpoints import read_card  # torch: a second
    from models.checkpoints.champion import TRANSFER_NAME, read_pointer
    from models.errors import CheckpointError

    try:
        pointer = read_pointer(project.checkpoints, TRANSFER_NAME)
        card = None if pointer is None else read_card(project.checkpoints, pointer.id)
    except CheckpointError:  # trainings do without it then, and say so
        return False
    return card is not None and card.design == project.settings.model.design.value


def _folders(project: Project, entries: Sequence[SlideEntry]) -> list[Path]:
    """Return the folders that we write to, each once."""
    written = (entry.written_path for entry in entries)
    return list(dict.fromkeys([project.root, *(path.parent for path in written if path is not None)]))


def _is_writable(folder: Path) -> bool:
    """Say whether files can be made in a folder, or the folder itself where it isn't there yet."""
    there = next((f for f in (folder, *folder.parents) if f.exists()), folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _stray_files(folder: Path) -> Iterator[Path]:
    for pattern in (f"{PREFIX}*.tmp", f"{PREFIX}*.part", f"{PREFIX}*.old"):
        yield from sorted(folder.glob(pattern))


def _free_bytes(root: Path) -> int:
    return shutil.disk_usage(root).free


def _slide_facts(project: Project, entry: SlideEntry) -> SlideFacts:
    found, file_problem, blocker = _read(project, entry)
    slide_problem, mpp_problem, warnings = _look_at_slide(project.settings, entry, found)
    is_checked = entry.written_path is not None  # nothing is ever written to what is people's alone
    write_problem = _write_problem(project, entry, found) if found is not None and is_checked else None
    return SlideFacts(
        entry=entry,
        slide_problem=slide_problem,
        mpp_problem=mpp_problem,
        mpp_warnings=warnings,
        has_file=entry.annotation_path.is_file(),
        blocker=blocker,
        file_problem=file_problem,
        write_problem=write_problem,
        objects=0 if found is None else len(found),
        unknown=() if found is None else _unknown(project, found),
    )


def _read(project: Project, entry: SlideEntry) -> tuple[AnnotationSet | None, str | None, str | None]:
    """Return what the file holds, why it can't be read, and why it mustn't be now."""
    blocker = project.source.blocker(entry)
    if blocker is not None or not entry.annotation_path.is_file():
        return None, None, blocker
    try:
        return project.source.parse(entry.annotation_path.read_bytes(), entry), None, None
    except (BridgeError, OSError) as error:
        return None, str(error), None


def _write_problem(project: Project, entry: SlideEntry, found: AnnotationSet) -> str | None:
    """Make edits that change nothing of people's: a file that isn't reproduced byte for byte is refused there."""
    try:
        project.source.apply(entry.annotation_path.read_bytes(), Edits(found.write_marker or _MARKER), entry)
    except (BridgeError, OSError) as error:
        return str(error)
    return None


def _look_at_slide(
    settings: Settings, entry: SlideEntry, found: AnnotationSet | None
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Return why the slide doesn't open, why it has no mpp, and what is odd about its mpp."""
    options = settings.slides
    try:
        path = locate_slide(entry, options)
        with open_slide(path) as slide:
            own = slide.pyramid.mpp
    except BridgeError as error:
        return str(error), None, ()
    try:
        _, warnings = choose_mpp(
            path.name,
            per_slide=options.mpp_of.get(entry.name) or options.mpp_of.get(path.name),
            tool=entry.mpp,
            slide=own,
            annotation_file=None if found is None else found.mpp,
            default=options.mpp,
        )
    except BridgeError as error:
        return None, str(error), ()
    return None, None, warnings


def _unknown(project: Project, found: AnnotationSet) -> tuple[tuple[str, int], ...]:
    reconciled = reconcile(found, (), None, project.scheme, project.settings.labels)
    return tuple(reconciled.unknown.items())
