"""What ``slidebridge new`` does: survey the files, write ``slidebridge.toml``, offer our classes to QuPath."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from bridge.annotations import Rgb, predicted_class
from bridge.annotations.writing import WriteOptions
from bridge.errors import ConfigError, QuPathFormatError
from bridge.qupath import QuPathProject, create_project, merged_classes, paquo_backend
from bridge.qupath.create import UNSET
from bridge.qupath.new_project import new_project_path
from bridge.store import Backups
from bridge.store.atomic import replace_whole
from scripts.new_images import new_image, new_images, slide_files
from scripts.options import SourceKind, SourceOptions
from scripts.project import left_out, open_source
from scripts.survey import Survey, settings_path, settings_text, survey, write_settings

__all__ = ["Beginning", "SetUp", "new_image", "our_classes", "set_up"]

_MOST_NAMED = 10


class Backend(StrEnum):
    """Who makes a QuPath project."""

    NATIVE = "native"  # we: no Java, every slide that OpenSlide reads and flat pictures
    PAQUO = "paquo"  # the user's own QuPath, driven by paquo: whatever that opens


@dataclass(frozen=True, slots=True)
class Beginning:
    """What was asked for.

    Parameters
    ----------
    kind
        ``"imagescope"``, ``"qupath"``, ``"geojson"``, ``"hail"`` or ``"qupath_create"``.
    path
        Folder of slides, an H-AI-L project's folder, a ``project.qpproj``, or the folder to make a project in.
    slides, image_type, backend
        For ``qupath_create``: the slides, QuPath's name of their type, and who makes the project.
    mpp
        Working resolution of the model; None leaves the default.
    """

    kind: str
    path: Path
    slides: tuple[Path, ...] = ()
    mpp: float | None = None
    keep_classes: bool = False
    may_replace: bool = False
    image_type: str = UNSET
    backend: Backend = Backend.NATIVE


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was found and done.

    Parameters
    ----------
    created
        Lines on a project that was made.
    kept
        Where the settings lie that were there before.
    """

    settings_path: Path
    found: Survey
    classes_path: Path | None
    is_dry_run: bool
    created: tuple[str, ...] = ()
    kept: Path | None = None

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "settings": str(self.settings_path),
            "slides": self.found.slides,
            "annotation_files": self.found.files,
            "objects": self.found.objects,
            "classes": list(self.found.colors),
            "unnamed_layers": dict(self.found.mapping),
            "problems": list(self.found.problems),
            "without_resolution": list(self.found.unmeasured),
            "created": list(self.created),
            "old_settings": str(self.kept) if self.kept is not None else None,
            "dry_run": self.is_dry_run,
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        found = self.found
        lines = [
            *self.created,
            f"{found.slides} slides, {found.files} with annotations, {found.objects} objects",
            f"classes: {', '.join(found.colors) or 'none yet; add them to [classes.colors] in the settings'}",
        ]
        lines += [
            f"layer {key} is called {name!r}; rename it in [classes.map] and [classes.colors]"
            for key, name in found.mapping.items()
        ]
        lines += [f"not read: {problem}" for problem in found.problems]
        if found.unmeasured:
            named = f"{found.unmeasured[0]}{' and others' if len(found.unmeasured) > 1 else ''}"
            lines.append(f"no resolution: {named}; set [slides] mpp, µm per pixel, in the settings")
        if self.classes_path is not None:
            verb = "would be added to" if self.is_dry_run else "are in"
            lines.append(f"our classes {verb} {self.classes_path}; open the project in QuPath only afterwards")
        if self.kept is not None:
            lines.append(f"the settings that were there are kept as {self.kept.name}")
        lines.append(f"{'would write' if self.is_dry_run else 'wrote'} {self.settings_path}; next: slidebridge sync")
        return lines


def set_up(beginning: Beginning, *, is_dry_run: bool = False) -> SetUp:
    """Set a project up beside what exists.

    Raises
    ------
    BridgeError
        The path isn't what it should be, or there is a project already.
    """
    if beginning.kind == "qupath_create":
        return _create(beginning, is_dry_run=is_dry_run)
    kind = SourceKind(beginning.kind)
    root = beginning.path if beginning.path.is_dir() else beginning.path.parent
    settings = settings_path(root, may_replace=beginning.may_replace)
    source = open_source(Path(), SourceOptions(kind, beginning.path))
    found = survey(source)
    found = replace(found, problems=(*found.problems, *left_out(source)))
    extra: dict[str, object] = {"model.mpp": beginning.mpp} if beginning.mpp is not None else {}
    if kind is SourceKind.HAIL:
        extra["labels.complete"] = "slide"  # H-AI-L's way: who annotates a slide annotates the whole of it
    relative = beginning.path.name if kind is SourceKind.QUPATH else "."
    text = settings_text(kind, relative, found.colors, found.mapping, extra)
    kept = None if is_dry_run else write_settings(root, text, may_replace=beginning.may_replace)
    classes = source.classes_path if isinstance(source, QuPathProject) and not beginning.keep_classes else None
    if classes is not None and not is_dry_run:
        _offer_classes(root, classes, found.colors)
    return SetUp(settings, found, classes, is_dry_run, kept=kept)


def _create(beginning: Beginning, *, is_dry_run: bool) -> SetUp:
    """Make a QuPath project, then set up beside it; of a dry run, say what that would be."""
    path = new_project_path(beginning.path)
    settings = settings_path(path.parent, may_replace=beginning.may_replace)
    names, make = _maker(beginning)
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    line = f"{'would make' if is_dry_run else 'made'} {path} with {len(names)} images: {listed}"
    if is_dry_run:
        classes = None if beginning.keep_classes else path.parent / "classifiers" / "classes.json"
        return SetUp(settings, Survey({}, {}, len(names), 0, 0, ()), classes, True, (line,))
    make()
    done = set_up(replace(beginning, kind="qupath", path=path, slides=()))
    return replace(done, created=(line,))


def _maker(beginning: Beginning) -> tuple[tuple[str, ...], Callable[[], object]]:
    """Return the names of the new images, and what makes the project of them."""
    folder, image_type = beginning.path, beginning.image_type
    if beginning.backend is Backend.PAQUO:
        if image_type != UNSET:
            raise ConfigError("--image-type goes with the native backend only; QuPath asks when it opens the image")
        files = slide_files(beginning.slides)
        return tuple(file.name for file in files), lambda: paquo_backend.create_project(folder, files, {})
    images = new_images(beginning.slides)
    names = tuple(image.name for image in images)
    return names, lambda: create_project(folder, images, {}, image_type=image_type, now=datetime.now(UTC))


def our_classes(colors: Mapping[str, Rgb], options: WriteOptions = WriteOptions()) -> Mapping[str, Rgb]:  # noqa: B008 - frozen
    """Return the classes that QuPath's own list should offer: the scheme's, predicted ones, ROI, Proposed."""
    return {
        **colors,
        **{predicted_class(name): color for name, color in colors.items()},
        "ROI": options.roi_color,
        "Proposed": options.proposed_color,
    }


def _offer_classes(root: Path, path: Path, colors: Mapping[str, Rgb]) -> None:
    before = path.read_bytes() if path.is_file() else b""
    try:
        after = merged_classes(before, our_classes(colors))
    except QuPathFormatError as error:
        raise error.at(path) from error
    if after == before:
        return
    if before:
        Backups(root / ".slidebridge" / "backups").keep(before)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, after)
