"""Facts about a project, gathered once: every slide opened, every annotation file read, nothing written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bridge.annotations import SlideEntry
from bridge.errors import BridgeError
from bridge.imagescope import ImageScopeFolder
from bridge.ingest import SlideReading
from bridge.installing import how_to_add
from bridge.qupath import GeoJSONFolder
from bridge.store import Store
from scripts.doctor.labels import LabelFacts, look_at_labels
from scripts.doctor.model import ModelFacts, look_at_model
from scripts.doctor.own_files import OwnFiles, look_at_own_files
from scripts.doctor.records import RecordFacts, open_records
from scripts.doctor.running import RunningFacts, look_around
from scripts.doctor.slide_facts import SlideFacts, look_at_slide
from scripts.naming.project_names import passing_names
from scripts.naming.slide_names import SlideNames
from scripts.options import TIMM, WITH_WEIGHTS, ModelOptions
from scripts.progress import Progress, Silent
from scripts.project import Project, left_out

_FUTURE = timedelta(minutes=2)  # clocks that differ by less do no harm
_ANNOTATIONS: Mapping[type, tuple[str, ...]] = {
    ImageScopeFolder: (".xml",),
    GeoJSONFolder: (".geojson", ".geojson.gz"),
}


@dataclass(frozen=True, slots=True)
class ProjectFacts:
    """What was found of a project.

    Parameters
    ----------
    source_problem
        Why the source can't be listed; there are no slides then.
    left_out
        Images that are no slides of ours, one line each.
    classes
        The scheme's, in label order.
    is_strict
        A class that is not in the scheme is an error.
    read_only
        Folders that we have to write to, and can't.
    lonely
        Annotation files without a slide.
    gone
        Slides that were learned from and are not in the project any more.
    future
        Files that were saved in the future, one line each.
    model_problem
        Why no training can begin with the network that the settings name: "what; the way out".
    """

    root: Path
    slides: tuple[SlideFacts, ...] = ()
    source_problem: str | None = None
    left_out: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    is_strict: bool = False
    read_only: tuple[Path, ...] = ()
    lonely: tuple[Path, ...] = ()
    gone: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    model_problem: str | None = None
    model: ModelFacts = field(default_factory=ModelFacts)
    labels: LabelFacts = field(default_factory=LabelFacts)
    running: RunningFacts = field(default_factory=RunningFacts)
    records: RecordFacts = field(default_factory=RecordFacts)
    own: OwnFiles = field(default_factory=OwnFiles)


def gather(
    project: Project,
    now: datetime,
    *,
    progress: Progress | None = None,
    environ: Mapping[str, str] = os.environ,
    user: Path | None = None,
) -> ProjectFacts:
    """Look at everything that a project consists of.

    Parameters
    ----------
    user
        As in ``open_store``.
    """
    try:
        entries, outside = project.source.slides(), left_out(project.source)
    except (BridgeError, OSError) as error:
        return ProjectFacts(project.root, source_problem=str(error))
    folders = _folders(project, entries)
    with open_records(project, folders, user) as records:
        slides, readings = _look_at_slides(project, records.store, entries, progress or Silent())
        return ProjectFacts(
            root=project.root,
            slides=slides,
            left_out=outside,
            classes=tuple(project.scheme.colors),
            is_strict=project.settings.labels.strict,
            read_only=tuple(folder for folder in folders if not is_writable(folder)),
            lonely=tuple(_lonely(project, entries)),
            gone=tuple(_gone(records.store, entries)),
            future=tuple(_from_future(slides, now)),
            model_problem=model_problem(project.settings.model, partial(_has_transfer, project)),
            model=look_at_model(project),
            labels=look_at_labels(project, records.store, readings, now),
            running=look_around(project, now, _newest_save(records.store, readings), environ),
            records=records.facts,
            own=look_at_own_files(project),
        )


def names_of(project: Project) -> SlideNames:
    """Return what slides are called where they are told of; a project without a key for it isn't given one here."""
    if project.settings.privacy.hash_names:
        return passing_names(project)
    try:
        return SlideNames(project.source.slides())
    except BridgeError:  # told of the source
        return SlideNames(())


def model_problem(model: ModelOptions, has_transfer: Callable[[], bool] = lambda: False) -> str | None:
    """Say why the network that is set can't be begun: weights that are missing, or a library.

    ``has_transfer`` says whether weights were taken over that trainings begin with: they need no others.
    """
    encoder = model.encoder
    if model.weights is not None and not model.weights.is_file():
        return f"there is no weights file at {model.weights}; correct [model] weights"
    if encoder.startswith(TIMM) and find_spec("timm") is None:
        cure = f"{how_to_add('timm', ['timm'])}; or name another"
        return f"encoder {encoder} needs timm, which is not installed; {cure}"
    if model.pretrained and model.weights is None and encoder not in WITH_WEIGHTS and not has_transfer():
        cure = "name their file in [model] weights, or set pretrained = false"
        return f"no ImageNet weights of encoder {encoder} come with SlideBridge; {cure}"
    return None


def _has_transfer(project: Project) -> bool:
    if not (project.checkpoints / "transfer.json").exists():
        return False
    from models.checkpoints import read_card  # torch: a second
    from models.checkpoints.champion import TRANSFER_NAME, read_pointer
    from models.errors import CheckpointError

    try:
        pointer = read_pointer(project.checkpoints, TRANSFER_NAME)
        card = None if pointer is None else read_card(project.checkpoints, pointer.id)
    except CheckpointError:  # trainings do without it then, and say so
        return False
    return card is not None and card.design == project.settings.model.design.value


def is_writable(folder: Path) -> bool:
    """Say whether files can be made in a folder, or the folder itself where it isn't there yet."""
    there = next((f for f in (folder, *folder.parents) if f.exists()), folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _folders(project: Project, entries: Sequence[SlideEntry]) -> list[Path]:
    """Return the folders that we write to, each once."""
    written = (entry.written_path for entry in entries)
    parents = (path.parent for path in written if path is not None)
    return list(dict.fromkeys([project.root, project.data_folder, *parents]))


def _look_at_slides(
    project: Project, store: Store, entries: Sequence[SlideEntry], progress: Progress
) -> tuple[tuple[SlideFacts, ...], list[SlideReading]]:
    progress.start("looking at slides", len(entries))
    names = names_of(project)
    slides, readings = [], []
    for entry in entries:
        facts, reading = look_at_slide(project, store, entry)
        slides.append(facts)
        readings += [reading] if reading is not None else []
        progress.advance(note=names.hide_note(entry.name))
    return tuple(slides), readings


def _lonely(project: Project, entries: Sequence[SlideEntry]) -> Iterator[Path]:
    """Yield the annotation files that lie in a folder of slides and belong to none of them."""
    endings = _ANNOTATIONS.get(type(project.source), ())
    owned = {entry.annotation_path.name.casefold() for entry in entries}
    stems = {entry.slide_path.stem.casefold() for entry in entries}
    for path in sorted(project.source.root.iterdir()) if endings else ():
        ending = next((e for e in reversed(endings) if path.name.casefold().endswith(e)), None)
        if ending is None or path.name.startswith((".", "~")) or not path.is_file():
            continue
        if path.name.casefold() not in owned and path.name[: -len(ending)].casefold() not in stems:
            yield path


def _gone(store: Store, entries: Sequence[SlideEntry]) -> Iterator[str]:
    there, learned = {entry.key for entry in entries}, store.split().learned
    for slide in store.slides():
        if slide.key not in there and learned.get(slide.key):
            yield slide.name


def _from_future(slides: Sequence[SlideFacts], now: datetime) -> Iterator[str]:
    for slide in slides:
        for path, at in (slide.saved_at or {}).items():
            if at - now > _FUTURE:
                yield f"{path} is of {at.astimezone():%Y-%m-%d %H:%M:%S}, and here it is {now.astimezone():%H:%M:%S}"


def _newest_save(store: Store, readings: Sequence[SlideReading]) -> datetime | None:
    """Return when a person last saved anything, by the files' own times."""
    people = (r for r in readings if r.revision is not None and not store.is_own_revision(r.entry.key, r.revision))
    return max((r.saved_at for r in people if r.saved_at is not None), default=None)
