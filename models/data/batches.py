"""Batches, made ahead in a thread so that the net does not wait for the slide."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

from models.data.augmentation import Augmentation
from models.data.sampler import TileSpot
from models.data.tiles import TileDataset

_AUGMENTATION_STREAM = 1  # tells the generator of the pixels from that of the places


B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


class Maker(Protocol[B_co]):
    """Whatever makes a step's batch from its number."""

    def make(self, step: int) -> B_co:
        """Return the batch of one step."""
        ...


class Sampler(Protocol):
    """Whatever says where a step's tiles lie."""

    def batch(self, step: int, size: int) -> list[TileSpot]:
        """Return the places of one batch."""
        ...


class BatchMaker:
    """From a step's number to its batch; no state.

    Parameters
    ----------
    dataset
        Fetches tiles.
    sampler
        Says where they lie.
    augmentation
        Changes them.
    batch_size
        Tiles per batch.
    seed
        Of the augmentation.
    """

    def __init__(
        self, dataset: TileDataset, sampler: Sampler, augmentation: Augmentation, *, batch_size: int, seed: int
    ) -> None:
        self._dataset = dataset
        self._sampler = sampler
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed

    def make(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of one step: pixels float32 (n, 3, side, side) 0–255, labels int64 (n, side, side).

        Raises
        ------
        SlideError
            A slide can't be read.
        """
        spots = self._sampler.batch(step, self._batch_size)
        tiles = [self._dataset.read(spot.slide_key, spot.window) for spot in spots]
        generator = np.random.default_rng((self._seed, step, _AUGMENTATION_STREAM))
        pixels, labels = np.stack([t.pixels for t in tiles]), np.stack([t.labels for t in tiles])
        return self._augmentation(pixels, labels, generator)


@contextmanager
def batches_ahead(maker: Maker[B], first_step: int) -> Iterator[Iterator[B]]:
    """Give an endless iterator of batches from a step on, one of them always made ahead in a thread."""
    with ThreadPoolExecutor(1, "batches") as executor:
        coming = executor.submit(maker.make, first_step)
        yield _follow(executor, maker, first_step, coming)


def _follow(executor: ThreadPoolExecutor, maker: Maker[B], step: int, coming: Future[B]) -> Iterator[B]:
    while True:
        batch = coming.result()
        step += 1
        coming = executor.submit(maker.make, step)
        yield batch
