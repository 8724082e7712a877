"""What the refinement U-Net of H2G-Net learns from: large tiles at a low resolution, a large batch in small parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bridge.annotations import IGNORE_LABEL, ClassScheme, Part
from bridge.coords import Window
from models.checkpoints import NetCard
from models.data import (
    Augmentation,
    AugmentationOptions,
    StainJitter,
    StainJitterOptions,
    TileDataset,
    TileSpot,
    TrainingSlide,
    TreeSampler,
    to_tensors,
)
from models.losses import squared_dice_loss
from models.nets import Normalization, Normalize
from models.training.holdout import labelled_tiles
from models.training.ranks import Ranks, gathered
from models.training.task import scores_of

_AUGMENTATION_STREAM = 3  # tells the generator of the pixels from those of other places and nets

RefinementPart = tuple[Tensor, Tensor]
"""Pixels uint8 (n, channels, side, side) and labels uint8 (n, side, side): a quarter of the memory of floats."""


def h2g_augmentation() -> AugmentationOptions:
    """Return H2G-Net's changes of place: flips, quarter turns, and half of the tiles zoomed by 0.8 to 1.2."""
    return AugmentationOptions(
        flips=True,
        warp_share=0.5,
        turn_radians=0.0,
        zoom=0.2,
        bend=0.0,
        hue_radians=0.0,
        saturation=0.0,
        brightness=0.0,
        lightness=0.0,
    )


@dataclass(frozen=True, slots=True)
class RefinementBatches:
    """How a step's tiles are shared out and changed.

    Parameters
    ----------
    size
        Tiles that the net sees at once; its batch renormalization sees these alone.
    accumulation
        So many of them make a step: their gradients are averaged.
    augmentation
        Flips, turns and zoom; colours stay, for stains are changed next.
    stains
        How tiles are re-dyed; the heat map stays.
    """

    size: int = 4
    accumulation: int = 6
    augmentation: AugmentationOptions = field(default_factory=h2g_augmentation)
    stains: StainJitterOptions = field(default_factory=StainJitterOptions)

    def __post_init__(self) -> None:
        if self.size < 1 or self.accumulation < 1:
            raise ValueError(f"a step has at least one part of one tile, not {self.accumulation} of {self.size}")


class RefinementTask:
    """Tiles of guided slides; a step's batch is back-propagated part by part, its loss the mean over all its tiles.

    Parameters
    ----------
    dataset
        Fetches tiles, with a heat map or without.
    sampler
        Says where they lie. Along a side where the slide fits into a tile, the tile is shifted to hold all of it.
    batches
        Parts and changes.
    normalization
        Of the net's input.
    device
        Where the net is.
    seed
        Of the changes.
    ranks
        The processes that each have a share of every part.
    """

    def __init__(
        self,
        dataset: TileDataset,
        sampler: TreeSampler,
        batches: RefinementBatches,
        *,
        normalization: Normalization,
        device: torch.device,
        seed: int,
        ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    ) -> None:
        self._dataset = dataset
        self._sampler = sampler
        self._batches = batches
        self._normalize = Normalize(normalization).to(device)
        self._device = device
        self._seed = seed
        self._ranks = ranks
        self._augmentation = Augmentation(batches.augmentation)
        self._jitter = StainJitter(batches.stains)

    def make(self, step: int) -> tuple[RefinementPart, ...]:
        """Return the parts of one step's batch; new and old labels are spread over all of them.

        Raises
        ------
        SlideError
            A slide can't be read.
        """
        count = self._batches.accumulation
        spots = self._sampler.batch(step, self._batches.size * count)
        seed = (self._seed, step, _AUGMENTATION_STREAM)
        return tuple(self._part(spots[index::count], (*seed, index)) for index in range(count))

    def losses(self, net: nn.Module, batch: tuple[RefinementPart, ...]) -> Iterator[Tensor]:
        """Yield each part's share of the step's loss: the squared Dice loss, the mean over the labelled tiles."""
        counts = [sum(self._ranks.sizes(_labelled(labels))) for _, labels in batch]
        for (pixels, labels), count in zip(batch, counts, strict=True):
            scores = scores_of(net, self._normalize, pixels.float())
            scores, labels = gathered(self._ranks, scores, labels.to(self._device))
            loss = squared_dice_loss(scores, labels.long())
            yield loss * (count / max(1, sum(counts)))

    def _part(self, spots: Sequence[TileSpot], seed: tuple[int, ...]) -> RefinementPart:
        portion = self._ranks.share.portion(len(spots))
        tiles = [self._dataset.read(spot.slide_key, self._settled(spot)) for spot in spots[portion.to_read]]
        generator = np.random.default_rng(seed)
        pixels, labels = (
            np.stack(each)[: len(portion)] for each in zip(*((t.pixels, t.labels) for t in tiles), strict=True)
        )
        images, masks = self._augmentation(pixels, labels, generator, portion)
        images[:, :3] = self._jitter(images[:, :3], generator, portion)
        return images.round_().clamp_(0, 255).to(torch.uint8), masks.to(torch.uint8)

    def _settled(self, spot: TileSpot) -> Window:
        return whole_where_it_fits(spot.window, self._dataset.extent(spot.slide_key))


class RefinementJudge:
    """The squared Dice loss on hold-out tiles, one tile at a time.

    Parameters
    ----------
    tiles
        Pixels uint8 (side, side, channels) and labels uint8 (side, side).
    normalization
        Of the net's input.
    """

    def __init__(
        self, tiles: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], normalization: Normalization
    ) -> None:
        self._tiles = tiles
        self._normalize = Normalize(normalization)

    def __call__(self, net: nn.Module) -> float:
        """Return the mean loss of a net in evaluation mode."""
        self._normalize.to(next(net.parameters()).device)
        with torch.inference_mode():
            losses = [self._loss(net, pixels[None], labels[None]) for pixels, labels in self._tiles]
        return sum(losses) / len(losses)

    def _loss(self, net: nn.Module, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> float:
        images, masks = to_tensors(pixels, labels)
        scores = scores_of(net, self._normalize, images)
        return float(squared_dice_loss(scores, masks.to(scores.device)))


def make_refinement_judge(
    slides: Sequence[TrainingSlide], scheme: ClassScheme, card: NetCard, *, most_tiles: int
) -> Callable[[nn.Module], float] | None:
    """Return a function from a net to its loss on the slides' hold-out, or None without one.

    Parameters
    ----------
    slides
        With the heat maps that the net will get when it predicts.
    scheme
        What the labels mean.
    card
        Of the net.
    most_tiles
        Read once, and kept.

    Raises
    ------
    SlideError
        A slide can't be read.
    """
    held_out = [slide for slide in slides if slide.plan.hold_out]
    dataset = TileDataset(held_out, scheme, card.mpp, Part.HOLD_OUT, cache_mb=0)
    found = list(labelled_tiles(dataset, held_out, card.tile_px, most=most_tiles))
    return RefinementJudge([(t.pixels, t.labels) for t in found], card.normalization) if found else None


def whole_where_it_fits(window: Window, extent: Window) -> Window:
    """Return a tile shifted, along each side on which the slide fits into it, so that it holds all of the slide.

    Examples
    --------
    >>> whole_where_it_fits(Window(30, 30, 64, 64), Window(0, 0, 40, 100))
    Window(x=0, y=30, width=64, height=64, downsample=1.0)
    """
    x = _held(window.x, window.width, extent.x, extent.right)
    y = _held(window.y, window.height, extent.y, extent.bottom)
    return Window(x, y, window.width, window.height, window.downsample)


def _held(start: int, size: int, low: int, high: int) -> int:
    return start if high - low > size else min(max(start, high - size), low)


def _labelled(labels: Tensor) -> int:
    return int((labels != IGNORE_LABEL).flatten(1).any(dim=1).sum())
