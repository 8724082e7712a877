"""A mask plan → a label mask file, band by band."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bridge.annotations import IGNORE_LABEL, Rgb
from bridge.coords import Region, Window
from bridge.errors import AnnotationFileError
from bridge.formats import MaskInfo, open_label_mask, write_label_mask
from bridge.raster import ShapeIndex
from scripts.conversion.classes import IGNORE_CLASS
from scripts.conversion.mask_plan import MaskPlan
from scripts.conversion.reading import Mpp, Size
from scripts.plain_words import counted
from scripts.progress import Progress

_BAND_PX = 512  # rows, those of a TIFF tile; a band of a slide 200,000 px wide is 100 MB
_BACKGROUND_COLOR: Rgb = (0, 0, 0)


def write_mask(
    path: Path, plan: MaskPlan, size: Size, mpp: Mpp | None, downsample: float, progress: Progress
) -> tuple[str, ...]:
    """Burn a plan into a mask file, band by band: memory is bounded by a band, not by the slide (.png: by the mask).

    Returns
    -------
    tuple of str
        Lines for people: classes that overlap, classes of which nothing is seen.

    Raises
    ------
    AnnotationFileError
        A PNG of more pixels than programs open.
    InvalidGeometryError
        An outline that can't be repaired.
    """
    window = Window.covering(Region(0, 0, *size), downsample)
    names = plan.scheme.names
    info = MaskInfo(
        names=names,
        colors=tuple(plan.scheme.colors.get(name, _BACKGROUND_COLOR) for name in names),
        mask_mpp=None if mpp is None else (mpp[0] * downsample, mpp[1] * downsample),
        downsample=downsample,
    )
    burner = _Burner(plan, downsample, progress)
    write_label_mask(path, burner.bands(window), info, shape=window.shape)
    return burner.notes()


class _Burner:
    """Burns bands and counts what can be seen of each label."""

    def __init__(self, plan: MaskPlan, downsample: float, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._index = ShapeIndex(plan.shapes, downsample)
        self._reversed = ShapeIndex(plan.shapes[::-1], downsample)
        self._unseen = {label for _, label in plan.shapes}
        self._contested = 0

    def bands(self, window: Window) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yield (first row, labels) of each band."""
        self._progress.start("writing the mask", window.height)
        for top in range(0, window.height, _BAND_PX):
            height = min(_BAND_PX, window.height - top)
            band = Window(window.x, window.y + top, window.width, height, window.downsample)
            labels = self._index.burn(band)
            # What the other order would show differently lies in several classes.
            self._contested += int(np.count_nonzero(labels != self._reversed.burn(band)))
            self._unseen -= {label for label in self._unseen if (labels == label).any()}
            yield top, labels
            self._progress.advance(height)

    def notes(self) -> tuple[str, ...]:
        """Return what is to be said once all bands are burnt."""
        used = dict.fromkeys(label for _, label in self._plan.shapes)
        names = {label: IGNORE_CLASS if label == IGNORE_LABEL else self._plan.scheme.names[label] for label in used}
        hidden = [names[label] for label in used if label in self._unseen]
        notes = []
        if self._contested:
            order = ", ".join(names.values())
            contested = counted(self._contested, "mask pixel lies", "mask pixels lie")
            notes.append(f"{contested} in several classes; the later wins: {order}")
        if hidden:
            notes.append(f"nothing is seen of {', '.join(hidden)}: covered, off the slide, or below a pixel")
        return tuple(notes)


def refuse_picture(path: Path) -> None:
    """Refuse to write a mask over anything but one of ours, whoever asks: no backup is made of a mask.

    A slide may bear the name, and grey slides and pictures with a palette look like masks but for our class names.

    Raises
    ------
    AnnotationFileError
        The file there names no classes as our masks do.
    """
    try:
        with open_label_mask(path) as mask:
            is_ours = bool(mask.info.names)
    except AnnotationFileError:  # colour, damaged: no mask of ours
        is_ours = False
    if not is_ours:
        message = "is a picture, or a mask that SlideBridge didn't write, and stays; choose another name for DST"
        raise AnnotationFileError(message, path=path)
