"""A folder of slides with ImageScope files of the same name beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from bridge.annotations.objects import AnnotationSet
from bridge.annotations.source import Edits, SlideEntry
from bridge.errors import AnnotationFileError
from bridge.files import open_plain
from bridge.imagescope.read import read_imagescope
from bridge.imagescope.write import apply_edits, create_imagescope
from bridge.slide_files import SLIDE_SUFFIXES, has_text_name, misnamed, one_file_per_slide

_PICTURE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_SIDE_PICTURE = re.compile(r".*[ ._-](label|macro|thumb|thumbnail)", re.IGNORECASE)
_TILE_OF_VMS = re.compile(r"(\(\d+(,\d+)+\)|_map\d*|_macro)?", re.IGNORECASE)
_END_BYTES = 4096
_BEFORE_ROOT = re.compile(rb"<!--.*?-->|<\?.*?\?>", re.DOTALL)
_FIRST_TAG = re.compile(rb"<([A-Za-z_][\w:.-]*)")
_AFTER_ROOT = rb"(?:\s|<!--(?:(?!-->).)*-->|<\?(?:(?!\?>).)*\?>)*\Z"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ImageScopeFolder:
    """Source: the slides that lie directly in a folder, each with ``SLIDE.xml`` beside it once something is drawn.

    Parameters
    ----------
    root
        The folder.
    """

    root: Path

    def slides(self) -> tuple[SlideEntry, ...]:
        """List the slides by name; hidden files, label and macro pictures don't count.

        All files of one DICOM series are one slide.

        Raises
        ------
        AnnotationFileError
            There is no such folder, two slides would share one XML file, or one slide has two.
        """
        files = self._files()
        annotation_files = {path.stem: path for path in files if path.suffix.lower() == ".xml"}
        owners = [path.stem for path in files if path.suffix.lower() == ".vms"]
        candidates = [path for path in files if _is_slide(path) and not _is_part(path, owners)]
        slides = one_file_per_slide(candidates, lambda path: annotation_files.get(path.stem))
        seen: dict[str, Path] = {}
        for path in slides:
            other = seen.setdefault(path.stem.casefold(), path)
            if other is not path:
                message = f"slides {other.name!r} and {path.name!r} would share {path.stem}.xml; rename one of them"
                raise AnnotationFileError(message, path=self.root)
        return tuple(
            SlideEntry(path.name, path.stem, path, annotation_files.get(path.stem, path.with_suffix(".xml")))
            for path in slides
        )

    def left_out(self) -> tuple[str, ...]:
        """Return one line for each slide that is left out for its name."""
        return misnamed(self.root)

    def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
        """Read the bytes of an XML file; see ``read_imagescope``."""
        return _located(entry, lambda: read_imagescope(data))

    def create(self, entry: SlideEntry) -> bytes:
        """Return a first XML file, with the entry's mpp if it has one."""
        return create_imagescope(entry.mpp)

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        """Return the XML file with the edits made; see ``apply_edits``."""
        return _located(entry, lambda: apply_edits(data, edits))

    def blocker(self, entry: SlideEntry) -> str | None:
        """Say that the XML file is not completely written yet, or can't be opened now; None if it may be read."""
        path = entry.annotation_path
        try:
            with open_plain(path) as file:
                start = file.read(_END_BYTES)
                file.seek(max(0, file.seek(0, 2) - _END_BYTES))
                end = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"it can't be opened now ({error.strerror}); is it being saved?"
        return None if _is_complete(start, end) else "it is not completely written yet"

    def spare(self, entry: SlideEntry) -> Path | None:
        """Return None: ImageScope leaves nothing beside a file."""
        return None

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return nothing: ImageScope keeps everything in the one file."""
        return {}

    def _files(self) -> list[Path]:
        if not self.root.is_dir():
            raise AnnotationFileError("there is no such folder", path=self.root)
        visible = (path for path in self.root.iterdir() if not path.name.startswith((".", "~")))
        return sorted(path for path in visible if has_text_name(path) and path.is_file())


def _is_slide(path: Path) -> bool:
    suffix = path.suffix.lower()
    is_side_picture = suffix in _PICTURE_SUFFIXES and _SIDE_PICTURE.fullmatch(path.stem) is not None
    return suffix in SLIDE_SUFFIXES and not is_side_picture


def _is_part(path: Path, owners: Sequence[str]) -> bool:
    """Say whether the picture belongs to one of the Hamamatsu .vms slides of these names: tiles are named after it."""
    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return False
    own = (owner for owner in owners if path.stem.startswith(owner))
    return any(_TILE_OF_VMS.fullmatch(path.stem.removeprefix(owner)) for owner in own)


def _is_complete(start: bytes, end: bytes) -> bool:
    """Say whether a file's end closes its root, whatever that is: other tools' XML is for the reader to name."""
    if b"\0" in start[:4]:  # UTF-16: what we look for is ASCII
        start, end = start.replace(b"\0", b""), end.replace(b"\0", b"")
    root = _FIRST_TAG.search(_BEFORE_ROOT.sub(b"", start))
    if root is None:
        return bool(start.strip(b"\0 \t\r\n"))
    closing = rb"(?:</" + re.escape(root[1]) + rb"\s*>|<" + re.escape(root[1]) + rb"(?:\s[^<>]*)?/>)"
    return re.search(closing + _AFTER_ROOT, end, re.DOTALL) is not None


def _located(entry: SlideEntry, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except AnnotationFileError as error:
        raise error.at(entry.annotation_path) from error
