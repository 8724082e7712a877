"""One conversion from end to end."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bridge.annotations import Annotation
from bridge.annotations.transforms import move_annotations
from bridge.errors import ConfigError, WriteFailedError
from bridge.qupath.plain_objects import is_own_key
from scripts.conversion.classes import ClassFile, classified, read_class_file
from scripts.conversion.endpoints import Endpoint, EndpointKind, find_image
from scripts.conversion.mask_reading import read_mask
from scripts.conversion.mending import Mending
from scripts.conversion.reading import (
    Material,
    SlideFacts,
    count_off_slide,
    place_image,
    read_annotations,
    size_in_project,
    slide_facts,
)
from scripts.conversion.report import ConversionReport
from scripts.conversion.transforming import Transform, simplified
from scripts.conversion.writing import Writing, Written, check_target
from scripts.progress import Progress, Silent

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID_SPACE = uuid.UUID("b6a1f1de-5a1c-4d0b-9c0e-2f6f3f1f7e21")


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """How to convert, for one file or many.

    Parameters
    ----------
    downsample
        Level-0 pixels per mask pixel and side; None for the mask's own, else 1.
    classes
        A file of classes and colours.
    may_replace
        Go over a file that is there; in a QuPath image, append copies of objects that it has.
    nests_children
        In GeoJSON, put objects into their parents.
    transform
        What is done to the objects so that they lie right on the slide.
    simplify_um
        Tolerance for the outlines of a mask; None leaves them along the pixels' edges.
    mending
        What is done to outlines that cross themselves, leave seams, or hold crumbs.
    """

    downsample: float | None = None
    classes: Path | None = None
    may_replace: bool = False
    is_dry_run: bool = False
    transform: Transform = field(default_factory=Transform)
    simplify_um: float | None = None
    mending: Mending = field(default_factory=Mending)
    nests_children: bool = False


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """What was asked for.

    Parameters
    ----------
    slide
        Says size and mpp of the slide.
    makes_folder
        The target's folder is made where it isn't there.
    """

    source: Endpoint
    target: Endpoint
    slide: Path | None = None
    options: ConversionOptions = field(default_factory=ConversionOptions)
    makes_folder: bool = False


def convert(
    request: ConversionRequest, progress: Progress | None = None, *, sleep: Callable[[float], None] = time.sleep
) -> ConversionReport:
    """Convert annotations from one file into another.

    Predictions and proposals go out as plain objects of their class, without our identity; into a mask goes what people
    drew. Nothing is left out without being counted in the report.

    Parameters
    ----------
    sleep
        Waits, after a file of people's was replaced, until the displaced one may be deleted.

    Raises
    ------
    BridgeError
        One line with the way out; whatever was at the target is as it was.
    """
    _check_pair(request)
    check_target(request.target, may_replace=request.options.may_replace, makes_folder=request.makes_folder)
    slide = None if request.slide is None else slide_facts(request.slide)
    chosen = None if request.options.classes is None else read_class_file(request.options.classes)
    material = _read(request, chosen, slide).with_slide(slide)
    if request.options.simplify_um is not None:
        material = simplified(material, request.options.simplify_um)
    material = request.options.transform.apply(request.options.mending.apply(material), slide)
    material = _sized_by_target(request, material)
    annotations = classified(material.found.annotations, chosen, material.colors)
    offset, notes = _offset(request, material)
    plain = _plain_objects(move_annotations(annotations, offset), material.seed)
    _make_folder(request)
    written = _writing(request, material, chosen, progress or Silent(), sleep).write(plain)
    return _report(request, material, written, notes)


def _sized_by_target(request: ConversionRequest, material: Material) -> Material:
    """Return it with the size that the project has of the image that it goes to, where nobody else says one."""
    if material.size is not None or request.target.kind is not EndpointKind.QUPATH:
        return material
    project, entry = find_image(request.target)
    size = size_in_project(project, entry.key)
    if size is not None and request.source.kind is EndpointKind.GEOJSON:  # which says what QuPath shows
        size = size[0] - entry.origin[0], size[1] - entry.origin[1]
    return replace(material, size=size)


def _make_folder(request: ConversionRequest) -> None:
    folder = request.target.path.parent
    if request.options.is_dry_run or not request.makes_folder:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteFailedError(f"{folder}: can't be made ({error.strerror}); name another folder") from error


def _writing(
    request: ConversionRequest,
    material: Material,
    chosen: ClassFile | None,
    progress: Progress,
    sleep: Callable[[float], None],
) -> Writing:
    return Writing(
        request.target,
        material.size,
        material.mpp,
        request.options.downsample or material.downsample or 1.0,
        chosen,
        material.colors,
        request.options.may_replace,
        request.options.nests_children,
        request.options.is_dry_run,
        progress,
        sleep,
        material.found.tma_grid,
    )


def _report(
    request: ConversionRequest, material: Material, written: Written, notes: tuple[str, ...]
) -> ConversionReport:
    found = material.found
    nothing = () if len(found) else ("nothing was found in the source: is it the right file?",)
    return ConversionReport(
        source=str(request.source),
        target=str(request.target),
        read=found.counts.read,
        objects=len(found),
        repaired=found.counts.repaired,
        verbatim=dict(found.counts.verbatim),
        off_slide=count_off_slide(found.annotations, material.origin, material.size),
        written=written.written,
        left_out=written.left_out,
        lost=_with_unread(written, material),
        classes=written.classes,
        notes=(*nothing, *material.notes, *_idle_options(request), *notes, *written.notes),
        is_dry_run=request.options.is_dry_run,
    )


def _with_unread(written: Written, material: Material) -> Mapping[str, int]:
    """Count what no object carries: the grid of cores, and how transparent a colour is."""
    grid, lost = material.found.tma_grid, written.lost
    cores = 0 if grid is None or written.has_grid else len(grid.core_ids)
    counts = {"TMA grid": cores, "transparency of the color": material.found.counts.translucent}
    return {**lost, **{what: count for what, count in counts.items() if count}}


def _idle_options(request: ConversionRequest) -> tuple[str, ...]:
    """Say which options had nothing to do."""
    kinds = (request.source.kind, request.target.kind)
    has_mask = EndpointKind.MASK in kinds
    idle = () if has_mask or request.options.downsample is None else ("--downsample is for masks: it did nothing here",)
    is_nested = request.target.kind is EndpointKind.GEOJSON or not request.options.nests_children
    return idle if is_nested else (*idle, "--nest is for GeoJSON: it did nothing here")


def _check_pair(request: ConversionRequest) -> None:
    source, target = request.source, request.target
    is_same = source.path.resolve() == target.path.resolve()
    if is_same and (source.image is None or source.image == target.image):
        raise ConfigError(f"{target}: SRC and DST are the same; choose another name for DST")
    if request.slide is not None and request.slide.resolve() == target.path.resolve():
        raise ConfigError(f"{target}: that is the slide; choose another name for DST")


def _read(request: ConversionRequest, chosen: ClassFile | None, slide: SlideFacts | None) -> Material:
    if request.source.kind is not EndpointKind.MASK:
        return read_annotations(request.source)
    # Between two masks the option is the new one's, and the old one's only where that doesn't say it itself.
    is_to_mask = request.target.kind is EndpointKind.MASK
    view = request.options.transform.view_of(slide)
    return read_mask(request.source.path, request.options.downsample, chosen, view, is_fallback=is_to_mask)


def _offset(request: ConversionRequest, material: Material) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return by how much objects move from the source's frame to the target's, and what is to be said of it.

    Raises
    ------
    SlideError
        Where a frame lies on the slide can't be told, and the target needs to know.
    """
    target = request.target
    there: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    is_as_shown = EndpointKind.GEOJSON in (request.source.kind, target.kind)
    if target.kind is EndpointKind.QUPATH:
        project, entry = find_image(target)
        placed, notes, misplaced = place_image(project, entry)
        there = placed.origin
        if misplaced is not None and not is_as_shown:
            raise misplaced
    if material.misplaced is not None and not is_as_shown:
        raise material.misplaced
    if material.origin == there == (0, 0):
        return (0, 0), notes
    x, y = there if there != (0, 0) else material.origin
    if is_as_shown:
        said = f"QuPath shows the slide from ({x}, {y}) on; GeoJSON says what QuPath shows, nothing was moved"
        return (0, 0), (*notes, said)
    offset = material.origin[0] - there[0], material.origin[1] - there[1]
    return offset, (*notes, f"moved by {offset}: QuPath shows the slide from ({x}, {y}) on")


def _plain_objects(annotations: Sequence[Annotation], seed: str) -> list[Annotation]:
    """Return plain objects: without our marks, and with UUIDs, the same ones whenever they are read again."""
    ids = {a.object_id: _uuid(a.object_id, seed) for a in annotations}
    return [_plain(annotation, ids) for annotation in annotations]


def _uuid(given: str, seed: str) -> str:
    return given if _UUID.fullmatch(given) else str(uuid.uuid5(_ID_SPACE, f"{seed} {given}"))


def _plain(annotation: Annotation, ids: Mapping[str, str]) -> Annotation:
    return replace(
        annotation,
        object_id=ids[annotation.object_id],
        is_ours=False,
        parent_id=None if annotation.parent_id is None else ids.get(annotation.parent_id, annotation.parent_id),
        metadata={key: value for key, value in annotation.metadata.items() if not is_own_key(key)},
    )
