"""What the streaming of tiles is measured against: tiles cut beforehand, as PNG files, and torch's plain DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.data import Augmentation, AugmentationOptions, Tile

Batch = tuple[Tensor, Tensor]
_STREAM = 1  # as our own batches draw: so both must come out equal


@dataclass(frozen=True, slots=True)
class CutTile:
    """One tile as read from its files, and the step that it is of."""

    step: int
    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class CutTiles(Dataset[CutTile]):
    """Tiles in a folder, ``batch_size`` of them a step.

    Parameters
    ----------
    folder
        As `cut` filled it.
    steps
        Of so many steps; further ones begin anew.
    """

    def __init__(self, folder: Path, steps: int, batch_size: int) -> None:
        self._folder, self._steps, self._batch_size = folder, steps, batch_size

    def __getitem__(self, place: int) -> CutTile:
        """Read one tile."""
        step, number = divmod(place, self._batch_size)
        step %= self._steps
        pixels, labels = (np.asarray(Image.open(path)) for path in _files(self._folder, step, number))
        return CutTile(step, pixels, labels)


class Endless:
    """The places of every step's tiles, step after step."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[list[int]]:
        """Yield one list a step."""
        first = 0
        while True:
            yield list(range(first, first + self._batch_size))
            first += self._batch_size


@dataclass(frozen=True)
class Augmenting:
    """Makes tiles a batch, changed as ours are; what needs MONAI is made in the process that does it."""

    options: AugmentationOptions
    seed: int

    @cached_property
    def augmentation(self) -> Augmentation:
        """Our own."""
        return Augmentation(self.options)

    def __call__(self, tiles: Sequence[CutTile]) -> Batch:
        """Return the batch."""
        generator = np.random.default_rng((self.seed, tiles[0].step, _STREAM))
        pixels, labels = np.stack([tile.pixels for tile in tiles]), np.stack([tile.labels for tile in tiles])
        return self.augmentation(pixels, labels, generator)


def cut(tiles: Sequence[Sequence[Tile]], folder: Path) -> int:
    """Write the tiles of each step; return their bytes."""
    for step, batch in enumerate(tiles):
        for number, tile in enumerate(batch):
            pixels, labels = _files(folder, step, number)
            Image.fromarray(tile.pixels).save(pixels)
            Image.fromarray(tile.labels).save(labels)
    return sum(path.stat().st_size for path in folder.iterdir())


def load(tiles: CutTiles, batch_size: int, augmenting: Augmenting, workers: int) -> Iterator[Batch]:
    """Return the batches of a plain DataLoader; its processes end with the iterator."""
    return iter(
        DataLoader(
            tiles,
            batch_sampler=Endless(batch_size),
            collate_fn=augmenting,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
        )
    )


def _files(folder: Path, step: int, number: int) -> tuple[Path, Path]:
    return folder / f"{step}-{number}.png", folder / f"{step}-{number}-labels.png"
