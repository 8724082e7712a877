"""SRC → annotations, with what is known of their slide."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import shapely

from bridge.annotations import Annotation, AnnotationSet, Rgb, SlideEntry
from bridge.coords import Region
from bridge.errors import AnnotationFileError, ConfigError, MissingResolutionError, SlideError
from bridge.files import read_plain
from bridge.formats import AsapFile, read_asap
from bridge.imagescope import read_imagescope
from bridge.ingest import locate_slide, place_if_found
from bridge.qupath import QuPathProject, read_geojson
from bridge.qupath.project_file import read_project_file
from bridge.slides import choose_mpp, open_slide
from scripts.conversion.endpoints import Endpoint, EndpointKind, find_image
from scripts.conversion.placing import settings_above

logger = logging.getLogger(__name__)
Size = tuple[int, int]
Mpp = tuple[float, float]


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """What a slide says: (width, height) of level 0, and (x, y) µm per level-0 pixel."""

    name: str
    size: Size
    mpp: Mpp | None


@dataclass(frozen=True, slots=True)
class Material:
    """Annotations as read.

    Parameters
    ----------
    found
        In the frame of the source: level-0 pixels as its tool shows the slide.
    origin
        (x, y) of that frame on the slide; not (0, 0) where QuPath crops.
    size
        (width, height) of the slide's level 0; None if nobody knows.
    mpp
        (x, y) µm per level-0 pixel; None if nobody knows.
    is_calibrated
        The mpp is QuPath's calibration, which counts before the slide's own.
    downsample
        Level-0 pixels per pixel of a mask; None for other sources.
    colors
        Classes that the source lists beside its objects, in label order.
    seed
        Hash of the bytes: objects without a UUID get theirs from it.
    notes
        One line each, for people.
    misplaced
        Why nobody can tell where the frame lies on the slide; None where it is known.
    """

    found: AnnotationSet
    seed: str
    origin: tuple[int, int] = (0, 0)
    size: Size | None = None
    mpp: Mpp | None = None
    is_calibrated: bool = False
    downsample: float | None = None
    colors: Mapping[str, Rgb] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    misplaced: SlideError | None = None

    def with_slide(self, slide: SlideFacts | None) -> Material:
        """Return it with what ``--slide`` says: its size counts, and its mpp before that of a file."""
        if slide is None:
            return self
        stated = {"tool" if self.is_calibrated else "annotation_file": self.mpp}
        try:
            mpp, notes = choose_mpp(slide.name, slide=slide.mpp, **stated)
        except MissingResolutionError:  # wanted for columns in µm and a mask's tags only
            return replace(self, size=slide.size)
        return replace(self, mpp=mpp, size=slide.size, notes=(*self.notes, *notes))


def slide_facts(path: Path) -> SlideFacts:
    """Open a slide and return what it says.

    Raises
    ------
    ConfigError
        It is a folder.
    SlideError
        It isn't there, or can't be opened.
    """
    if path.is_dir():
        raise ConfigError(f"--slide {path} is a folder; name the slide itself (a folder goes with --to)")
    with open_slide(path) as slide:
        return SlideFacts(path.name, slide.pyramid.dimensions[0], slide.pyramid.mpp)


def read_annotations(endpoint: Endpoint) -> Material:
    """Read any source but a mask.

    Raises
    ------
    AnnotationFileError
        Not there, being saved, cut, of another tool; names the file.
    """
    if endpoint.kind is EndpointKind.QUPATH:
        return _read_image(endpoint)
    data = read_file(endpoint.path)
    seed = hashlib.sha256(data).hexdigest()
    try:
        if endpoint.kind is EndpointKind.ASAP:
            return _asap_material(read_asap(data), seed)
        is_xml = endpoint.kind is EndpointKind.IMAGESCOPE
        found = read_imagescope(data) if is_xml else read_geojson(data)
    except AnnotationFileError as error:
        raise error.at(endpoint.path) from error
    return Material(found, seed, mpp=found.mpp)


def _asap_material(asap: AsapFile, seed: str) -> Material:
    splines = f"{asap.splines} splines are read as polygons of their points, as ASAP makes masks of them"
    return Material(asap.found, seed, colors=asap.colors, notes=(splines,) if asap.splines else ())


def read_file(path: Path) -> bytes:
    """Read a file whole.

    Raises
    ------
    AnnotationFileError
        It isn't there, or may not be read.
    """
    try:
        return read_plain(path)
    except FileNotFoundError as error:
        raise AnnotationFileError("there is no such file; check the path", path=path) from error
    except OSError as error:
        raise AnnotationFileError(f"can't be read ({error.strerror}); check its permissions", path=path) from error


def _read_image(endpoint: Endpoint) -> Material:
    project, entry = find_image(endpoint)
    blocker = project.blocker(entry)
    if blocker is not None:
        raise AnnotationFileError(blocker, path=entry.annotation_path)
    if not entry.annotation_path.is_file():
        message = f"image {entry.name} has no annotations yet; draw some in QuPath and save"
        raise AnnotationFileError(message, path=endpoint.path)
    data = read_file(entry.annotation_path)
    found = project.parse(data, entry)
    placed, notes, misplaced = place_image(project, entry)
    material = Material(
        found,
        hashlib.sha256(data).hexdigest(),
        placed.origin,
        size_in_project(project, entry.key),
        entry.mpp or found.mpp,
        is_calibrated=True,
        notes=notes,
        misplaced=misplaced,
    )
    try:
        slide = locate_slide(entry, settings_above(project.root)[1].slides)
        return replace(material, size=slide_facts(slide).size)
    except SlideError as error:  # the project knows enough; the slide is wanted for its size only
        logger.info("slide not opened image=%s error=%s", entry.name, error)
        return material


def place_image(project: QuPathProject, entry: SlideEntry) -> tuple[SlideEntry, tuple[str, ...], SlideError | None]:
    """Return an image with where QuPath's (0, 0) lies on its slide, what is to be said of it, and why that is wrong.

    Raises
    ------
    ConfigError
        The settings of the project around it are wrong.
    """
    try:
        return *place_if_found(entry, settings_above(project.root)[1].slides), None
    except SlideError as error:  # GeoJSON says what QuPath shows, so that not every target needs to know
        return entry, (), error


def size_in_project(project: QuPathProject, key: str) -> Size | None:
    """Return a slide's size as the project file has it, from the slide's corner on where QuPath crops."""
    for image in read_project_file(project.path).images:
        metadata = image.builder.get("metadata")
        sides = (metadata.get("width"), metadata.get("height")) if isinstance(metadata, dict) else (None, None)
        width, height = (side if isinstance(side, int) and side > 0 else 0 for side in sides)
        if image.entry_id == key and width and height:
            return image.origin[0] + width, image.origin[1] + height
    return None


def count_off_slide(annotations: tuple[Annotation, ...], origin: tuple[int, int], size: Size | None) -> int | None:
    """Count the objects that lie wholly off the slide; None where its size is not known."""
    if size is None:
        return None
    shapes = [a.geometry for a in annotations if not a.geometry.is_empty]
    extent = Region(-origin[0], -origin[1], *size).to_polygon()
    return int((~shapely.intersects(shapely.envelope(shapes), extent)).sum()) if shapes else 0
