"""A folder of slides with same-named GeoJSON files beside them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations.objects import AnnotationSet
from bridge.annotations.source import Edits, SlideEntry
from bridge.errors import AnnotationFileError, GeoJSONFormatError
from bridge.files import open_plain
from bridge.qupath.geojson import apply_edits, read_geojson, write_geojson
from bridge.qupath.geojson_text import BOM, compress, is_packed, unpack
from bridge.slide_files import SLIDE_SUFFIXES, has_text_name, misnamed, one_file_per_slide

logger = logging.getLogger(__name__)

_PLAIN, _GZIP = ".geojson", ".geojson.gz"
_END_BYTES = 4096  # of either end that are looked at for the end of a save


@dataclass(frozen=True, slots=True)
class GeoJSONFolder:
    """Slides in one folder; the annotations of ``12.svs`` lie in ``12.geojson`` or ``12.geojson.gz``.

    A new file is ``.geojson``; where both are there, that one counts. The source for a viewer that exports GeoJSON by
    hand or by script.

    Parameters
    ----------
    root
        The folder; not searched deeper.
    """

    root: Path

    def slides(self) -> tuple[SlideEntry, ...]:
        """List the slides by name, with or without annotations; all files of one DICOM series are one slide.

        Raises
        ------
        AnnotationFileError
            The folder can't be read, or two files of one DICOM series have annotation files.
        """
        by_stem: dict[str, Path] = {}
        for path in sorted(self._files(), key=_rank):
            if path.stem in by_stem:
                logger.debug("picture beside a slide left out: path=%s slide=%s", path, by_stem[path.stem])
                continue
            by_stem[path.stem] = path
        slides = one_file_per_slide(sorted(by_stem.values()), _annotations_beside)
        return tuple(self._entry(path) for path in slides)

    def left_out(self) -> tuple[str, ...]:
        """Return one line for each slide that is left out for its name."""
        return misnamed(self.root)

    def _files(self) -> list[Path]:
        try:
            files = [path for path in self.root.iterdir() if path.suffix.lower() in SLIDE_SUFFIXES and path.is_file()]
        except OSError as error:
            raise AnnotationFileError(f"can't list the folder ({error.strerror})", path=self.root) from error
        # "._12.svs" is what macOS leaves on network shares.
        return [path for path in files if has_text_name(path) and not path.name.startswith(".")]

    def _entry(self, slide: Path) -> SlideEntry:
        annotation_path = _annotations_beside(slide) or slide.with_name(slide.stem + _PLAIN)
        return SlideEntry(key=slide.name, name=slide.stem, slide_path=slide, annotation_path=annotation_path)

    def parse(self, data: bytes, entry: SlideEntry) -> AnnotationSet:
        """Read the bytes of an annotation file.

        Raises
        ------
        GeoJSONFormatError
            Cut, or not GeoJSON; names the file.
        """
        try:
            return read_geojson(data)
        except GeoJSONFormatError as error:
            raise error.at(entry.annotation_path) from error

    def create(self, entry: SlideEntry) -> bytes:
        """Return a file without objects."""
        text = write_geojson(())
        return compress(text) if entry.annotation_path.suffix.lower() == ".gz" else text

    def apply(self, data: bytes, edits: Edits, entry: SlideEntry) -> bytes:
        """Return the file with the edits made and every other feature byte for byte.

        Raises
        ------
        GeoJSONFormatError
            Cut, not GeoJSON, or without the objects that the edits name; names the file.
        """
        try:
            return apply_edits(data, edits)
        except GeoJSONFormatError as error:
            raise error.at(entry.annotation_path) from error

    def blocker(self, entry: SlideEntry) -> str | None:
        """Say that the file is not whole (being written, or cut), or None; None as well where there is no file yet."""
        try:
            start, end = _ends_of(entry.annotation_path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"it can't be read now ({error.strerror})"
        except GeoJSONFormatError as error:
            return f"it is not whole: {error.message}"
        # What begins as something else is for the reader to name.
        closing = {b"{": b"}", b"[": b"]"}.get(start[:1], end[-1:])
        is_open = not start or end[-1:] != closing
        return "it is not whole: its end is missing; is it being written?" if is_open else None

    def spare(self, entry: SlideEntry) -> Path | None:
        """Return None: an export leaves nothing beside a file."""
        return None

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return nothing: GeoJSON needs no other file."""
        return {}


def _ends_of(path: Path) -> tuple[bytes, bytes]:
    """Return first and last bytes of the JSON text, without white space; a packed file has to be unpacked for them."""
    with open_plain(path) as file:
        start = file.read(_END_BYTES)
        if is_packed(start):
            start = end = unpack(start + file.read())
        else:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
            end = file.read()
    return start[:_END_BYTES].removeprefix(BOM).lstrip(), end[-_END_BYTES:].rstrip()


def _annotations_beside(slide: Path) -> Path | None:
    candidates = [slide.with_name(slide.stem + suffix) for suffix in (_PLAIN, _GZIP)]
    return next((path for path in candidates if path.is_file()), None)


def _rank(path: Path) -> tuple[int, str]:
    return SLIDE_SUFFIXES.index(path.suffix.lower()), path.name
