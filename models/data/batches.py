"""Batches, made ahead in threads so that the net does not wait for the slide."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import Protocol, TypeVar

import numpy as np
from torch import Tensor

from models.data.augmentation import Augmentation
from models.data.sampler import TileSpot
from models.data.share import Share
from models.data.tiles import TileDataset

_READY = 1  # batches that may lie ready: one evens out tiles that take longer
_AUGMENTATION_STREAM = 1  # tells the generator of the pixels from that of the places


B = TypeVar("B")
B_co = TypeVar("B_co", covariant=True)


class Maker(Protocol[B_co]):
    """Whatever makes a step's batch from its number."""

    def make(self, step: int) -> B_co:
        """Return the batch of one step; may be called in several threads at once."""
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
    share
        Which of a batch's tiles are made here.
    """

    def __init__(
        self,
        dataset: TileDataset,
        sampler: Sampler,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
        share: Share = Share(),  # noqa: B008 - frozen
    ) -> None:
        self._dataset = dataset
        self._sampler = sampler
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed
        self._share = share

    def make(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of one step: pixels float32 (n, 3, side, side) 0–255, labels int64 (n, side, side).

        Raises
        ------
        SlideError
            A slide can't be read.
        """
        spots = self._sampler.batch(step, self._batch_size)
        portion = self._share.portion(len(spots))
        tiles = [self._dataset.read(spot.slide_key, spot.window) for spot in spots[portion.to_read]]
        generator = np.random.default_rng((self._seed, step, _AUGMENTATION_STREAM))
        pixels, labels = np.stack([t.pixels for t in tiles]), np.stack([t.labels for t in tiles])
        return self._augmentation(pixels[: len(portion)], labels[: len(portion)], generator, portion)


@contextmanager
def batches_ahead(maker: Maker[B], first_step: int, *, threads: int = 1) -> Iterator[Iterator[B]]:
    """Give an endless iterator of batches from a step on, made ahead of their turn or in it.

    Parameters
    ----------
    maker
        Its batch of a step is the same whatever was made before, so that the number of threads changes nothing.
    first_step
        Number of the first batch.
    threads
        So many batches are made at a time, and one more lies ready: for where the net leaves the processor idle;
        reading and warping then go on side by side. With 0 each is made in its turn, by the caller's thread: for
        where the net has all cores, which wait for each other, so that whatever runs beside it costs twice.
    """
    if threads == 0:
        yield (maker.make(step) for step in count(first_step))
        return
    executor = ThreadPoolExecutor(threads, "batches")
    try:
        coming = deque(executor.submit(maker.make, first_step + ahead) for ahead in range(threads + _READY))
        yield _follow(executor, maker, first_step, coming)
    finally:
        executor.shutdown(cancel_futures=True)


def _follow(executor: ThreadPoolExecutor, maker: Maker[B], step: int, coming: deque[Future[B]]) -> Iterator[B]:
    while True:
        batch = coming.popleft().result()
        coming.append(executor.submit(maker.make, step + len(coming) + 1))
        step += 1
        yield batch
