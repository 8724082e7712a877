"""What a data set is asked for, and what was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from scripts.exporting.errors import ExportError
from scripts.plain_words import counted

LEAST_TILE_PX, MOST_TILE_PX = 32, 8192


class TileFormat(StrEnum):
    """How tiles are kept; both lose nothing."""

    PNG = "png"
    TIF = "tif"


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What is asked for.

    Parameters
    ----------
    out
        A new folder, or an empty one.
    tile_px
        Side of a tile, pixels of ``mpp``.
    mpp
        µm per pixel; None: the project's working resolution.
    format
        Of the tiles.
    is_whole
        One label mask for each slide instead of tiles, without pictures.
    is_forced
        Replace a data set that is there.

    Raises
    ------
    ExportError
        A side or a resolution that makes no tiles.
    """

    out: Path
    tile_px: int = 512
    mpp: float | None = None
    format: TileFormat = TileFormat.PNG
    is_whole: bool = False
    is_forced: bool = False

    def __post_init__(self) -> None:
        if not LEAST_TILE_PX <= self.tile_px <= MOST_TILE_PX:
            raise ExportError(f"--tile-px {self.tile_px}: a side is {LEAST_TILE_PX} to {MOST_TILE_PX} pixels")
        if self.mpp is not None and not 0 < self.mpp <= 100:
            raise ExportError(f"--mpp {self.mpp:g}: micrometres per pixel lie between 0 and 100")


@dataclass(frozen=True, slots=True)
class ExportedDataset:
    """A data set that was written.

    Parameters
    ----------
    training, hold_out
        Tiles, or masks of whole slides, of either part.
    slides
        Those that have labelled pixels.
    pixels
        Class → labelled pixels.
    problems
        One line for each slide that was left out: it can't be read, its save isn't believed, or no pixel is labelled.
    boxes_only
        Slides on which people gave boxes one class each and drew nothing: no pixel is labelled, and they are left out.
    """

    out: Path
    training: int
    hold_out: int
    slides: int
    pixels: Mapping[str, int]
    is_whole: bool
    problems: tuple[str, ...] = ()
    boxes_only: tuple[str, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """Return the facts for machines."""
        return {
            "out": str(self.out),
            "training": self.training,
            "hold_out": self.hold_out,
            "slides": self.slides,
            "pixels": dict(self.pixels),
            "slides_with_boxes_only": list(self.boxes_only),
            "problems": list(self.problems),
        }

    def lines(self) -> tuple[str, ...]:
        """Return the facts for people."""
        what = "label masks" if self.is_whole else "tiles"
        total = sum(self.pixels.values())
        shares = ", ".join(f"{name} {100 * count / max(1, total):.1f} %" for name, count in self.pixels.items())
        return (
            f"data set written to {self.out}: {self.training} {what} to train with, {self.hold_out} held out, of"
            f" {counted(self.slides, 'slide')}",
            f"labelled pixels: {shares}",
            *self._boxes_line(),
            *(f"left out: {line}" for line in self.problems),
            f"what is in it is in {self.out / 'dataset.json'}, how to use it in {self.out / 'README.txt'}",
        )

    def _boxes_line(self) -> tuple[str, ...]:
        if not self.boxes_only:
            return ()
        slides = counted(len(self.boxes_only), "slide", "slides")
        return (
            f"left out: {slides} with nothing but boxes that were given one class each, which label no pixels:"
            f" {', '.join(self.boxes_only)}",
        )
