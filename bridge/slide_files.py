"""Which files of a folder are slides: by suffix, and for DICOM by series.

A DICOM slide is many files that lie together, one series; OpenSlide opens it by any of them. Only the first few
elements of a file are looked at, which say what it is. Nothing here opens a slide. May call ``bridge.errors`` only.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from struct import unpack_from

from bridge.errors import AnnotationFileError

logger = logging.getLogger(__name__)

# Of two files with one stem the earlier suffix is the slide: a picture beside a slide is its thumbnail or export.
SLIDE_SUFFIXES = (
    *(".svs", ".ndpi", ".mrxs", ".scn", ".dcm", ".bif", ".vms", ".svslide"),
    *(".tif", ".tiff", ".png", ".jpg", ".jpeg"),
)
DICOM_SUFFIX = ".dcm"

_HEAD_BYTES = 2**16  # both elements that we want stand among the first
_MOST_NESTED = 16
_META, _TRANSFER_SYNTAX = 0x0002, (0x0002, 0x0010)
_SOP_CLASS, _SERIES = (0x0008, 0x0016), (0x0020, 0x000E)
_IMPLICIT = "1.2.840.10008.1.2"
_UNREADABLE = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"})  # deflated, big-endian
_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_LONG_FORMS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

Tag = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DicomHead:
    """What a DICOM file is.

    Parameters
    ----------
    series
        Its SeriesInstanceUID, shared by all files of one slide.
    is_slide
        It holds pixels of a slide, not annotations or something else.
    """

    series: str
    is_slide: bool


def has_text_name(path: Path) -> bool:
    """Say whether a file's name is text: on Linux it may be any bytes, which no record can hold."""
    try:
        path.name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def misnamed(folder: Path) -> tuple[str, ...]:
    """Return one line for each slide of a folder whose name is no text, so that it is left out."""
    slides = (path for path in folder.iterdir() if path.suffix.lower() in SLIDE_SUFFIXES and not has_text_name(path))
    names = sorted(os.fsencode(path.name).decode("utf-8", "backslashreplace") for path in slides)
    return tuple(f"{name} is left out: its name is not written in UTF-8" for name in names)


def one_file_per_slide(files: Sequence[Path], annotation_of: Callable[[Path], Path | None]) -> list[Path]:
    """Return the files without those that another one stands for: one per DICOM series.

    Parameters
    ----------
    files
        Slide files of one folder.
    annotation_of
        The annotation file beside a slide file, None if there is none.

    Returns
    -------
    list of Path
        In the order given. A series is named by the file that has an annotation file beside it, else by the first
        name; DICOM files that hold no slide (annotations, for one) are left out, others that can't be told stay.

    Raises
    ------
    AnnotationFileError
        Two files of one series have annotation files: which one counts is not for us to say.
    """
    series: dict[str, list[Path]] = {}
    dropped: set[Path] = set()
    for path in files:
        head = read_dicom_head(path) if path.suffix.lower() == DICOM_SUFFIX else None
        if head is not None and head.is_slide:
            series.setdefault(head.series, []).append(path)
        elif head is not None:
            logger.debug("DICOM file holds no slide path=%s", path)
            dropped.add(path)
    for members in series.values():
        dropped.update(set(members) - {_name_of_series(members, annotation_of)})
    return [path for path in files if path not in dropped]


def _name_of_series(members: Sequence[Path], annotation_of: Callable[[Path], Path | None]) -> Path:
    annotated = {path: file for path in members if (file := annotation_of(path)) is not None}
    if len(annotated) > 1:
        names = " and ".join(sorted(file.name for file in annotated.values()))
        raise AnnotationFileError(
            f"{names} belong to one DICOM slide; keep the one that counts, move the others elsewhere",
            path=members[0].parent,
        )
    return next(iter(annotated), min(members, key=lambda path: path.name))


def read_dicom_head(path: Path) -> DicomHead | None:
    """Return what a DICOM file is; None where it is none, can't be read, or is written in a way that we don't know."""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD_BYTES)
    except OSError as error:
        logger.debug("not read path=%s error=%s", path, error)
        return None
    if data[128:132] != b"DICM":
        return None
    found: dict[Tag, str] = {}
    try:
        for tag, value in _elements(data):
            if tag in (_SOP_CLASS, _SERIES):
                found[tag] = value.rstrip(b"\0 ").decode("ascii")
            if tag >= _SERIES:
                break
    except (struct.error, ValueError) as error:
        logger.debug("odd DICOM file path=%s error=%s", path, error)
    if not found.get(_SERIES):
        return None
    return DicomHead(found[_SERIES], found.get(_SOP_CLASS) == _WHOLE_SLIDE)


def _elements(data: bytes) -> Iterator[tuple[Tag, bytes]]:
    """Yield tag and value of the elements at the top, sequences empty; the first group is always explicit."""
    at, is_explicit, syntax = 132, True, ""
    while True:
        tag: Tag = unpack_from("<HH", data, at)
        is_meta = tag[0] == _META
        if not is_meta:
            is_explicit = syntax != _IMPLICIT
        if syntax in _UNREADABLE and not is_meta:
            raise ValueError(f"transfer syntax {syntax}")
        start, length = _value(data, at, is_explicit=is_explicit)
        if length == _UNDEFINED:
            at = _sequence_end(data, start, is_explicit=is_explicit, nested=0)
            yield tag, b""
            continue
        at = start + length
        if at > len(data):
            raise ValueError("cut, or the elements wanted lie too far inside")
        if tag == _TRANSFER_SYNTAX:
            syntax = data[start:at].rstrip(b"\0 ").decode("ascii")
        yield tag, data[start:at]


def _value(data: bytes, at: int, *, is_explicit: bool) -> tuple[int, int]:
    """Return where an element's value begins, and its length."""
    form = data[at + 4 : at + 6]
    if not is_explicit:
        (length,) = unpack_from("<I", data, at + 4)
        return at + 8, length
    if form in _LONG_FORMS:
        (length,) = unpack_from("<I", data, at + 8)
        return at + 12, length
    (length,) = unpack_from("<H", data, at + 6)
    return at + 8, length


def _sequence_end(data: bytes, at: int, *, is_explicit: bool, nested: int) -> int:
    """Return where a sequence of undefined length ends."""
    if nested > _MOST_NESTED:
        raise ValueError("nested too deeply")
    while True:
        tag: Tag = unpack_from("<HH", data, at)
        (length,) = unpack_from("<I", data, at + 4)
        at += 8
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise ValueError(f"{tag} where an item should be")
        at = at + length if length != _UNDEFINED else _item_end(data, at, is_explicit=is_explicit, nested=nested)


def _item_end(data: bytes, at: int, *, is_explicit: bool, nested: int) -> int:
    while True:
        tag: Tag = unpack_from("<HH", data, at)
        if tag == _ITEM_END:
            return at + 8
        start, length = _value(data, at, is_explicit=is_explicit)
        is_open = length == _UNDEFINED
        at = _sequence_end(data, start, is_explicit=is_explicit, nested=nested + 1) if is_open else start + length
