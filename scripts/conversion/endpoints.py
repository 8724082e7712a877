"""What SRC and DST name: a file, whose suffix says its format, or one image of a QuPath project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from bridge.annotations import SlideEntry, Source
from bridge.errors import AnnotationFileError
from bridge.files import open_plain
from bridge.formats import HEAD_BYTES, MASK_SUFFIXES, AnnotationFormat, recognize, way_out
from bridge.imagescope import ImageScopeFolder
from bridge.qupath import GeoJSONFolder, QuPathProject

FORMATS = ".xml (ImageScope), .geojson, .geojson.gz, .png or .tif (label mask), or project.qpproj#IMAGE (QuPath)"
_IN_PROJECT = re.compile(r"(.*\.qpproj)(?:#(.*))?", re.IGNORECASE | re.DOTALL)
_MOST_LISTED = 12
_FILE_WORDS = ("XML", "JSON", "MLD")


class EndpointKind(Enum):
    """A format that we convert from and to; the value is what a person calls it."""

    IMAGESCOPE = "ImageScope XML"
    GEOJSON = "GeoJSON"
    ASAP = "ASAP XML"  # read only
    MASK = "label mask"
    QUPATH = "QuPath project"


_BY_CONTENT = {
    AnnotationFormat.IMAGESCOPE: EndpointKind.IMAGESCOPE,
    AnnotationFormat.ASAP: EndpointKind.ASAP,
    AnnotationFormat.GEOJSON: EndpointKind.GEOJSON,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where annotations come from or go to.

    Parameters
    ----------
    path
        The file; for QuPath the ``project.qpproj``.
    image
        QuPath's entry id, or the image's name; None for other kinds.
    """

    path: Path
    kind: EndpointKind
    image: str | None = None

    def __str__(self) -> str:
        """Return it as a person would write it."""
        return str(self.path) if self.image is None else f"{self.path}#{self.image}"

    @property
    def is_gzip(self) -> bool:
        """Whether the file is compressed."""
        return self.path.suffix.lower() == ".gz"


def parse_source(text: str) -> Endpoint:
    """Read what was given as SRC: the content of a file counts before its name.

    GeoJSON may be called ``.json``, and ``.xml`` may be ASAP's.

    Raises
    ------
    AnnotationFileError
        Another tool's annotations, named with the way out; no format of ours; a project without an image.
    """
    path = Path(text)
    if _IN_PROJECT.fullmatch(text) is not None or not path.is_file():
        return parse_endpoint(text)
    found = recognize_file(path)
    advice = None if found is None else way_out(found)
    if found is not None and advice is not None:
        raise AnnotationFileError(f"is {with_article(found)}, which is not converted: {advice}", path=path)
    if found is AnnotationFormat.ZIP and path.name.lower().endswith(".geojson.zip"):
        found = AnnotationFormat.GEOJSON
    kind = None if found is None else _BY_CONTENT.get(found)
    return parse_endpoint(text) if kind is None else Endpoint(path, kind)


def recognize_file(path: Path) -> AnnotationFormat | None:
    """Return the format of a file by its content; None where it can't be read."""
    try:
        with open_plain(path) as file:
            return recognize(path, file.read(HEAD_BYTES))
    except OSError:
        return None


def with_article(found: AnnotationFormat) -> str:
    """Return what a file of a format is called in a sentence.

    Examples
    --------
    >>> with_article(AnnotationFormat.ASAP), with_article(AnnotationFormat.HALO)
    ('an ASAP XML file', 'a HALO XML file')
    >>> with_article(AnnotationFormat.EMPTY), with_article(AnnotationFormat.JSON)
    ('an empty file', 'JSON of an unknown program')
    """
    if found in (AnnotationFormat.XML, AnnotationFormat.JSON):
        return str(found.value)
    called = f"{found.value} file" if found.value.endswith(_FILE_WORDS) else found.value
    return f"{'an' if called[0].lower() in 'aeiou' else 'a'} {called}"


def parse_endpoint(text: str) -> Endpoint:
    """Read what was given as DST; a file that is there is looked into only to say what it is instead.

    Raises
    ------
    AnnotationFileError
        A suffix that says no format of ours, or a project without an image.

    Examples
    --------
    >>> parse_endpoint("a/project.qpproj#slide 1.svs").image
    'slide 1.svs'
    >>> parse_endpoint("slide #3.geojson.gz").kind
    <EndpointKind.GEOJSON: 'GeoJSON'>
    """
    in_project = _IN_PROJECT.fullmatch(text)
    if in_project is not None:
        return _image_of_project(Path(in_project[1]), in_project[2])
    path = Path(text)
    name = path.name.lower()
    if name.endswith(".xml"):
        return Endpoint(path, EndpointKind.IMAGESCOPE)
    if name.endswith((".geojson", ".geojson.gz")):
        return Endpoint(path, EndpointKind.GEOJSON)
    if name.endswith(MASK_SUFFIXES):
        return Endpoint(path, EndpointKind.MASK)
    raise AnnotationFileError(f"{_what_it_is(path)}; convert takes {FORMATS}", path=path)


def _image_of_project(path: Path, image: str | None) -> Endpoint:
    if image:
        return Endpoint(path, EndpointKind.QUPATH, image)
    listed = f"; it has {_list_images(QuPathProject(path).slides())}" if path.is_file() else ""
    raise AnnotationFileError(f"which image? Write {path.name}#ID or {path.name}#NAME{listed}", path=path)


def _what_it_is(path: Path) -> str:
    if path.is_dir():
        return "is a folder, not a file"
    found = recognize_file(path)
    if found is None:
        return f"{path.suffix or 'a name without a suffix'} is no format that we convert"
    if found is AnnotationFormat.GEOJSON:
        return "is GeoJSON by its content, not by its name: rename it to .geojson"
    if found is AnnotationFormat.QUPATH_DATA:
        return "is a QuPath data file: name its project and image, project.qpproj#ID"
    if found is AnnotationFormat.UNKNOWN:
        return "is no annotation file that we know"
    return f"is {with_article(found)}, which is not converted"


def find_image(endpoint: Endpoint) -> tuple[QuPathProject, SlideEntry]:
    """Find the image of a QuPath endpoint, by entry id or else by name.

    Raises
    ------
    AnnotationFileError
        There is no such project or image, or several images have the name.
    """
    if not endpoint.path.is_file():
        raise AnnotationFileError("there is no such project; check the path", path=endpoint.path)
    project = QuPathProject(endpoint.path)
    entries = project.slides()
    by_id = [entry for entry in entries if entry.key == endpoint.image]
    found = by_id or [entry for entry in entries if entry.name == endpoint.image]
    if len(found) == 1:
        return project, found[0]
    if found:
        raise AnnotationFileError(f"{_list_images(found)} have this name; write one's id after #", path=endpoint.path)
    message = f"there is no image {endpoint.image!r}; the project has {_list_images(entries)}"
    raise AnnotationFileError(message, path=endpoint.path)


def _list_images(entries: tuple[SlideEntry, ...] | list[SlideEntry]) -> str:
    named = [f"#{entry.key} ({entry.name})" for entry in entries[:_MOST_LISTED]]
    more = [f"{len(entries) - _MOST_LISTED} more"] if len(entries) > _MOST_LISTED else []
    return ", ".join([*named, *more]) or "none"


def as_source(endpoint: Endpoint) -> tuple[Source, SlideEntry]:
    """Return an annotation file as a source with one slide: what knows whether it is being saved just now.

    Raises
    ------
    AnnotationFileError
        A QuPath image that isn't there.
    """
    if endpoint.kind is EndpointKind.QUPATH:
        return find_image(endpoint)
    path = endpoint.path
    entry = SlideEntry(path.name, path.stem, path, path)
    folder = path.parent
    return (ImageScopeFolder(folder) if endpoint.kind is EndpointKind.IMAGESCOPE else GeoJSONFolder(folder)), entry
