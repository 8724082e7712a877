"""What a patch classifier learns from: patches and their labels, and where the loss wants it the kind of tissue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.data import Augmentation, TileDataset, TileSpot, TreeSampler
from models.losses import cluster_weighted_cross_entropy, cwce_equation_one
from models.nets import Normalization, Normalize
from models.training.ranks import Ranks, gathered
from models.training.task import scores_of
from models.training.tissue_kinds import TissueKinds, patch_tensor, read_patches

_AUGMENTATION_STREAM = 1


class PatchLoss(Enum):
    """Losses of a patch classifier."""

    CE = "ce"  # cross entropy: H2G-Net's Mob-PW, the classifier of its best design
    CWCE = "cwce"  # every kind of tissue counts alike, as H2G-Net's code means it: Mob-KM-PW
    CWCE_EQUATION_ONE = "cwce_equation_one"  # the paper's equation (1) as printed, for comparison


@dataclass(frozen=True, slots=True, eq=False)
class PatchBatch:
    """Patches of one step.

    Parameters
    ----------
    pixels
        float32, (n, 3, side, side), 0–255.
    labels
        int64, (n,).
    """

    pixels: Tensor
    labels: Tensor


class PatchTask:
    """Patches and their labels.

    Parameters
    ----------
    dataset
        Fetches patches.
    sampler
        Says where they lie and what they are; without jitter.
    augmentation
        Changes them.
    normalization
        Of the net's input.
    loss
        Which one.
    kinds
        Tells the kind of tissue; needed by all losses but ``CE``.
    device
        Where the net is.
    batch_size
        Patches per step, at least two: the head's batch normalization needs them.
    seed
        Of the augmentation.
    ranks
        The processes that each have a share of the batch.

    Raises
    ------
    ValueError
        Batches of one, or a loss that needs the kinds of tissue and has none.
    """

    def __init__(
        self,
        dataset: TileDataset,
        sampler: TreeSampler,
        augmentation: Augmentation,
        normalization: Normalization,
        *,
        loss: PatchLoss,
        kinds: TissueKinds | None,
        device: torch.device,
        batch_size: int,
        seed: int,
        ranks: Ranks = Ranks(),  # noqa: B008 - frozen
    ) -> None:
        if batch_size < 2:
            raise ValueError("a patch classifier needs two patches a step at least; set [train] batch_size")
        if loss is not PatchLoss.CE and kinds is None:
            raise ValueError(f"the loss {loss.value} needs the kinds of tissue")
        self._dataset, self._sampler, self._augmentation = dataset, sampler, augmentation
        self._normalize = Normalize(normalization).to(device)
        self._loss, self._kinds = loss, kinds
        self._device = device
        self._batch_size, self._seed, self._ranks = batch_size, seed, ranks

    def make(self, step: int) -> PatchBatch:
        """Return the batch of one step; as `Task.make`."""
        spots = self._sampler.batch(step, self._batch_size)
        portion = self._ranks.share.portion(len(spots))
        pixels = read_patches(self._dataset, spots[portion.to_read])[: len(portion)]
        generator = np.random.default_rng((self._seed, step, _AUGMENTATION_STREAM))
        changed, _ = self._augmentation(pixels, np.zeros(pixels.shape[:3], np.uint8), generator, portion)
        return PatchBatch(changed, _labels(spots[portion.rows]))

    def losses(self, net: nn.Module, batch: PatchBatch) -> Iterator[Tensor]:
        """Yield the batch's loss."""
        scores = scores_of(net, self._normalize, batch.pixels)
        labels = batch.labels.to(self._device)
        if self._kinds is None or self._loss is PatchLoss.CE:
            scores, labels = gathered(self._ranks, scores, labels)
            yield functional.cross_entropy(scores, labels)
            return
        kinds = self._kinds(batch.pixels).to(self._device)
        scores, labels, kinds = gathered(self._ranks, scores, labels, kinds)
        if self._loss is PatchLoss.CWCE:
            yield cluster_weighted_cross_entropy(scores, labels, kinds, n_clusters=self._kinds.clusters.count)
        else:
            yield cwce_equation_one(scores, labels, kinds)


def make_patch_judge(
    dataset: TileDataset, sampler: TreeSampler, normalization: Normalization, *, patches: int, batch_size: int
) -> Callable[[nn.Module], float]:
    """Return a function from a net to its cross entropy on hold-out patches, drawn down the tree, the same each time.

    A patch that is drawn twice is read once and counts twice; ``patches`` of them are kept in memory.

    Raises
    ------
    SlideError
        A slide can't be read.
    """
    drawn: dict[TileSpot, int] = {}
    for spot in sampler.batch(0, patches):
        drawn[spot] = drawn.get(spot, 0) + 1
    spots = list(drawn)
    pixels, labels = read_patches(dataset, spots), _labels(spots)
    weights = torch.tensor(list(drawn.values()), dtype=torch.float32)
    normalize = Normalize(normalization)

    def judge(net: nn.Module) -> float:
        device = next(net.parameters()).device
        losses = []
        with torch.inference_mode():
            for first in range(0, len(spots), batch_size):
                part = slice(first, first + batch_size)
                scores = net(normalize(patch_tensor(pixels[part])).to(device)).float().cpu()
                losses.append(functional.cross_entropy(scores, labels[part], reduction="none"))
            return float((torch.cat(losses) * weights).sum() / weights.sum())

    return judge


def _labels(spots: Sequence[TileSpot]) -> Tensor:
    return torch.tensor([spot.label for spot in spots], dtype=torch.int64)
