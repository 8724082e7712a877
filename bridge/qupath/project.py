"""A QuPath project as a source of annotations, without QuPath."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.annotations import AnnotationSet, Edits, SlideEntry
from bridge.errors import AnnotationFileError, QuPathFormatError
from bridge.files import open_plain
from bridge.qupath.create import IMAGE_TYPES, QUPATH_VERSION, UNSET, create_qpdata
from bridge.qupath.edit import apply_edits
from bridge.qupath.json_file import read_json
from bridge.qupath.project_file import KnownProject, ProjectFile, ProjectImage, read_project_file
from bridge.qupath.qpdata import END_BYTES, open_qpdata
from bridge.qupath.read import read_qpdata
from bridge.qupath.summary import summarize

DATA_FILE = "data.qpdata"
SUMMARY_FILE = "summary.json"


@dataclass(frozen=True, slots=True)
class QuPathProject:
    """The images of one QuPath project and their ``data.qpdata`` files; implements ``Source``.

    Parameters
    ----------
    path
        The ``project.qpproj``.
    """

    path: Path
    _known: KnownProject = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", KnownProject(self.path))

    @property
    def root(self) -> Path:
        """The project's folder."""
        return self.path.parent

    @property
    def classes_path(self) -> Path:
        """The list of classes; QuPath keeps it in memory, so it is only changed while the project is closed."""
        return self.root / "classifiers" / "classes.json"

    def slides(self) -> tuple[SlideEntry, ...]:
        """List the images that show one slide, upright; the key is QuPath's entry id.

        Raises
        ------
        QuPathFormatError
            The project file is not there, cut, or not one.
        """
        project = read_project_file(self.path)
        return tuple(self._entry(project, image) for image in project.images)

    def _entry(self, project: ProjectFile, image: ProjectImage) -> SlideEntry:
        return SlideEntry(
            key=image.entry_id,
            name=image.name,
            slide_path=project.slide_path(image, self.path),
            annotation_path=self.root / "data" / image.entry_id / DATA_FILE,
            mpp=image.mpp,
            origin=image.origin,
            crops_to_bounds=image.crops_to_bounds,
            tool_size=image.size,
            metadata=image.metadata,
        )

    def left_out(self) -> tuple[str, ...]:
        """Return one line for each image that is no slide of ours: turned, or put together from several files.

        Raises
        ------
        QuPathFormatError
            The project file is not there, cut, or not one.
        """
        return read_project_file(self.path).left_out

    def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
        """Read the bytes of a ``data.qpdata``.

        Raises
        ------
        QuPathFormatError
            Cut, of an unknown version, or no such file.
        """
        try:
            return read_qpdata(data)
        except AnnotationFileError as error:
            raise error.at(entry.annotation_path) from error

    def create(self, entry: SlideEntry) -> bytes:
        """Return a first ``data.qpdata`` for an image that has none; the same project gives the same bytes.

        Raises
        ------
        QuPathFormatError
            The project has no such image.
        """
        project, image = self._find(entry)
        image_type = self._earlier_summary(entry).get("imageType")
        return create_qpdata(
            image.builder,
            file_path=str(entry.annotation_path),
            project_path=str(self.path),
            entry_id=entry.key,
            image_type=image_type if image_type in IMAGE_TYPES else UNSET,
            version=project.version or QUPATH_VERSION,
        )

    def _find(self, entry: SlideEntry) -> tuple[ProjectFile, ProjectImage]:
        project, image = self._known.image(entry.key)
        if image is not None:
            return project, image
        raise QuPathFormatError(f"the project has no image {entry.key}; list its slides again", path=self.path)

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        """Return the ``data.qpdata`` with the edits made and nothing else changed.

        Raises
        ------
        QuPathFormatError
            The input is cut, of a version that we don't write, not reproduced byte for byte, or names no such object.
        InvalidGeometryError
            A new object has a geometry that QuPath can't hold.
        """
        try:
            return apply_edits(data, edits)
        except AnnotationFileError as error:
            raise error.at(entry.annotation_path) from error

    def blocker(self, entry: SlideEntry) -> str | None:
        """Say why the file must not be read as truth or written now: a save that isn't finished, or failed."""
        path = entry.annotation_path
        if path.with_name(f"{DATA_FILE}.bkp").exists():
            return f"{DATA_FILE}.bkp is beside it, so a save is going on or has failed; save the image again in QuPath"
        try:
            is_whole = _is_whole(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"it can't be read ({error.strerror}); check that the folder can be reached"
        if is_whole:
            return None
        return "the EOF mark is missing, so a save is going on or has failed; save the image again in QuPath"

    def spare(self, entry: SlideEntry) -> Path | None:
        """Return the ``data.qpdata.bkp`` that a failed save left, if it is whole; None otherwise."""
        path = entry.annotation_path.with_name(f"{DATA_FILE}.bkp")
        return path if path.is_file() and _is_whole(path) else None

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return ``summary.json`` for a ``data.qpdata``.

        Its timestamp is the modification time of the file as it is now, so call this after the file was replaced.

        Raises
        ------
        QuPathFormatError
            The data are not those of a ``data.qpdata``.
        """
        path = entry.annotation_path
        written_ms = path.stat().st_mtime_ns // 10**6 if path.exists() else 0
        metadata = self._find(entry)[1].builder.get("metadata")
        summary = summarize(
            open_qpdata(data),
            len(data),
            timestamp_ms=written_ms,
            earlier=self._earlier_summary(entry),
            server=metadata if isinstance(metadata, dict) else None,
        )
        return {path.with_name(SUMMARY_FILE): summary}

    def _earlier_summary(self, entry: SlideEntry) -> Mapping[str, Any]:
        """Return the summary beside the file; empty where there is none, or a broken one (QuPath never reads it)."""
        path = entry.annotation_path.with_name(SUMMARY_FILE)
        try:
            summary = read_json(path)
        except QuPathFormatError:
            return {}
        return summary if isinstance(summary, dict) else {}


def _is_whole(path: Path) -> bool:
    with open_plain(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - len(END_BYTES)))
        return file.read() == END_BYTES
