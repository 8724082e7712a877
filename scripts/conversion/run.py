"""One conversion from end to end."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bridge.annotations import Annotation
from bridge.errors import ConfigError
from bridge.qupath.plain_objects import is_own_key
from scripts.conversion.classes import ClassFile, classified, read_class_file
from scripts.conversion.endpoints import Endpoint, EndpointKind, find_image
from scripts.conversion.mask_reading import read_mask
from scripts.conversion.reading import Material, SlideFacts, count_off_slide, read_annotations, slide_facts
from scripts.conversion.report import ConversionReport
from scripts.conversion.writing import Writing, Written, check_target, moved
from scripts.progress import Progress, Silent

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID_SPACE = uuid.UUID("b6a1f1de-5a1c-4d0b-9c0e-2f6f3f1f7e21")


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """What was asked for.

    Parameters
    ----------
    slide
        Says size and mpp of the slide.
    downsample
        Level-0 pixels per mask pixel and side; None for the mask's own, else 1.
    classes
        A file of classes and colours.
    may_replace
        Go over a file that is there; in a QuPath image, append copies of objects that it has.
    """

    source: Endpoint
    target: Endpoint
    slide: Path | None = None
    downsample: float | None = None
    classes: Path | None = None
    may_replace: bool = False
    is_dry_run: bool = False


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
    check_target(request.target, may_replace=request.may_replace)
    slide = None if request.slide is None else slide_facts(request.slide)
    chosen = None if request.classes is None else read_class_file(request.classes)
    material = _read(request, chosen, slide).with_slide(slide)
    annotations = classified(material.found.annotations, chosen, material.colors)
    offset, notes = _offset(request, material)
    writing = _writing(request, material, chosen, progress or Silent(), sleep)
    written = writing.write([moved(_plain(annotation, material.seed), offset) for annotation in annotations])
    return _report(request, material, written, notes)


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
        request.downsample or material.downsample or 1.0,
        chosen,
        material.colors,
        request.may_replace,
        request.is_dry_run,
        progress,
        sleep,
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
        lost=written.lost,
        classes=written.classes,
        notes=(*nothing, *material.notes, *notes, *written.notes),
        is_dry_run=request.is_dry_run,
    )


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
    return read_mask(request.source.path, request.downsample, chosen, slide, is_fallback=is_to_mask)


def _offset(request: ConversionRequest, material: Material) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return by how much objects move from the source's frame to the target's, and what is to be said of it."""
    target = request.target
    there = find_image(target)[1].origin if target.kind is EndpointKind.QUPATH else (0, 0)
    if material.origin == there == (0, 0):
        return (0, 0), ()
    x, y = there if there != (0, 0) else material.origin
    if EndpointKind.GEOJSON in (request.source.kind, target.kind):
        return (0, 0), (
            f"QuPath shows the slide from ({x}, {y}) on; GeoJSON says what QuPath shows, nothing was moved",
        )
    offset = material.origin[0] - there[0], material.origin[1] - there[1]
    return offset, (f"moved by {offset}: QuPath shows the slide from ({x}, {y}) on",)


def _plain(annotation: Annotation, seed: str) -> Annotation:
    """Return a plain object: without our marks, and with a UUID, the same one whenever it is read again."""
    given = annotation.object_id
    return replace(
        annotation,
        object_id=given if _UUID.fullmatch(given) else str(uuid.uuid5(_ID_SPACE, f"{seed} {given}")),
        is_ours=False,
        metadata={key: value for key, value in annotation.metadata.items() if not is_own_key(key)},
    )
