"""An H-AI-L project: iteration folders of slides with XML files beside them, a hold-out, and predictions to correct.

    PROJECT/
      TRAINING_data/0/  a.svs  a.xml      labelled: trains
      TRAINING_data/1/  b.svs             not labelled yet: predicted
      HOLDOUT_data/     c.svs  c.xml      judges, never trains, is never predicted
      Predicted_XMLs/   b.xml             ours; corrected, then moved to TRAINING_data/1 (or 2)

Nothing is written but ``Predicted_XMLs/``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from bridge.annotations.objects import AnnotationSet, Layer
from bridge.annotations.source import Edits, FileUse, SlideEntry
from bridge.annotations.split import HOLD_OUT, TRAIN
from bridge.errors import AnnotationFileError
from bridge.imagescope.folder import ImageScopeFolder
from bridge.imagescope.hail import LayerClass, apply_hail, create_hail, list_layers, read_hail

logger = logging.getLogger(__name__)

TRAINING = "TRAINING_data"
HOLDOUT = "HOLDOUT_data"
PREDICTED = "Predicted_XMLs"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class HailFolder:
    """Source: the slides of an H-AI-L project.

    A slide that lies in several iteration folders is one slide, known by its file name without suffix. The newest XML
    file counts, with the slide beside it; where no slide is beside it, the newest slide. What also lies in
    ``HOLDOUT_data`` judges and doesn't train.

    Parameters
    ----------
    root
        The project's folder.
    classes
        What the layers hold, by their ``Id``.
    """

    root: Path
    classes: tuple[LayerClass, ...] = ()

    def slides(self) -> tuple[SlideEntry, ...]:
        """List the slides by name.

        Each bears its iteration as metadata (``iteration``), and its part as soon as there is a labelled hold-out
        slide; until then only the hold-out slides do.

        Raises
        ------
        AnnotationFileError
            There is no ``TRAINING_data``, or a folder is wrong as ``ImageScopeFolder.slides`` says.
        """
        held = [self._held_out(entry) for entry in _entries_of(self.root / HOLDOUT)]
        part = TRAIN if any(entry.annotation_path.is_file() for entry in held) else None
        judging = {_stem(entry) for entry in held}
        training = (self._training(found, part) for stem, found in self._found().items() if stem not in judging)
        return tuple(sorted((*held, *training), key=lambda entry: entry.key))

    def left_out(self) -> tuple[str, ...]:
        """Return one line for each thing in the project's folders that a person may miss among the slides.

        Raises
        ------
        AnnotationFileError
            As for ``slides``.
        """
        training = self.root / TRAINING
        lines = [
            f"{TRAINING}/{path.name} is not read: iteration folders are called 0, 1, 2, …"
            for path in sorted(training.iterdir())
            if path.is_dir() and not _is_number(path.name) and not path.name.startswith(".")
        ]
        judging = {_stem(entry) for entry in _entries_of(self.root / HOLDOUT)}
        for stem, found in self._found().items():
            lines += _told(found, is_judging=stem in judging)
        return tuple(lines)

    def layers(self, data: bytes, entry: SlideEntry) -> tuple[Layer, ...]:
        """Return the layers of a file; see ``list_layers``."""
        return _located(entry, lambda: list_layers(data))

    def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
        """Read the bytes of an XML file; see ``read_hail``."""
        return _located(entry, lambda: read_hail(data, self.classes, is_offered=entry.use is FileUse.OFFERED))

    def create(self, entry: SlideEntry) -> bytes:
        """Return a first file of predictions: a layer for each class, nothing in them."""
        return create_hail(self.classes, entry.mpp)

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        """Return the XML file with the edits made; see ``apply_hail``."""
        return _located(entry, lambda: apply_hail(data, edits, self.classes))

    def blocker(self, entry: SlideEntry) -> str | None:
        """Say that the XML file is not completely written yet, or can't be opened now; None if it may be read."""
        return ImageScopeFolder(self.root).blocker(entry)

    def spare(self, entry: SlideEntry) -> Path | None:
        """Return None: ImageScope leaves nothing beside a file."""
        return None

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return nothing: everything is in the one file."""
        return {}

    def _held_out(self, entry: SlideEntry) -> SlideEntry:
        return replace(entry, use=FileUse.GIVEN, part=HOLD_OUT, metadata={"iteration": HOLDOUT})

    def _found(self) -> Mapping[str, _Found]:
        """Return every slide of the iteration folders by the name that it goes by, oldest iteration first."""
        training = self.root / TRAINING
        if not training.is_dir():
            raise AnnotationFileError(f"there is no {TRAINING} folder: this is no H-AI-L project", path=self.root)
        numbered = [path for path in training.iterdir() if path.is_dir() and _is_number(path.name)]
        folders = sorted(numbered, key=lambda path: (int(path.name), path.name))
        drawn: dict[str, list[Path]] = {}
        for folder in folders:
            for path in sorted(folder.iterdir()):
                if path.suffix.lower() == ".xml" and not path.name.startswith((".", "~")) and path.is_file():
                    drawn.setdefault(path.stem.casefold(), []).append(path)
        slides: dict[str, list[SlideEntry]] = {}
        for folder in folders:
            for entry in _entries_of(folder):
                slides.setdefault(_stem(entry), []).append(entry)
        return {stem: _Found(tuple(entries), tuple(drawn.get(stem, ()))) for stem, entries in slides.items()}

    def _training(self, found: _Found, part: str | None) -> SlideEntry:
        slide, drawn = found.slide, found.drawn
        if drawn is None:
            path = self.root / PREDICTED / f"{slide.slide_path.stem}.xml"
            metadata = {"iteration": slide.slide_path.parent.name}
            return replace(slide, annotation_path=path, use=FileUse.OFFERED, part=part, metadata=metadata)
        metadata = {"iteration": drawn.parent.name}
        return replace(slide, annotation_path=drawn, use=FileUse.GIVEN, part=part, metadata=metadata)


@dataclass(frozen=True, slots=True)
class _Found:
    """One slide in all the iteration folders that it lies in, and the XML files of its name; oldest first."""

    slides: tuple[SlideEntry, ...]
    files: tuple[Path, ...]

    @property
    def drawn(self) -> Path | None:
        """The XML file that counts; None where nobody has drawn anything."""
        return self.files[-1] if self.files else None

    @property
    def slide(self) -> SlideEntry:
        """The slide that counts."""
        beside = (s for s in self.slides if self.drawn is not None and s.slide_path.parent == self.drawn.parent)
        return next(beside, self.slides[-1])


def _entries_of(folder: Path) -> Sequence[SlideEntry]:
    return ImageScopeFolder(folder).slides() if folder.is_dir() else ()


def _told(found: _Found, *, is_judging: bool) -> Iterator[str]:
    name = found.slide.slide_path.name
    places = " and ".join(_place(entry) for entry in found.slides)
    if is_judging:
        yield f"{name} lies in {HOLDOUT} and in {places}: it judges, and its drawings in {TRAINING} don't train"
    elif len(_sizes(entry.slide_path for entry in found.slides)) > 1:
        counts = _place(found.slide)
        yield f"{name} is not the same file in {places}: {counts} counts; if they are two slides, rename one"


def _place(entry: SlideEntry) -> str:
    return f"{TRAINING}/{entry.slide_path.parent.name}"


def _sizes(paths: Iterable[Path]) -> set[int]:
    sizes = set()
    for path in paths:
        try:
            sizes.add(path.stat().st_size)
        except OSError as error:  # a dangling link: the reader of the slide will say so
            logger.debug("not looked at path=%s error=%s", path, error)
    return sizes


def _stem(entry: SlideEntry) -> str:
    return entry.slide_path.stem.casefold()


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _located(entry: SlideEntry, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except AnnotationFileError as error:
        raise error.at(entry.annotation_path) from error
