"""Label masks → outlines along their pixels' edges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry import Polygon

from bridge.annotations import BACKGROUND, IGNORE_LABEL, Annotation, AnnotationSet, ReadCounts, Rgb, Shape
from bridge.coords import Region, Window
from bridge.errors import ConfigError
from bridge.formats import LabelMaskFile, read_label_mask
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
    """Read a label mask as outlines along its pixels' edges.

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
    mask = read_label_mask(path)
    scale = (is_fallback and mask.downsample) or downsample or mask.downsample or 1.0
    window = Window(*mask.info.origin, mask.labels.shape[1], mask.labels.shape[0], scale)
    is_stated = downsample is not None or mask.downsample is not None
    size_notes = _check_size(path, window, slide, is_stated=is_stated)
    outlines = sorted(vectorize_bands(_bands_of(mask, window), skip=(0,)), key=lambda found: found[0])
    legend = _legend(mask, sorted({label for label, _ in outlines}), chosen)
    annotations = tuple(legend.annotation(number, *found) for number, found in enumerate(outlines))
    mpp = None if mask.mask_mpp is None else (mask.mask_mpp[0] / scale, mask.mask_mpp[1] / scale)
    found = AnnotationSet(annotations, ReadCounts(read=len(annotations)), mpp=mpp)
    seed = hashlib.sha256(mask.labels.data).hexdigest()
    return Material(
        found,
        seed,
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


def _legend(mask: LabelMaskFile, present: Sequence[int], chosen: ClassFile | None) -> _Legend:
    """Return what the labels mean: by the file's own names, else those of ``chosen``, else by their numbers.

    Parameters
    ----------
    present
        Labels in the mask, ascending, without 0.
    """
    given = mask.names or (chosen.scheme.names if chosen is not None else (BACKGROUND,))
    names = [*given, *(f"Label {label}" for label in range(len(given), IGNORE_LABEL)), IGNORE_CLASS][:256]
    notes = []
    if mask.names is None and tuple(present) == (IGNORE_LABEL,):
        names[IGNORE_LABEL] = names[1]
        notes.append(f"a mask of 0 and 255 only: 255 is read as label 1, {names[1]}")
        present = [1]
    elif mask.names is None and IGNORE_LABEL in present:
        notes.append(f"label 255 is read as {IGNORE_CLASS}")
    numbers = [label for label in present if label < IGNORE_LABEL]
    unnamed = [names[label] for label in numbers if label >= len(given)]
    if unnamed:
        notes.append(f"no name for {', '.join(unnamed)}; list the classes, label 1 first, in a file for --classes")
    colors = dict(zip(mask.info.names, mask.info.colors, strict=True))
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


def _bands_of(mask: LabelMaskFile, window: Window) -> Iterator[LabelMask]:
    for top in range(0, window.height, _BAND_PX):
        labels = mask.labels[top : top + _BAND_PX]
        band = Window(window.x, window.y + top, window.width, len(labels), window.downsample)
        yield LabelMask(labels, band, ())
