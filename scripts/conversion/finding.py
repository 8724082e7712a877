"""What a folder or a project holds that may be converted: its files and images, each with the name that it goes by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from bridge.annotations import SlideEntry
from bridge.errors import AnnotationFileError, BridgeError
from bridge.formats import MASK_SUFFIXES, AnnotationFormat, open_label_mask, way_out
from bridge.qupath import QuPathProject
from bridge.slide_files import SLIDE_SUFFIXES
from scripts.conversion.endpoints import Endpoint, EndpointKind, parse_source, recognize_file, with_article

_FOREIGN_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
_MOST_NAME = 200  # characters
_ANNOTATION_SUFFIXES = (".xml", ".geojson", ".geojson.gz", ".geojson.zip", ".json", ".annotations", ".mld", ".txt")
_PASSED_OVER_FOLDERS = ("data",)  # of a QuPath project


@dataclass(frozen=True, slots=True)
class Job:
    """One file or image, and where it goes.

    Parameters
    ----------
    source
        As a person would write it.
    read_from, write_to
        None where ``error`` or ``passed_over`` says why there is nothing to do.
    slide
        Found by its name beside the file, or in the folder that ``--slide`` names.
    error
        Why it can't be converted.
    passed_over
        Why it isn't: it holds no annotations.
    """

    source: str
    read_from: Endpoint | None = None
    write_to: Endpoint | None = None
    slide: Path | None = None
    error: str | None = None
    passed_over: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A source, and the name (folders below the source's, stem) that its target gets."""

    job: Job
    stem: PurePath


def find_sources(source: str, target: str, only: EndpointKind | None) -> Iterator[Found]:
    """Yield what there is to convert: the files below a folder, the images of a project, or one of them.

    Parameters
    ----------
    target
        A folder of this name inside the source's is not read.
    only
        Take only files of this kind; the others are passed over.

    Raises
    ------
    BridgeError
        There is no such folder or project, or the one file is refused.
    """
    if source.lower().endswith(".qpproj"):
        yield from _images(Path(source), source)
        return
    path = Path(source)
    if not path.is_dir():
        endpoint = parse_source(source)
        stem = image_stem(endpoint.image) if endpoint.image is not None else stem_of(path.name)
        yield Found(Job(source, endpoint), PurePath(stem))
        return
    for file in _files(path, Path(target)):
        relative = file.relative_to(path)
        yield Found(_look(file, only), relative.with_name(stem_of(file.name)))


def _files(folder: Path, target: Path) -> Iterator[Path]:
    """Yield the files below a folder, sorted, but for hidden ones, the target's, and a QuPath project's own."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise AnnotationFileError(f"can't be listed ({error.strerror}); check its permissions", path=folder) from error
    is_project = any(entry.name.lower().endswith(".qpproj") for entry in entries)
    for entry in entries:
        if entry.name.startswith(".") or (is_project and entry.name in _PASSED_OVER_FOLDERS):
            continue
        if entry.is_dir():
            is_target = target.is_dir() and entry.samefile(target)
            if not is_target and not entry.is_symlink():
                yield from _files(entry, target)
        elif entry.is_file():
            yield entry


def _look(path: Path, only: EndpointKind | None) -> Job:
    """Say what a file in a folder is: annotations, another tool's, or none."""
    name = str(path)
    found = recognize_file(path)
    if found is None:
        return Job(name, error="can't be read; check its permissions")
    if path.suffix.lower() in MASK_SUFFIXES:
        return _look_at_picture(path, only)
    is_annotations = path.name.lower().endswith(_ANNOTATION_SUFFIXES)
    if way_out(found) is not None or (found is AnnotationFormat.EMPTY and is_annotations):
        is_wanted = only is None
        said = f"is {with_article(found)}, which is not converted: {way_out(found)}"
        return Job(name, error=said if way_out(found) else "is an empty file") if is_wanted else _other(name, found)
    if not is_annotations:
        return _other(name, found)
    try:
        endpoint = parse_source(name)
    except BridgeError:
        return _other(name, found)
    if found in (AnnotationFormat.XML, AnnotationFormat.QUPATH_CLASSES, AnnotationFormat.UNKNOWN):
        is_broken = found is AnnotationFormat.UNKNOWN and endpoint.kind is not EndpointKind.MASK
        return Job(name, error="is no annotation file that we know") if is_broken else _other(name, found)
    return Job(name, endpoint) if only in (None, endpoint.kind) else _other(name, found)


def _look_at_picture(path: Path, only: EndpointKind | None) -> Job:
    name = str(path)
    if only not in (None, EndpointKind.MASK):
        return Job(name, passed_over="pictures and slides")
    try:
        with open_label_mask(path) as mask:
            is_mask = only is EndpointKind.MASK or mask.has_palette or bool(mask.info.names)
    except AnnotationFileError as error:
        return Job(name, error=error.message) if only is not None else Job(name, passed_over="pictures and slides")
    if is_mask:
        return Job(name, Endpoint(path, EndpointKind.MASK))
    return Job(name, passed_over="grey pictures (--from mask takes them as label masks)")


def _other(name: str, found: AnnotationFormat) -> Job:
    if name.lower().endswith(".qpproj"):
        return Job(name, passed_over="QuPath projects, which hold images of their own: name the .qpproj as SRC")
    is_named = found is not AnnotationFormat.UNKNOWN
    return Job(name, passed_over=str(found.value) if is_named else "slides and other files")


def _images(path: Path, source: str) -> Iterator[Found]:
    entries = entries_of(path)
    stems = [image_stem(entry.name) for entry in entries]
    for entry, stem in zip(entries, stems, strict=True):
        endpoint = Endpoint(path, EndpointKind.QUPATH, entry.key)
        is_drawn = entry.annotation_path.exists() or entry.annotation_path.with_suffix(".qpdata.bkp").exists()
        name = f"{source}#{entry.key} ({entry.name})"
        job = Job(name, endpoint) if is_drawn else Job(name, passed_over="images without annotations")
        is_twin = [other.casefold() for other in stems].count(stem.casefold()) > 1
        yield Found(job, PurePath(f"{stem} ({_safe(entry.key)})" if is_twin else stem))
    yield from (Found(Job(source, error=line), PurePath()) for line in QuPathProject(path).left_out())


def entries_of(path: Path) -> tuple[SlideEntry, ...]:
    """List the images of a project.

    Raises
    ------
    AnnotationFileError
        There is no such project, or it is none.
    """
    if not path.is_file():
        raise AnnotationFileError("there is no such project; check the path", path=path)
    return QuPathProject(path).slides()


def stem_of(name: str) -> str:
    """Return a file's name without what says its format.

    Examples
    --------
    >>> stem_of("a.b.geojson.gz"), stem_of("slide 1.xml")
    ('a.b', 'slide 1')
    """
    lower = name.lower()
    suffix = next((s for s in (".geojson.gz", ".geojson.zip") if lower.endswith(s)), PurePath(name).suffix)
    return name[: len(name) - len(suffix)] if suffix else name


def image_stem(name: str) -> str:
    """Return the file name of an image of a project, whatever a stranger called it."""
    return _safe(stem_of(name) if PurePath(name).suffix.lower() in SLIDE_SUFFIXES else name)


def _safe(name: str) -> str:
    """Return a name that is one file name on every system, and no way out of the folder.

    Examples
    --------
    >>> _safe("../../etc/passwd"), _safe("a:b "), _safe("..")
    ('_.._etc_passwd', 'a_b', 'image')
    """
    return _FOREIGN_NAME.sub("_", name).strip(" .")[:_MOST_NAME] or "image"
