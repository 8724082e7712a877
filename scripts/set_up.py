"""What ``slidebridge new`` does: survey the files, write ``slidebridge.toml``, offer our classes to QuPath."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from subprocess import list2cmdline
from typing import TYPE_CHECKING

from bridge.annotations import Rgb, predicted_class
from bridge.annotations.unread import NO_AREA
from bridge.annotations.writing import WriteOptions
from bridge.errors import ConfigError, QuPathFormatError
from bridge.files import replace_whole
from bridge.qupath import QuPathProject, create_project, merged_classes, paquo_backend
from bridge.qupath.create import UNSET
from bridge.qupath.new_project import new_project_path
from bridge.store import Backups
from scripts.config import FILE_NAME
from scripts.new_images import new_image, new_images, slide_files
from scripts.options import SourceKind, SourceOptions
from scripts.plain_words import counted
from scripts.project import left_out, open_project, open_source
from scripts.survey import Survey, colors_for, settings_path, settings_text, survey, write_settings

if TYPE_CHECKING:
    from scripts.transfer import Transferred

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
    transfer
        A checkpoint's folder, or a project whose champion it is: what the project begins from. With it, a project that
        is there already is left as it is otherwise.
    """

    kind: str
    path: Path
    slides: tuple[Path, ...] = ()
    mpp: float | None = None
    keep_classes: bool = False
    may_replace: bool = False
    image_type: str = UNSET
    backend: Backend = Backend.NATIVE
    transfer: Path | None = None


@dataclass(frozen=True, slots=True)
class SetUp:
    """What was found and done.

    Parameters
    ----------
    created
        Lines on a project that was made.
    kept
        Where the settings lie that were there before.
    transferred
        What was taken over, in lines for people and as facts for machines.
    is_old
        The project was there already, and its settings are as they were.
    """

    settings_path: Path
    found: Survey
    classes_path: Path | None
    is_dry_run: bool
    created: tuple[str, ...] = ()
    kept: Path | None = None
    transferred: Transferred | None = None
    is_old: bool = False

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
            "transfer": self.transferred.as_json() if self.transferred is not None else None,
            "dry_run": self.is_dry_run,
        }

    def lines(self) -> list[str]:
        """Return the facts for people."""
        found = self.found
        lines = [
            *self.created,
            f"{counted(found.slides, 'slide')}, {found.files - found.empty} with annotations,"
            f" {counted(found.objects, 'object')}",
            f"classes: {', '.join(found.colors) or 'none yet'}",
        ]
        lines += [
            f"layer {key} is called {name!r}; rename it in [classes.map] and [classes.colors]"
            for key, name in found.mapping.items()
        ]
        if found.empty:
            lines.append(f"empty: {counted(found.empty, 'annotation file')} without an object")
        if found.without_area:
            lines.append(f"only points or lines are of class {', '.join(found.without_area)}; {NO_AREA}")
        alike = [name for name, color in found.colors.items() if list(found.colors.values()).count(color) > 1]
        if alike:
            lines.append(f"of one colour: {', '.join(alike)}; change [classes.colors], or predictions look alike")
        lines += [f"not read: {problem}" for problem in found.problems]
        if found.unmeasured:
            named = f"{found.unmeasured[0]}{' and others' if len(found.unmeasured) > 1 else ''}"
            lines.append(f"no resolution: {named}; set [slides] mpp, µm per pixel, in the settings")
        if self.classes_path is not None:
            verb = "would be added to" if self.is_dry_run else "are in"
            lines.append(f"our classes {verb} {self.classes_path}; open the project in QuPath only afterwards")
        if self.kept is not None:
            lines.append(f"the settings that were there are kept as {self.kept.name}")
        lines += self.transferred.lines() if self.transferred is not None else ()
        verb = "kept" if self.is_old else "would write" if self.is_dry_run else "wrote"
        return [*lines, f"{verb} {self.settings_path}; next: {self._next_step()}"]

    def _next_step(self) -> str:
        root = str(self.settings_path.parent)
        sync = f"slidebridge sync -p {list2cmdline([root]) if os.name == 'nt' else shlex.quote(root)}"
        return sync if self.found.colors else f"write your classes there, below [classes.colors], then {sync}"


def set_up(beginning: Beginning, *, is_dry_run: bool = False) -> SetUp:
    """Set a project up beside what exists.

    Raises
    ------
    BridgeError
        The path isn't what it should be, or there is a project already.
    """
    if beginning.kind == "qupath_create":
        return _create(beginning, is_dry_run=is_dry_run)
    root = beginning.path if beginning.path.is_dir() else beginning.path.parent
    if beginning.transfer is not None:
        return _set_up_from(beginning, beginning.transfer, root, is_dry_run=is_dry_run)
    return _set_up(beginning, root, {}, (), is_dry_run=is_dry_run)


def _set_up_from(beginning: Beginning, path: Path, root: Path, *, is_dry_run: bool) -> SetUp:
    """Set a project up that begins from a checkpoint; of one that is there, leave the settings as they are."""
    from scripts import transfer  # here, for it brings torch

    source = transfer.find_checkpoint(path)
    if (root / FILE_NAME).is_file() and not beginning.may_replace:
        project = open_project(root)
        done = transfer.transfer_into(project, source, path, is_dry_run=is_dry_run)
        return SetUp(root / FILE_NAME, survey(project.source), None, is_dry_run, transferred=done, is_old=True)
    extra = transfer.settings_of(source)
    if beginning.mpp is not None and beginning.mpp != source.card.mpp:
        raise ConfigError(
            f"the checkpoint works at {source.card.mpp:g} µm per pixel: leave --mpp {beginning.mpp:g} out"
        )
    made = _set_up(beginning, root, extra, transfer.classes_of(source.card), is_dry_run=is_dry_run)
    if is_dry_run:
        return replace(made, transferred=transfer.would_transfer(source, path, made.found.colors))
    return replace(made, transferred=transfer.transfer_into(open_project(root), source, path, is_dry_run=False))


def _set_up(
    beginning: Beginning, root: Path, extra_settings: Mapping[str, object], classes: Sequence[str], *, is_dry_run: bool
) -> SetUp:
    """Survey and write; ``classes`` are the scheme where the files show none."""
    kind = SourceKind(beginning.kind)
    settings = settings_path(root, may_replace=beginning.may_replace)
    source = open_source(Path(), SourceOptions(kind, beginning.path))
    found = survey(source)
    colors = found.colors or colors_for(classes)
    found = replace(found, colors=colors, problems=(*found.problems, *left_out(source)))
    extra: dict[str, object] = {"model.mpp": beginning.mpp} if beginning.mpp is not None else {}
    extra |= extra_settings
    if kind is SourceKind.HAIL:
        extra["labels.complete"] = "slide"  # H-AI-L's way: who annotates a slide annotates the whole of it
    relative = beginning.path.name if kind is SourceKind.QUPATH else "."
    text = settings_text(kind, relative, found.colors, found.mapping, extra)
    kept = None if is_dry_run else write_settings(root, text, may_replace=beginning.may_replace)
    offered = source.classes_path if isinstance(source, QuPathProject) and not beginning.keep_classes else None
    if offered is not None and not is_dry_run:
        _offer_classes(root, offered, found.colors)
    return SetUp(settings, found, offered, is_dry_run, kept=kept)


def _create(beginning: Beginning, *, is_dry_run: bool) -> SetUp:
    """Make a QuPath project, then set up beside it; of a dry run, say what that would be."""
    path = new_project_path(beginning.path)
    settings = settings_path(path.parent, may_replace=beginning.may_replace)
    names, make = _maker(beginning)
    listed = ", ".join(names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
    line = f"{'would make' if is_dry_run else 'made'} {path} with {counted(len(names), 'image')}: {listed}"
    planned = _planned_transfer(beginning)
    if is_dry_run:
        classes = None if beginning.keep_classes else path.parent / "classifiers" / "classes.json"
        return SetUp(settings, Survey({}, {}, len(names), 0, 0, ()), classes, True, (line,), transferred=planned)
    make()
    done = set_up(replace(beginning, kind="qupath", path=path, slides=()))
    return replace(done, created=(line,))


def _planned_transfer(beginning: Beginning) -> Transferred | None:
    """Return what would be taken over into a project without annotations; its classes are the checkpoint's."""
    if beginning.transfer is None:
        return None
    from scripts import transfer  # here, for it brings torch

    source = transfer.find_checkpoint(beginning.transfer)
    return transfer.would_transfer(source, beginning.transfer, transfer.classes_of(source.card))


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
