"""The files that one slide gives to a data set: tiles of pixels and labels, or whole masks."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part, Rgb
from bridge.coords import Region, Window, downsample_for
from bridge.files import sha256_of
from bridge.formats import MaskInfo, write_label_mask
from bridge.raster import PlanRaster
from bridge.slides import Slide
from scripts.exporting.dataset_request import DatasetRequest, TileFormat
from scripts.loop.pull import SlideState
from scripts.progress import Progress

FOLDERS: Mapping[Part, tuple[str, str]] = {
    Part.TRAINING: ("imagesTr", "labelsTr"),
    Part.HOLD_OUT: ("imagesTs", "labelsTs"),
}
"""Where pictures and labels of either part lie: nnU-Net's names, which most readers know."""
FIRST_CHANNEL = "_0000"  # nnU-Net's mark of a picture
_COMPRESSION = 4  # of PNG: half the time of the usual 6, a few per cent more bytes
_BAND_PX = 512
_BACKGROUND: Rgb = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Item:
    """One tile, or one mask of a whole slide.

    Parameters
    ----------
    image
        None for a whole slide.
    region
        Level-0 pixels; a tile may reach off the slide, where it is white and ignored.
    labelled
        Pixels that aren't ignored.
    """

    image: str | None
    label: str
    slide: str
    region: Region
    labelled: int
    image_sha256: str | None
    label_sha256: str

    def as_json(self) -> Mapping[str, object]:
        """Return the entry of ``dataset.json``."""
        region = self.region
        pictures = {} if self.image is None else {"image": self.image, "image_sha256": self.image_sha256}
        return {
            **pictures,
            "label": self.label,
            "label_sha256": self.label_sha256,
            "slide": self.slide,
            "region": [region.x, region.y, region.width, region.height],
            "labelled_pixels": self.labelled,
        }


@dataclass(frozen=True, slots=True, eq=False)
class SlideWriter:
    """Writes what one slide gives.

    Parameters
    ----------
    folder
        Of the data set.
    name
        Of the slide's files.
    ignore
        The number that stands for *nobody said*.
    mpp
        Wanted; a slide that is coarser keeps its own pixels.
    """

    folder: Path
    name: str
    state: SlideState
    scheme: ClassScheme
    request: DatasetRequest
    ignore: int
    mpp: float

    @property
    def downsample(self) -> float:
        """Level-0 pixels per pixel of the data set."""
        return downsample_for(self.state.reading.mpp, self.mpp)

    def raster(self, part: Part) -> PlanRaster:
        """Return the labels of one part."""
        return PlanRaster(self.state.plan, self.scheme, self.downsample, part)

    def count(self) -> int:
        """Return how many tiles are looked at, or rows of whole masks."""
        rasters = [self.raster(part) for part in FOLDERS]
        if self.request.is_whole:
            extent = self.state.reading.pyramid.window_at(self.downsample)
            return sum(extent.height for raster in rasters if raster.areas)
        return sum(1 for raster in rasters for _ in raster.tiles(self.request.tile_px))

    def write(self, slide: Slide, pixels: Counter[int], progress: Progress) -> Iterator[tuple[Part, Item]]:
        """Write everything, and yield it piece by piece.

        Parameters
        ----------
        pixels
            Gets the pixels of each label.

        Raises
        ------
        SlideError
            The slide is damaged somewhere; what was written stays, for the caller to remove.
        """
        pieces = self._whole if self.request.is_whole else self._tiles
        for part in FOLDERS:
            for item in pieces(slide, part, pixels, progress):
                yield part, item

    def _tiles(self, slide: Slide, part: Part, pixels: Counter[int], progress: Progress) -> Iterator[Item]:
        raster = self.raster(part)
        extent = slide.pyramid.window_at(self.downsample)
        for window in raster.tiles(self.request.tile_px):
            labels = _on_slide(raster, window, extent)
            progress.advance(note=self.name)
            if (labels == IGNORE_LABEL).all():
                continue
            _count(labels, pixels)
            yield self._tile(slide, part, window, labels)

    def _tile(self, slide: Slide, part: Part, window: Window, labels: NDArray[np.uint8]) -> Item:
        images, masks = FOLDERS[part]
        region = window.to_region()
        case = f"{self.name}_x{region.x}_y{region.y}"
        suffix = self.request.format.value
        image, label = f"{images}/{case}{FIRST_CHANNEL}.{suffix}", f"{masks}/{case}.{suffix}"
        labelled = int(np.count_nonzero(labels != IGNORE_LABEL))
        sums = [
            _write(self.folder / image, _encoded(slide.read_window(window), self.request.format)),
            _write(self.folder / label, _encoded(self._renumbered(labels), self.request.format)),
        ]
        return Item(image, label, self.name, region, labelled, *sums)

    def _whole(self, slide: Slide, part: Part, pixels: Counter[int], progress: Progress) -> Iterator[Item]:
        raster = self.raster(part)
        if not raster.areas:
            return
        extent = slide.pyramid.window_at(self.downsample)
        before = pixels.total()
        label = f"{FOLDERS[part][1]}/{self.name}.tif"
        bands = self._bands(raster, extent, pixels, progress)
        (self.folder / label).parent.mkdir(exist_ok=True)
        write_label_mask(self.folder / label, bands, self._info(), shape=extent.shape)
        found = pixels.total() - before
        if not found:
            (self.folder / label).unlink()
            return
        checksum = sha256_of(self.folder / label)
        assert checksum is not None, "it was just written"
        yield Item(None, label, self.name, slide.pyramid.bounds, found, None, checksum)

    def _bands(
        self, raster: PlanRaster, extent: Window, pixels: Counter[int], progress: Progress
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for top in range(0, extent.height, _BAND_PX):
            height = min(_BAND_PX, extent.height - top)
            band = Window(extent.x, extent.y + top, extent.width, height, extent.downsample)
            labels = _on_slide(raster, band, extent)
            _count(labels, pixels)
            yield top, self._renumbered(labels)
            progress.advance(height, note=self.name)

    def _renumbered(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.where(labels == IGNORE_LABEL, np.uint8(self.ignore), labels)

    def _info(self) -> MaskInfo:
        names, (x, y) = self.scheme.names, self.state.reading.mpp
        colors = tuple(self.scheme.colors.get(name, _BACKGROUND) for name in names)
        return MaskInfo(names, colors, (x * self.downsample, y * self.downsample), self.downsample)


def _on_slide(raster: PlanRaster, window: Window, extent: Window) -> NDArray[np.uint8]:
    """Return the labels under a window; off the slide nobody said anything, whatever areas reach there."""
    labels = raster.burn(window).labels
    inside = window.intersection(extent)
    if inside == window:
        return labels
    kept = np.full_like(labels, IGNORE_LABEL)
    if inside is not None:
        kept[window.slices(inside)] = labels[window.slices(inside)]
    return kept


def _count(labels: NDArray[np.uint8], pixels: Counter[int]) -> None:
    found = np.bincount(labels.ravel(), minlength=256)
    pixels.update({label: int(count) for label, count in enumerate(found[:IGNORE_LABEL]) if count})


def _encoded(values: NDArray[np.uint8], format_: TileFormat) -> bytes:
    buffer = io.BytesIO()
    if format_ is TileFormat.PNG:
        Image.fromarray(values).save(buffer, format="PNG", compress_level=_COMPRESSION)
    else:
        kind = "rgb" if values.ndim == 3 else "minisblack"
        tifffile.imwrite(buffer, values, photometric=kind, compression="zlib", metadata=None, software=False)
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()
