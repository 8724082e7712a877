"""``doctor --verify``: QuPath itself reads the project's files, and the two lists of objects are compared."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations import AnnotationSet, Rgb, SlideEntry
from bridge.errors import AnnotationFileError, BridgeError, ConfigError
from bridge.ingest import SlideOptions
from bridge.qupath import QuPathProject
from bridge.qupath.class_list import read_class_list
from bridge.qupath.paquo_backend import PaquoOptions, QuPath
from bridge.qupath.paquo_copy import read_whole
from bridge.qupath.paquo_records import QuPathImage
from bridge.qupath.paquo_verify import Comparison, class_colors, compare_objects
from scripts.plain_words import counted
from scripts.project import open_project

_MOST_LINES = 20  # differences of one image that are printed; --json has all


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """What became of one image.

    Parameters
    ----------
    comparison
        None where only one side reads the file.
    problem
        Why it wasn't compared; None if it was.
    """

    entry: SlideEntry
    comparison: Comparison | None = None
    problem: str | None = None

    @property
    def is_equal(self) -> bool:
        """Whether both sides read the same."""
        return self.comparison is not None and self.comparison.is_equal

    def as_json(self) -> Mapping[str, object]:
        """Return the verdict for machines."""
        found = self.comparison
        differences = () if found is None else found.differences
        return {
            "image": self.entry.key,
            "name": self.entry.name,
            "equal": self.is_equal,
            "problem": self.problem,
            "ours": None if found is None else found.ours,
            "qupath": None if found is None else found.theirs,
            "differences": [
                {"object": d.object_id, "field": d.field, "ours": d.ours, "qupath": d.theirs} for d in differences
            ],
        }

    def lines(self) -> list[str]:
        """Return the verdict for people."""
        name = f"{self.entry.key} {self.entry.name}"
        if self.comparison is None:
            return [f"problem  {name}: {self.problem}"]
        if self.comparison.is_equal:
            return [f"ok       {name}: {counted(self.comparison.ours, 'object')}, read alike"]
        found = self.comparison.differences
        ours = counted(self.comparison.ours, "object")
        head = f"problem  {name}: {counted(len(found), 'difference')}; we read {ours},"
        lines = [f"{head} QuPath {self.comparison.theirs}", *(f"         {d.line()}" for d in found[:_MOST_LINES])]
        more = len(found) - _MOST_LINES
        return [*lines, f"         … and {more} more; --json has all"] if more > 0 else lines


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The verdict on each image that has a ``data.qpdata``."""

    images: tuple[ImageVerdict, ...]

    @property
    def has_problems(self) -> bool:
        """Whether any image isn't read alike."""
        return not all(image.is_equal for image in self.images)

    def as_json(self) -> Mapping[str, object]:
        """Return the verdicts for machines."""
        return {"equal": not self.has_problems, "images": [image.as_json() for image in self.images]}

    def lines(self) -> list[str]:
        """Return the verdicts for people."""
        alike = sum(image.is_equal for image in self.images)
        return [*(line for image in self.images for line in image.lines()), f"{alike} of {len(self.images)} read alike"]

    def said(self) -> Iterable[str]:
        """Return the verdicts as they are printed."""
        return self.lines()


@dataclass(frozen=True, slots=True)
class QuPathAt:
    """A QuPath project that a path named, and how QuPath and slides are found for it."""

    project: QuPathProject
    qupath: PaquoOptions
    slides: SlideOptions


def qupath_project(path: Path, environ: Mapping[str, str] = os.environ) -> QuPathAt:
    """Return the QuPath project that a path names: a ``.qpproj``, or a SlideBridge project on one.

    Raises
    ------
    ConfigError
        It is none.
    """
    if path.suffix == ".qpproj":
        return QuPathAt(QuPathProject(path.resolve()), PaquoOptions(), SlideOptions())
    project = open_project(path, environ)
    if not isinstance(project.source, QuPathProject):
        raise ConfigError(f"{project.root} is no QuPath project; name a project.qpproj with --project")
    return QuPathAt(project.source, project.settings.qupath, project.settings.slides)


def chosen_entries(project: QuPathProject, images: Sequence[str]) -> tuple[SlideEntry, ...]:
    """Return the images with the given ids or names; all that have a ``data.qpdata`` if none is given.

    Raises
    ------
    ConfigError
        The project has no such image, or the image was never saved.
    """
    entries = project.slides()
    if not images:
        return tuple(entry for entry in entries if entry.annotation_path.is_file())
    found = tuple(entry for name in images for entry in entries if name in (entry.key, entry.name))
    known = {name for entry in found for name in (entry.key, entry.name)}
    missing = [name for name in images if name not in known]
    if missing:
        raise ConfigError(f"{project.path} has no image {missing[0]!r}; --image takes an id or a name")
    unsaved = [entry.name for entry in found if not entry.annotation_path.is_file()]
    if unsaved:
        raise ConfigError(f"image {unsaved[0]!r} was never saved in QuPath: there is nothing to compare")
    return tuple({entry.key: entry for entry in found}.values())


def verify(project: QuPathProject, entries: Sequence[SlideEntry], qupath: QuPath) -> VerifyReport:
    """Compare what QuPath reads of images with what we read; QuPath gets copies, and never a file that was cut.

    Raises
    ------
    QuPathBackendError
        QuPath isn't found or gave no answer.
    """
    whole: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    for entry in entries:
        try:
            whole[entry.key] = read_whole(project, entry)
        except AnnotationFileError as error:
            problems[entry.key] = f"not shown to QuPath: {error}"
    theirs = qupath.read_bytes(project, whole) if whole else {}
    ours, refused = _read_all(project, [entry for entry in entries if entry.key in whole], whole)
    for key, refusal in refused.items():
        problems[key] = f"QuPath reads {counted(len(theirs[key].objects), 'object')}; we refuse the file: {refusal}"
    colors = class_colors(ours.values(), read_class_list(project.classes_path))
    return VerifyReport(tuple(_verdict(entry, ours, theirs, colors, problems) for entry in entries))


def _read_all(
    project: QuPathProject, entries: Sequence[SlideEntry], whole: Mapping[str, bytes]
) -> tuple[dict[str, AnnotationSet], dict[str, str]]:
    found: dict[str, AnnotationSet] = {}
    refused: dict[str, str] = {}
    for entry in entries:
        try:
            found[entry.key] = project.parse(whole[entry.key], entry)
        except BridgeError as error:
            refused[entry.key] = str(error)
    return found, refused


def _verdict(
    entry: SlideEntry,
    ours: Mapping[str, AnnotationSet],
    theirs: Mapping[str, QuPathImage],
    colors: Mapping[str, frozenset[Rgb | None]],
    problems: Mapping[str, str],
) -> ImageVerdict:
    if entry.key in problems:
        return ImageVerdict(entry, problem=problems[entry.key])
    return ImageVerdict(entry, compare_objects(ours[entry.key], theirs[entry.key], colors))
