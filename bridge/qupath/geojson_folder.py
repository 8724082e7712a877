"""A folder of slides with same-named GeoJSON files beside them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.annotations.objects import AnnotationSet
from bridge.annotations.source import Edits, SlideEntry
from bridge.errors import AnnotationFileError, GeoJSONFormatError
from bridge.qupath.geojson import apply_edits, read_geojson, write_geojson
from bridge.qupath.geojson_text import compress, parse, unpack

logger = logging.getLogger(__name__)

# Of two files with one stem the earlier suffix is the slide: a picture beside a slide is its thumbnail or export.
SLIDE_SUFFIXES = (
    *(".svs", ".ndpi", ".mrxs", ".scn", ".dcm", ".bif", ".vms", ".svslide"),
    *(".tif", ".tiff", ".png", ".jpg", ".jpeg"),
)
_PLAIN, _GZIP = ".geojson", ".geojson.gz"


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
        """List the slides by name, with or without annotations.

        Raises
        ------
        AnnotationFileError
            The folder can't be read.
        """
        by_stem: dict[str, Path] = {}
        for path in sorted(self._files(), key=_rank):
            if path.stem in by_stem:
                logger.debug("picture beside a slide left out: path=%s slide=%s", path, by_stem[path.stem])
                continue
            by_stem[path.stem] = path
        return tuple(self._entry(path) for path in sorted(by_stem.values()))

    def _files(self) -> list[Path]:
        try:
            files = [path for path in self.root.iterdir() if path.suffix.lower() in SLIDE_SUFFIXES and path.is_file()]
        except OSError as error:
            raise AnnotationFileError(f"can't list the folder ({error.strerror})", path=self.root) from error
        # "._12.svs" is what macOS leaves on network shares.
        return [path for path in files if not path.name.startswith(".")]

    def _entry(self, slide: Path) -> SlideEntry:
        candidates = [slide.with_name(slide.stem + suffix) for suffix in (_PLAIN, _GZIP)]
        annotation_path = next((path for path in candidates if path.is_file()), candidates[0])
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
            parse(unpack(entry.annotation_path.read_bytes()))
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"can't be read now ({error.strerror})"
        except GeoJSONFormatError as error:
            return f"is not whole: {error.message}"
        return None

    def spare(self, entry: SlideEntry) -> Path | None:
        """Return None: an export leaves nothing beside a file."""
        return None

    def companions(self, data: bytes, entry: SlideEntry) -> Mapping[Path, bytes]:
        """Return nothing: GeoJSON needs no other file."""
        return {}


def _rank(path: Path) -> tuple[int, str]:
    return SLIDE_SUFFIXES.index(path.suffix.lower()), path.name
