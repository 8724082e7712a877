"""The hold-out's tiles, and the loss on them while a net is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import nn

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window
from models.checkpoints import NetCard
from models.data import Tile, TileDataset, TrainingSlide, to_tensors
from models.losses import SegmentationLoss
from models.nets import Normalize
from models.training.options import TrainingOptions


def labelled_tiles(
    dataset: TileDataset, slides: Sequence[TrainingSlide], tile_px: int, *, most: int | None = None
) -> Iterator[Tile]:
    """Yield the tiles of a fixed lattice that hold a labelled pixel of the dataset's part, each pixel once.

    Parameters
    ----------
    dataset
        Of the slides.
    slides
        In the order of the tiles, unless there are too many.
    tile_px
        Side of the lattice.
    most
        Where there are more tiles, about that many are drawn, the same each time.

    Raises
    ------
    SlideError
        A slide can't be read.
    """
    spots = [(slide.key, window) for slide in slides for window in dataset.raster(slide.key).tiles(tile_px)]
    if most is not None and len(spots) > most:
        spots = [spots[i] for i in np.random.default_rng(0).permutation(len(spots))]
    found = 0
    for key, window in spots:
        if found == most:
            return
        if _is_labelled(dataset, key, window):
            found += 1
            yield dataset.read(key, window)


def make_judge(
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    card: NetCard,
    loss: SegmentationLoss,
    options: TrainingOptions,
) -> Callable[[nn.Module], float] | None:
    """Return a function from a net to its mean loss on hold-out tiles, or None without a hold-out.

    At most ``options.evaluation_tiles`` tiles are read, once, and kept.

    Raises
    ------
    SlideError
        A slide can't be read.
    """
    held_out = [slide for slide in slides if slide.plan.hold_out]
    dataset = TileDataset(held_out, scheme, card.mpp, Part.HOLD_OUT, cache_mb=0)
    tiles = list(labelled_tiles(dataset, held_out, card.tile_px, most=options.evaluation_tiles))
    if not tiles:
        return None
    pixels, labels = to_tensors(np.stack([t.pixels for t in tiles]), np.stack([t.labels for t in tiles]))
    inputs = Normalize(card.normalization)(pixels)

    def judge(net: nn.Module) -> float:
        device = next(net.parameters()).device
        with torch.inference_mode():
            scores = [net(inputs[part].to(device)).float().cpu() for part in _parts(len(tiles), options.batch_size)]
            return float(loss(torch.cat(scores), labels))

    return judge


def _is_labelled(dataset: TileDataset, key: str, window: Window) -> bool:
    # The pixels are read only of tiles that are: burning labels costs a thousandth of it.
    inside = window.intersection(dataset.extent(key))
    return inside is not None and bool((dataset.raster(key).burn(inside).labels != IGNORE_LABEL).any())


def _parts(count: int, size: int) -> list[slice]:
    return [slice(first, first + size) for first in range(0, count, size)]
