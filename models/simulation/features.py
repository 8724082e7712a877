"""What a frozen encoder sees in each cell, kept on disk by content."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bridge.coords import Window
from bridge.files import replace_whole
from bridge.slides import Slide
from models.nets import EfficientNetLite0, Encoder, Normalize, choose_device, place
from models.simulation.slide import Grid
from models.simulation.threads import one_thread

logger = logging.getLogger(__name__)

_TILE_PX = 1024
_DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, eq=False)
class Extractor:
    """A frozen encoder, and which of its maps are looked at.

    Parameters
    ----------
    encoder
        In evaluation mode; a chain of convolutions, one after another in the order of its modules.
    name
        Says which weights these are: a part of what is kept on disk.
    maps
        Which of the encoder's maps, 0 the finest.
    tile_px
        About the side of what is computed at once.
    """

    encoder: Encoder
    name: str
    maps: tuple[int, ...] = (2, 3)
    tile_px: int = _TILE_PX

    @classmethod
    def imagenet(cls) -> Self:
        """Return EfficientNet-Lite0 with ImageNet's weights: its maps of strides 8 and 16, 152 features.

        The last map (stride 32) sees 850 pixels across: more than a cell's surroundings, at twice the cost.

        Raises
        ------
        CheckpointError
            The weights are missing or not the known ones.
        """
        encoder = EfficientNetLite0(depth=4)
        encoder.load_imagenet()
        return cls(place(encoder.eval(), choose_device("cpu")), "efficientnet_lite0-imagenet")

    @property
    def stride(self) -> int:
        """Sides of cells are multiples of this."""
        return self.encoder.strides[max(self.maps)]

    @property
    def margin_px(self) -> int:
        """Pixels around a tile that what is seen in it may depend on; a multiple of the stride."""
        reach, jump = 0, 1
        for module in self.encoder.modules():
            if isinstance(module, nn.Conv2d):
                step = module.stride[0]
                reach += (module.kernel_size[0] // 2 + (step > 1)) * jump  # the odd pixel of *same* padding
                jump *= step
        return -(-reach // self.encoder.strides[-1]) * self.encoder.strides[-1]

    def cell_features(self, slide: Slide, cells: Window, cell_px: int, tissue: Grid) -> NDArray[np.float32]:
        """Return the maps averaged over each cell with tissue, 0 elsewhere; shape (rows, columns, features).

        Tiles are computed with so much around them that none shows, on one thread of the CPU; beyond the slide is
        white.

        Parameters
        ----------
        cells
            The slide's cells as pixels of a window.
        cell_px
            Pixels per cell and side that are looked at.
        tissue
            Cells to look at, shape ``cells.shape``.

        Raises
        ------
        ValueError
            A cell's side is no multiple of the stride.
        SlideError
            The slide can't be read.
        """
        if cell_px % self.stride:
            raise ValueError(f"cells of {cell_px} pixels are no multiple of the encoder's stride of {self.stride}")
        channels = sum(self.encoder.channels[i] for i in self.maps)
        features = np.zeros((*cells.shape, channels), np.float32)
        with one_thread(), torch.inference_mode():
            for tile in cells.tiles(max(1, self.tile_px // cell_px)):
                rows, columns = cells.slices(tile)
                if tissue[rows, columns].any():
                    features[rows, columns] = self._see(slide, tile, cell_px)
        features[~tissue] = 0.0
        return features

    def _see(self, slide: Slide, tile: Window, cell_px: int) -> NDArray[np.float32]:
        """Return what is seen in a tile of cells, (rows, columns, features)."""
        margin, last = self.margin_px, self.encoder.strides[-1]
        height, width = tile.height * cell_px, tile.width * cell_px
        pixels = slide.read_window(
            Window(
                tile.x * cell_px - margin,
                tile.y * cell_px - margin,
                -(-width // last) * last + 2 * margin,
                -(-height // last) * last + 2 * margin,
                tile.downsample / cell_px,
            )
        )
        inputs = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].float()
        inputs = Normalize(self.encoder.normalization)(inputs).contiguous(memory_format=torch.channels_last)
        maps = self.encoder(inputs)
        seen = [self._average(maps[i], self.encoder.strides[i], tile, cell_px) for i in self.maps]
        return torch.cat(seen).permute(1, 2, 0).numpy()

    def _average(self, values: Tensor, stride: int, tile: Window, cell_px: int) -> Tensor:
        """Return the means of one map over cells, (channels, rows, columns)."""
        first, side = self.margin_px // stride, cell_px // stride
        inner = values[0, :, first : first + tile.height * side, first : first + tile.width * side]
        return inner.reshape(-1, tile.height, side, tile.width, side).mean(dim=(2, 4))


class FeatureCache:
    """Features on disk, by what they were made of.

    A file that is damaged, or was never finished, is made again.

    Parameters
    ----------
    folder
        Made where it isn't there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, made_of: str, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return what is kept of something, or make and keep it.

        Parameters
        ----------
        made_of
            Everything that the features depend on.
        make
            Makes them.

        Raises
        ------
        OSError
            The folder can't be written to.
        """
        path = self._folder / f"{hashlib.sha256(made_of.encode()).hexdigest()}.features"
        kept = _read(path)
        if kept is None:
            kept = make()
            _write(path, kept)
        return kept


def slide_digest(path: Path) -> str:
    """Return a SHA-256 of a slide's file; of formats with a folder beside the file, its files' names and sizes too.

    Raises
    ------
    OSError
        The file can't be read.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    beside = path.with_suffix("")
    if beside.is_dir() and beside != path:
        for part in sorted(beside.rglob("*")):
            digest.update(f"{part.relative_to(beside).as_posix()} {part.stat().st_size}\n".encode())
    return digest.hexdigest()


def _read(path: Path) -> NDArray[np.float32] | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, content = data[:_DIGEST], data[_DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        logger.warning("kept features are damaged and are made again file=%s", path)
        return None
    return np.asarray(safetensors.numpy.load(content)["features"], np.float32)


def _write(path: Path, features: NDArray[np.float32]) -> None:
    content = safetensors.numpy.save({"features": np.ascontiguousarray(features)})
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, hashlib.sha256(content).digest() + content)  # several processes may write the same
