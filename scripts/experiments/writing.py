"""Generated slides on disk: a pyramidal TIFF made block by block, truth and facts beside it, each whole or absent."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from filelock import FileLock

from bridge.coords import Region
from bridge.files import replace_whole, replacing
from bridge.slides import RgbPixels
from scripts.experiments.painting import BLOCK_PX, GeneratedSlide
from scripts.experiments.truth import class_areas_px, write_truth, write_truth_mask

logger = logging.getLogger(__name__)

VERSION = 1
"""Of the generator: pixels or truth of the same options change with it, and with it only. Experiments keep their
units by ``_PLAN_VERSION`` (``comparisons/material.py``), not by this: raise both."""
_TILE_PX = 256
_SMALLEST_PX = 512
_UM_PER_CM = 10_000.0


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What is written beside the pixels, and how they are packed."""

    quality: int = 85
    """Of JPEG, 1 to 100; 85 is what scanners use."""
    mask_downsample: int | None = None
    """Level-0 pixels per pixel and side of a label mask in ``masks/``; None: no mask."""


@dataclass(frozen=True, slots=True)
class WrittenSlide:
    """One slide on disk: pixels, truth (QuPath's GeoJSON), facts, and the mask if one was asked for."""

    slide: Path
    truth: Path
    facts: Path
    mask: Path | None


def write_slide(
    generated: GeneratedSlide, folder: Path, name: str, options: WriteOptions | None = None
) -> WrittenSlide:
    """Write a slide unless it is there already, made from the same options by the same generator.

    The facts (``name.json``) are written last: where they are, and say the same options, the slide is whole. A run that
    was cut off leaves at most a hidden ``.part`` file and begins that slide again.

    Parameters
    ----------
    generated
        The slide.
    folder
        Made if absent; gets ``name.tif``, ``name.geojson`` and ``name.json``, and ``masks/name.tif`` if asked for.
    name
        Of the files, without suffix.
    options
        The defaults if None.

    Raises
    ------
    OSError
        The disk is full or the folder can't be written.
    """
    chosen = options or WriteOptions()
    mask = folder / "masks" / f"{name}.tif" if chosen.mask_downsample else None
    written = WrittenSlide(folder / f"{name}.tif", folder / f"{name}.geojson", folder / f"{name}.json", mask)
    digest = options_hash(generated, chosen)
    if _is_whole(written, digest):
        logger.debug("generated slide is there already: path=%s", written.slide)
        return written
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{name}.lock"):
        if not _is_whole(written, digest):  # another process may just have made it
            _write(written, generated, name, chosen)
    return written


def _write(written: WrittenSlide, generated: GeneratedSlide, name: str, options: WriteOptions) -> None:
    written.facts.unlink(missing_ok=True)
    _write_pixels(written.slide, generated, options.quality)
    write_truth(written.truth, generated)
    if written.mask is not None and options.mask_downsample:
        written.mask.parent.mkdir(exist_ok=True)
        write_truth_mask(written.mask, generated, options.mask_downsample)
    facts = _facts(generated, name, options_hash(generated, options))
    replace_whole(written.facts, (json.dumps(facts, indent=2) + "\n").encode(), is_shared=False)
    logger.info("generated slide written: path=%s objects=%d", written.slide, len(generated.truth.annotations))


def options_hash(generated: GeneratedSlide, options: WriteOptions) -> str:
    """Return a hash of everything that the files depend on."""
    said = [VERSION, type(generated.scene_options).__name__, asdict(generated.options), asdict(generated.scene_options)]
    return hashlib.sha256(json.dumps([*said, asdict(options)], sort_keys=True).encode()).hexdigest()


def _is_whole(written: WrittenSlide, digest: str) -> bool:
    files = [written.slide, written.truth, *([written.mask] if written.mask else [])]
    if not all(path.is_file() for path in [written.facts, *files]):
        return False
    try:
        return bool(json.loads(written.facts.read_text(encoding="utf-8"))["options_sha256"] == digest)
    except (ValueError, KeyError, TypeError):  # not ours, or edited: the slide is made again
        return False


def _facts(generated: GeneratedSlide, name: str, digest: str) -> dict[str, object]:
    return {
        "name": name,
        "center": generated.options.center,
        **generated.scene.facts,
        "mpp": generated.options.mpp,
        "objects": _counts(generated),
        "area_px": class_areas_px(generated),
        "tissue_px": float(generated.scene.tissue.intersection(generated.bounds.to_polygon()).area),
        "slide": asdict(generated.options),
        "scene": {"kind": type(generated.scene_options).__name__, **asdict(generated.scene_options)},
        "generator_version": VERSION,
        "options_sha256": digest,
    }


def _counts(generated: GeneratedSlide) -> dict[str, int]:
    classes = [annotation.path_class or "" for annotation in generated.truth.annotations]
    return {name: classes.count(name) for name in dict.fromkeys(classes)}


def _write_pixels(path: Path, generated: GeneratedSlide, quality: int) -> None:
    """Stream level 0 into the file; smaller levels wait, packed, in temporary files, as TIFF writes level by level."""
    from tifffile import TiffWriter

    width, height = generated.options.width_px, generated.options.height_px
    with (
        replacing(path) as unfinished,
        tempfile.TemporaryFile(dir=path.parent) as spool,
        TiffWriter(unfinished, bigtiff=True) as tiff,
    ):
        levels = _Levels((height, width), quality, spool)
        for index, shape in enumerate(levels.shapes):
            mpp = (generated.options.mpp * width / shape[1], generated.options.mpp * height / shape[0])
            tiff.write(
                levels.first(generated) if index == 0 else levels.waiting(index),
                shape=(*shape, 3),
                dtype=np.uint8,
                subfiletype=1 if index else 0,
                tile=(_TILE_PX, _TILE_PX),
                resolution=(_UM_PER_CM / mpp[0], _UM_PER_CM / mpp[1]),
                resolutionunit="CENTIMETER",
                photometric="ycbcr",
                subsampling=(1, 1),
                compression="jpeg",
                metadata=None,
                software=False,
            )


class _Levels:
    """The levels of one slide while it is written: strips come in at level 0, halves go on to the next level.

    Memory holds one row of blocks at half size and a strip per further level, never a level.
    """

    def __init__(self, shape: tuple[int, int], quality: int, spool: IO[bytes]) -> None:
        self.shapes = [shape]
        while max(self.shapes[-1]) > _SMALLEST_PX:
            self.shapes.append((-(-self.shapes[-1][0] // 2), -(-self.shapes[-1][1] // 2)))
        self._quality, self._spool = quality, spool
        self._strips: list[list[RgbPixels]] = [[] for _ in self.shapes]
        self._places: list[list[tuple[int, int]]] = [[] for _ in self.shapes]

    def first(self, generated: GeneratedSlide) -> Iterator[bytes]:
        """Make and yield the tiles of level 0, row by row, and put the other levels' aside."""
        height, width = self.shapes[0]
        columns = range(-(-width // BLOCK_PX))
        for row in range(-(-height // BLOCK_PX)):
            rows: list[list[bytes]] = [[] for _ in range(BLOCK_PX // _TILE_PX)]
            halves = []
            for column in columns:
                block = _inside(generated.block(column, row), column, row, (height, width))
                for i, tiles in enumerate(rows):
                    tiles.extend(self._tiles(block[i * _TILE_PX : (i + 1) * _TILE_PX]))
                halves.append(halve(block))
            if len(self.shapes) > 1:
                self._add(1, np.concatenate(halves, axis=1))
            if (row + 1) * BLOCK_PX >= height:
                self._flush()  # before the last tile is yielded: nobody asks for one more
            for tiles in rows:
                yield from tiles

    def waiting(self, level: int) -> Iterator[bytes]:
        """Yield the tiles of a further level."""
        for start, size in self._places[level]:
            self._spool.seek(start)
            yield self._spool.read(size)

    def _add(self, level: int, strip: RgbPixels) -> None:
        """Take rows of a level; once they make a row of tiles, pack it and hand its half on."""
        waiting = self._strips[level]
        waiting.append(strip)
        if sum(len(part) for part in waiting) >= _TILE_PX:
            self._pack(level)

    def _flush(self) -> None:
        for level in range(1, len(self.shapes)):
            if self._strips[level]:
                self._pack(level)

    def _pack(self, level: int) -> None:
        strip = np.concatenate(self._strips[level])
        self._strips[level].clear()
        for tile in self._tiles(strip):
            self._spool.seek(0, 2)
            self._places[level].append((self._spool.tell(), len(tile)))
            self._spool.write(tile)
        if level + 1 < len(self.shapes):
            self._add(level + 1, halve(strip))

    def _tiles(self, strip: RgbPixels) -> Iterator[bytes]:
        """Pack the tiles of one row; the border is repeated outwards, as JPEG would smear any other filling inwards."""
        from imagecodecs import jpeg8_encode

        for x in range(0, strip.shape[1], _TILE_PX):
            tile = strip[:_TILE_PX, x : x + _TILE_PX]
            if not tile.size:
                return
            missing = ((0, _TILE_PX - tile.shape[0]), (0, _TILE_PX - tile.shape[1]), (0, 0))
            packed = jpeg8_encode(
                np.ascontiguousarray(np.pad(tile, missing, mode="edge")),
                level=self._quality,
                colorspace="rgb",
                outcolorspace="ycbcr",
                subsampling="444",
            )
            yield bytes(packed)


def _inside(block: RgbPixels, column: int, row: int, shape: tuple[int, int]) -> RgbPixels:
    place = Region(column * BLOCK_PX, row * BLOCK_PX, BLOCK_PX, BLOCK_PX)
    return block[: max(0, shape[0] - place.y), : max(0, shape[1] - place.x)]


def halve(pixels: RgbPixels) -> RgbPixels:
    """Return the mean of each 2 × 2 block, rounded; an odd last row or column counts twice."""
    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(np.uint16)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    return ((total + 2) // 4).astype(np.uint8)
