"""A project: its settings, its source of slides, and where our own files lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from tempfile import TemporaryDirectory

from platformdirs import user_data_path

from bridge.annotations import ClassScheme, SlideEntry, Source
from bridge.errors import ConfigError
from bridge.imagescope import MAX_CLASS, HailFolder, ImageScopeFolder, LayerClass
from bridge.qupath import GeoJSONFolder, QuPathProject
from bridge.store import Store
from bridge.store.consistency import copy_store
from bridge.store.lease import Lease, Look
from bridge.store.lease_beat import Beat
from bridge.store.location import STORE_NAME, bring_store, find_store, known_project_id, refuse_unknown
from bridge.store.migrate import is_changed_by_opening
from scripts.config import FILE_NAME, ClassOptions, LoadedSettings, Settings, load_settings
from scripts.naming.hidden import Everything, hidden_names
from scripts.naming.project_names import passing_names, project_names
from scripts.options import SourceKind, SourceOptions
from scripts.version import program_version


@dataclass(frozen=True, slots=True)
class Project:
    """One project, opened.

    Parameters
    ----------
    root
        The folder that holds ``slidebridge.toml``.
    loaded
        Settings with their origins.
    source
        Where slides and annotations live.
    """

    root: Path
    loaded: LoadedSettings
    source: Source

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.loaded.settings

    @property
    def scheme(self) -> ClassScheme:
        """The class scheme."""
        return self.settings.classes.scheme()

    @property
    def data_folder(self) -> Path:
        """``.slidebridge/``: store, backups, checkpoints."""
        return self.root / ".slidebridge"

    @property
    def configured_store(self) -> Path | None:
        """Folder that the settings name for the database; a relative one is the project's."""
        path = self.settings.store.path
        return None if path is None else self.root / path.expanduser()

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints and of the champion pointer."""
        return self.data_folder / "checkpoints"

    @property
    def hides_names(self) -> bool:
        """Whether what others may read says hashes in place of slides' names."""
        return self.settings.privacy.hash_names

    def find_store(self, user: Path | None = None) -> Path | None:
        """Return the folder that has the project's database now; None before the first writing command.

        Parameters
        ----------
        user
            As of ``open_store``.

        Raises
        ------
        StoreError
            It is where this machine can't see it.
        """
        data_folder, configured, user = self.data_folder, self.configured_store, user or user_folder()
        found = find_store(data_folder, configured, user)
        known = known_project_id(data_folder)
        if found is None and known is not None:
            refuse_unknown(data_folder, configured or user / known)
        return found


def open_project(
    path: Path, environ: Mapping[str, str] = os.environ, given: Mapping[str, object] | None = None
) -> Project:
    """Open the project that a path belongs to.

    Parameters
    ----------
    path
        A project folder, a file in it (``slidebridge.toml``, ``project.qpproj``), or a folder below one.
    given
        ``section.key`` → value, over the settings' own.

    Raises
    ------
    ConfigError
        There is no ``slidebridge.toml`` at or above the path, or it is wrong.
    """
    start = path.resolve()
    folder = start if start.is_dir() else start.parent
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            loaded = _with_folders(load_settings(candidate / FILE_NAME, environ, given), candidate)
            settings = loaded.settings
            project = Project(candidate, loaded, open_source(candidate, settings.source, settings.classes))
            if project.hides_names:
                _hide_names(project)
            return project
    raise ConfigError(f"{path}: no {FILE_NAME} here or above; set the project up with `slidebridge new`")


def _hide_names(project: Project) -> None:
    """Have whatever this command says from now on leave out what the project's slides are called."""
    hidden = hidden_names()
    hidden.know(project.root, Everything())  # what is said by looking
    hidden.know(project.root, passing_names(project))


def user_folder() -> Path:
    """Return this account's folder, on this machine, for the databases of projects on network drives."""
    return user_data_path("slidebridge", appauthor=False) / "stores"


@contextmanager
def open_store(project: Project, *, is_dry_run: bool, user: Path | None = None) -> Iterator[Store]:
    """Open the project's store; where there is none yet, a dry run gets an empty one that leaves no trace.

    Parameters
    ----------
    is_dry_run
        Nothing is made, moved or changed: of a store that an older SlideBridge wrote a copy is opened, for opening it
        brings it up to date. Otherwise the caller holds the lease.
    user
        For databases of projects on network drives; ``user_folder()`` when None.
    """
    if not is_dry_run:
        with Store.open(bring_store(project.data_folder, project.configured_store, user or user_folder())) as store:
            yield store
        return
    there = project.find_store(user)
    with TemporaryDirectory() as beside:
        if there is not None and is_changed_by_opening(there / STORE_NAME):
            copy_store(there / STORE_NAME, Path(beside))
            there = None
        with Store.open(there or Path(beside)) as store:
            yield store


def take_lease(project: Project, purpose: str, *, is_waiting: bool = True, look: Look | None = None) -> Lease:
    """Take the right to write to a project, for the command named ``purpose``; as ``Lease.take``.

    Raises
    ------
    ProjectBusyError
        Another process has it.
    """
    return Lease.take(project.data_folder, purpose, version=program_version(), is_waiting=is_waiting, look=look)


@contextmanager
def open_to_write(project: Project, purpose: str, *, is_dry_run: bool) -> Iterator[tuple[Store, Callable[[], None]]]:
    """Open the store with the lease in hand, kept alive till the end; a dry run needs none.

    Yields
    ------
    tuple of Store and callable
        The second is to be called before each write: it raises ``ProjectBusyError`` when the lease was lost.
    """
    if is_dry_run:
        with open_store(project, is_dry_run=True) as store:
            yield store, lambda: None
        return
    with Beat(take_lease(project, purpose)) as beat, open_store(project, is_dry_run=False) as store:
        yield store, beat.check


def find_entry(project: Project, name: str, call: Callable[[SlideEntry], str] = lambda entry: entry.name) -> SlideEntry:
    """Return the slide that a person means: by key, or by name.

    Parameters
    ----------
    call
        Returns what a slide is called where others may read it.

    Raises
    ------
    ConfigError
        There is none, or the name is that of several.
    """
    slides = project.source.slides()
    found = [e for e in slides if e.key == name] or [e for e in slides if e.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"{len(found)} slides are called {name!r}; say which: {', '.join(e.key for e in found)}")
    known = sorted(map(call, slides))
    raise ConfigError(f"no slide {name!r} in the project; there are {', '.join(known[:10])}")


def find_called(project: Project, called: str) -> SlideEntry:
    """Return the slide that a person means: by key, by name, or by the hash that logs and status show.

    Raises
    ------
    ConfigError
        There is none, or the name is that of several.
    """
    names = project_names(project, project.source.slides())
    return find_entry(project, names.key_of(called) or called, lambda entry: names.of(entry.key))


def _with_folders(loaded: LoadedSettings, root: Path) -> LoadedSettings:
    """Return the settings with folders and files that were given relative to the settings file."""
    slides = loaded.settings.slides
    relocate = {old: new if _is_whole(new) else str(root / new) for old, new in slides.relocate.items()}
    slides = replace(slides, search=tuple(root / folder for folder in slides.search), relocate=relocate)
    model = loaded.settings.model
    weights = None if model.weights is None else root / model.weights.expanduser()
    compute = loaded.settings.compute
    ca, cert, key = (
        None if path is None else root / path.expanduser()
        for path in (compute.tls_ca, compute.tls_cert, compute.tls_key)
    )
    settings = replace(
        loaded.settings,
        slides=slides,
        model=replace(model, weights=weights),
        compute=replace(compute, tls_ca=ca, tls_cert=cert, tls_key=key),
    )
    return replace(loaded, settings=settings)


def left_out(source: Source) -> tuple[str, ...]:
    """Return one line for each image of the source that is no slide of ours.

    Raises
    ------
    AnnotationFileError
        The project file is not there, cut, or not one; or a folder of an H-AI-L project isn't there.
    """
    if isinstance(source, QuPathProject | HailFolder | ImageScopeFolder | GeoJSONFolder):
        return source.left_out()
    return ()


def _is_whole(folder: str) -> bool:
    """Say whether a folder, of whichever system, needs none before it; an address is one."""
    return PurePosixPath(folder).is_absolute() or PureWindowsPath(folder).is_absolute() or ":/" in folder


def open_source(root: Path, options: SourceOptions, classes: ClassOptions = ClassOptions()) -> Source:  # noqa: B008 - frozen
    """Return the source that the settings name.

    Parameters
    ----------
    classes
        Their rules ``id:N`` say which class an H-AI-L project's layers hold.

    Raises
    ------
    ConfigError
        The path isn't there, or is a folder where a file is needed, or the other way round.
    """
    path = root / options.path
    is_replaced = path.with_name(f"{path.name}.backup").exists()  # QuPath is saving the project: its reader waits
    if not path.exists() and not (options.kind is SourceKind.QUPATH and is_replaced):
        raise ConfigError(f"[source] path {path} is not there")
    if options.kind is SourceKind.QUPATH and path.is_dir():
        raise ConfigError(f"[source] path {path} is a folder; name the project's file in it, project.qpproj")
    if options.kind is not SourceKind.QUPATH and not path.is_dir():
        raise ConfigError(f"[source] path {path} is a file; name the folder that it lies in")
    match options.kind:
        case SourceKind.IMAGESCOPE:
            return ImageScopeFolder(path)
        case SourceKind.GEOJSON:
            return GeoJSONFolder(path)
        case SourceKind.QUPATH:
            return QuPathProject(path)
        case SourceKind.HAIL:
            return HailFolder(path, _layer_classes(classes))


def _layer_classes(classes: ClassOptions) -> tuple[LayerClass, ...]:
    """Return what the layers of an H-AI-L project hold, by the rules for their ``Id``."""
    scheme = classes.scheme()
    rules = ((key.removeprefix("id:").strip(), name) for key, name in classes.map.items() if key.startswith("id:"))
    numbered = ((int(number), name) for number, name in rules if number.isascii() and number.isdigit())
    return tuple(
        LayerClass(number, name, scheme.colors[name])
        for number, name in numbered
        if 1 <= number <= MAX_CLASS and name in scheme.colors
    )
