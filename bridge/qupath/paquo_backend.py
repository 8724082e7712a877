"""The user's own QuPath, driven by paquo in a child process: what needs Bio-Formats, and the judge of our codec.

Slow (a Java machine starts each time) and needed seldom: to create projects with slides that OpenSlide can't open, to
read what the native codec refuses, to save an old version anew, and to compare what QuPath reads with what we read.
QuPath reads copies only. Its folder is taken from ``PAQUO_QUPATH_DIR``, or found where it is usually installed.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bridge.annotations import Rgb, SlideEntry
from bridge.errors import QuPathBackendError, SlideNotFoundError, WriteFailedError
from bridge.qupath.paquo_copy import copy_aside, read_whole
from bridge.qupath.paquo_process import run_child
from bridge.qupath.paquo_protocol import Message, Say, Task
from bridge.qupath.paquo_records import QuPathImage, Record, read_image
from bridge.qupath.paquo_verify import compare_objects
from bridge.qupath.project import DATA_FILE, QuPathProject
from bridge.qupath.read import read_qpdata

_JAVA_OPTIONS = "PAQUO_JAVA_OPTS"
_MOST_OBJECTS = 20_000_000


def _child_command() -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", "bridge.qupath.paquo_child")


@dataclass(frozen=True, slots=True)
class PaquoOptions:
    """How QuPath is run where it is needed (``[qupath]``)."""

    timeout_seconds: float = 120.0  # for starting QuPath and for everything that isn't an image
    per_image_seconds: float = 60.0  # on top, for each image that is read, added or saved
    java_options: str = "-Xmx2g"  # unless PAQUO_JAVA_OPTS is set; Java would take half of the memory

    def environ(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return the child's environment."""
        here = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join([here, *filter(None, [given.get("PYTHONPATH")])])
        return {_JAVA_OPTIONS: self.java_options, **given, "PYTHONPATH": path}


@dataclass(frozen=True, slots=True)
class QuPath:
    """QuPath, to be asked; every call is a process of its own, killed when it is late.

    Parameters
    ----------
    environ
        What the child sees; ``PAQUO_QUPATH_DIR`` in it says where QuPath is.
    command
        What is started.

    Raises
    ------
    QuPathBackendError
        By every method: QuPath isn't found, gave no answer in time, died, or refused.
    """

    options: PaquoOptions = PaquoOptions()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    command: tuple[str, ...] = field(default_factory=_child_command)

    def find(self) -> Path:
        """Return the folder of QuPath's program files; starts no Java machine."""
        answer = self._ask({"task": Task.FIND.value}, 0)
        return Path(str(answer.get("folder", "")))

    def read(self, project: QuPathProject, entries: Sequence[SlideEntry]) -> Mapping[str, QuPathImage]:
        """Return what QuPath reads of images, by entry id; it is given copies, and needs no slides.

        Raises
        ------
        QuPathFormatError
            A file is cut, or being saved: QuPath would hang on it.
        """
        return self.read_bytes(project, {entry.key: read_whole(project, entry) for entry in entries})

    def read_bytes(self, project: QuPathProject, files: Mapping[str, bytes]) -> Mapping[str, QuPathImage]:
        """Return what QuPath reads of ``data.qpdata`` bytes that ``paquo_copy.read_whole`` gave, by entry id."""
        received = _Received()
        with TemporaryDirectory(prefix="slidebridge-", ignore_cleanup_errors=True) as folder:
            copy = copy_aside(project, files, Path(folder))
            self._run({"task": Task.READ.value, "project": str(copy), "images": list(files)}, len(files), received)
        return {key: received.image(key) for key in files}

    def create_project(
        self,
        folder: Path,
        slides: Sequence[Path],
        classes: Mapping[str, Rgb],
        on_slide: Callable[[str], None] = lambda name: None,
    ) -> QuPathProject:
        """Make a new project of slides that QuPath opens, with Bio-Formats where that is needed.

        Parameters
        ----------
        folder
            Must not exist or be empty; it is as before when anything fails.
        classes
            Full class name → colour.
        on_slide
            Called with the path of each slide before it is added.

        Raises
        ------
        SlideNotFoundError
            A slide isn't there.
        WriteFailedError
            The folder holds something.
        """
        missing = [str(slide) for slide in slides if not slide.is_file()]
        if missing:
            raise SlideNotFoundError(f"slides that are not there: {', '.join(missing)}; mend the paths")
        was_there = _check_empty(folder)
        project = Path(os.path.abspath(folder)) / "project.qpproj"  # noqa: PTH100 - Path.absolute keeps ".."
        request = {
            "task": Task.CREATE.value,
            "project": str(project),
            "slides": [os.path.abspath(slide) for slide in slides],  # noqa: PTH100
            "classes": {name: list(color) for name, color in classes.items()},
        }
        try:
            self._run(request, len(slides), _Received(on_slide))
            if not project.is_file():
                raise QuPathBackendError(f"QuPath made no project in {folder}; look at it with slidebridge doctor")
        except BaseException:
            _empty_again(folder, was_there=was_there)
            raise
        return QuPathProject(project)

    def resave(self, project: QuPathProject, entry: SlideEntry) -> bytes:
        """Return the ``data.qpdata`` as this QuPath saves it: an old version becomes one that we write.

        QuPath works on a copy; to put the bytes in place, with a backup, is the caller's part. In them the path of the
        copy stands where QuPath notes where the file was; it believes it nowhere.

        Parameters
        ----------
        entry
            ``slide_path`` must be where the slide is: without it QuPath would save nothing, and not say so.

        Raises
        ------
        QuPathFormatError
            The file is cut, or being saved.
        SlideNotFoundError
            The slide can't be reached.
        """
        if not entry.slide_path.is_file():
            raise SlideNotFoundError(
                f"slide {entry.name} is not at {entry.slide_path}, and QuPath saves nothing without it; add its folder"
                " to [slides] search, or a prefix to [slides.relocate]"
            )
        received = _Received()
        with TemporaryDirectory(prefix="slidebridge-", ignore_cleanup_errors=True) as folder:
            copy = copy_aside(project, {entry.key: read_whole(project, entry)}, Path(folder))
            uri = Path(os.path.abspath(entry.slide_path)).as_uri()  # noqa: PTH100 - Path.absolute keeps ".."
            request = {"task": Task.RESAVE.value, "project": str(copy), "image": entry.key, "slide_uri": uri}
            self._run(request, 1, received)
            data = (copy.parent / "data" / entry.key / DATA_FILE).read_bytes()
        found = compare_objects(read_qpdata(data), received.image(entry.key))
        if not found.is_equal:
            raise QuPathBackendError(
                f"{entry.name}: what QuPath saved is not what it read ({found.differences[0].line()}); nothing was"
                " changed; open the image in QuPath and save it there"
            )
        return data

    def _ask(self, request: Message, images: int) -> Message:
        received = _Received()
        self._run(request, images, received)
        if received.answer is None:
            raise QuPathBackendError("the QuPath process ended without an answer; run again with --verbose")
        return received.answer

    def _run(self, request: Message, images: int, received: _Received) -> None:
        seconds = self.options.timeout_seconds + images * self.options.per_image_seconds
        run_child(self.command, request, received, timeout_seconds=seconds, environ=self.options.environ(self.environ))


def create_project(
    folder: Path,
    slides: Sequence[Path],
    classes: Mapping[str, Rgb],
    *,
    options: PaquoOptions = PaquoOptions(),
) -> QuPathProject:
    """Make a new project with the user's QuPath: ``QuPath.create_project`` in this process's environment."""
    return QuPath(options).create_project(folder, slides, classes)


class _Received:
    """What a child has sent so far."""

    def __init__(self, on_slide: Callable[[str], None] = lambda name: None) -> None:
        self.answer: Message | None = None
        self._on_slide = on_slide
        self._announced: dict[str, Message] = {}
        self._records: dict[str, list[Record]] = {}
        self._current: list[Record] | None = None

    def __call__(self, message: Message) -> None:
        match message["say"]:
            case Say.PROGRESS.value:
                self._on_slide(str(message.get("text")))
            case Say.IMAGE.value:
                key = str(message.get("id"))
                self._announced[key] = message
                self._current = self._records[key] = []
            case Say.OBJECT.value:
                self._add(message.get("object"))
            case Say.ANSWER.value:
                self.answer = message

    def _add(self, record: object) -> None:
        if self._current is None or not isinstance(record, dict) or len(self._current) >= _MOST_OBJECTS:
            raise QuPathBackendError("the QuPath process sent an object out of turn; run again with --verbose")
        self._current.append(record)

    def image(self, key: str) -> QuPathImage:
        """Return an image, having counted its objects."""
        if key not in self._records:
            raise QuPathBackendError(f"the QuPath process left out image {key}; run again with --verbose")
        announced, records = self._announced[key], self._records[key]
        if announced.get("n_objects") != len(records):
            raise QuPathBackendError(
                f"the QuPath process announced {announced.get('n_objects')} objects of image {key} and sent"
                f" {len(records)}; run again with --verbose"
            )
        return read_image(records, announced.get("tma_grid"))


def _check_empty(folder: Path) -> bool:
    """Return whether the folder is there.

    Raises
    ------
    WriteFailedError
        It holds something.
    """
    if not folder.exists():
        return False
    if not folder.is_dir() or any(folder.iterdir()):
        raise WriteFailedError(f"{folder} is not an empty folder; name one that is, or one that isn't there yet")
    return True


def _empty_again(folder: Path, *, was_there: bool) -> None:
    """Take away what a project that failed left in a folder that was empty."""
    if not was_there:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
