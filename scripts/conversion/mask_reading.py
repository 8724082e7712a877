"""Label masks → outlines along their pixels' edges."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry import Polygon

from bridge.annotations import BACKGROUND, IGNORE_LABEL, Annotation, AnnotationSet, ReadCounts, Rgb, Shape
from bridge.coords import Region, Window
from bridge.errors import ConfigError
from bridge.formats import MaskInfo, OpenLabelMask, open_label_mask
from bridge.raster import LabelMask, vectorize_bands
from scripts.conversion.classes import IGNORE_CLASS, IGNORE_COLOR, PALETTE, ClassFile
from scripts.conversion.reading import Material, Size, SlideFacts, read_file

_BAND_PX = 1024  # rows


def read_mask(
    path: Path,
    downsample: float | None,
    chosen: ClassFile | None,
    slide: SlideFacts | None,
    *,
    is_fallback: bool = False,
) -> Material:
    """Read a label mask as outlines along its pixels' edges; memory is bounded by a band of it and the outlines.

    Parameters
    ----------
    downsample
        Level-0 pixels per mask pixel and side, over what the file says; 1 where neither says it.
    is_fallback
        The downsample counts only where the file says none.
    chosen
        Names the labels, 1 first, of a file that doesn't name them itself.
    slide
        To check the size by.

    Raises
    ------
    AnnotationFileError
        Not there, a colour picture, broken.
    ConfigError
        The mask doesn't have the slide's size, and nothing says its downsample.
    """
    if not path.is_file():
        read_file(path)  # says why
    seed = hashlib.sha256()
    with open_label_mask(path) as mask:
        info = mask.info
        scale = (is_fallback and info.downsample) or downsample or info.downsample or 1.0
        window = Window(*info.origin, mask.shape[1], mask.shape[0], scale)
        is_stated = downsample is not None or info.downsample is not None
        size_notes = _check_size(path, window, slide, is_stated=is_stated)
        bands = _bands_of(mask, window, seed.update)
        outlines = sorted(vectorize_bands(bands, skip=(0,)), key=lambda found: found[0])
    legend = _legend(info, sorted({label for label, _ in outlines}), chosen)
    annotations = tuple(legend.annotation(number, *found) for number, found in enumerate(outlines))
    mpp = None if info.mask_mpp is None else (info.mask_mpp[0] / scale, info.mask_mpp[1] / scale)
    found = AnnotationSet(annotations, ReadCounts(read=len(annotations)), mpp=mpp)
    return Material(
        found,
        seed.hexdigest(),
        size=_size(window),
        mpp=mpp,
        downsample=scale,
        colors=legend.classes,
        notes=(*legend.notes, *size_notes),
    )


@dataclass(frozen=True, slots=True)
class _Legend:
    """What labels mean.

    Parameters
    ----------
    names
        Of all 256 labels.
    classes
        Name → colour of the labels that are classes, in label order.
    """

    names: Sequence[str]
    classes: Mapping[str, Rgb]
    notes: tuple[str, ...] = ()

    def annotation(self, number: int, label: int, polygon: Polygon) -> Annotation:
        """Return an outline as an object."""
        name = self.names[label]
        shape = Shape.GEOMETRY if polygon.interiors else Shape.POLYGON
        return Annotation(f"M{number}", polygon, name, shape, color=self.classes.get(name, IGNORE_COLOR))


def _legend(info: MaskInfo, present: Sequence[int], chosen: ClassFile | None) -> _Legend:
    """Return what the labels mean: by the file's own names, else those of ``chosen``, else by their numbers.

    Parameters
    ----------
    present
        Labels in the mask, ascending, without 0.
    """
    given = info.names or (chosen.scheme.names if chosen is not None else (BACKGROUND,))
    names = [*given, *(f"Label {label}" for label in range(len(given), IGNORE_LABEL)), IGNORE_CLASS][:256]
    notes = []
    if not info.names and tuple(present) == (IGNORE_LABEL,):
        names[IGNORE_LABEL] = names[1]
        notes.append(f"a mask of 0 and 255 only: 255 is read as label 1, {names[1]}")
        present = [1]
    elif not info.names and IGNORE_LABEL in present:
        notes.append(f"label 255 is read as {IGNORE_CLASS}")
    numbers = [label for label in present if label < IGNORE_LABEL]
    unnamed = [names[label] for label in numbers if label >= len(given)]
    if unnamed:
        notes.append(f"no name for {', '.join(unnamed)}; list the classes, label 1 first, in a file for --classes")
    colors = dict(zip(info.names, info.colors, strict=True))
    last = max([*numbers, len(given) - 1])
    classes = {names[label]: colors.get(names[label]) or PALETTE[label % len(PALETTE)] for label in range(1, last + 1)}
    return _Legend(names, classes, tuple(notes))


def _size(window: Window) -> Size:
    """Return a size, level-0 pixels, that the window covers exactly."""
    width, height = (round(side * window.downsample) for side in (window.right, window.bottom))
    covering = Window.covering(Region(0, 0, width, height), window.downsample)
    return width - (covering.width > window.right), height - (covering.height > window.bottom)


def _check_size(path: Path, window: Window, slide: SlideFacts | None, *, is_stated: bool) -> list[str]:
    if slide is None:
        return []
    whole = Window.covering(Region(0, 0, *slide.size), window.downsample)
    is_part = window.x or window.y
    if is_part or (abs(whole.width - window.width) <= 1 and abs(whole.height - window.height) <= 1):
        return []
    sizes = f"{window.width} x {window.height} pixels at downsample {window.downsample:g}"
    message = f"the mask is {sizes}, slide {slide.name} is {slide.size[0]} x {slide.size[1]}"
    if not is_stated:
        guess = slide.size[0] / window.width
        raise ConfigError(f"{path}: {message}; give --downsample (its width says {guess:g})")
    return [f"{message}: the two don't cover the same"]


def _bands_of(mask: OpenLabelMask, window: Window, heard: Callable[[bytes], None]) -> Iterator[LabelMask]:
    """Yield the bands of a mask on its grid; the bytes of each are told to ``heard``."""
    for top, labels in mask.bands(_BAND_PX):
        heard(labels.tobytes())
        yield LabelMask(labels, Window(window.x, window.y + top, window.width, len(labels), window.downsample), ())
