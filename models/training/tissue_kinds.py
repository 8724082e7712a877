"""The kinds of tissue that a loss weighs: what a frozen encoder says of patches, in clusters, found once a training."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.checkpoints import ResumeState, load_resume_state, save_resume_state
from models.data import ClusterOptions, TileDataset, TileSpot, TissueClusters, TreeSampler, to_tensors
from models.errors import CheckpointError
from models.nets import Normalization, Normalize

logger = logging.getLogger(__name__)

_CLUSTER_STEPS = 2**40  # batches that clusters are found on: steps that no training comes to


class TissueKinds:
    """Tells the kind of tissue of patches: a frozen encoder and clusters of its features.

    Parameters
    ----------
    encoder
        Gives maps; the mean of the coarsest one over each patch is its features. Never trained, in evaluation mode.
    normalization
        Of its input.
    clusters
        Of the features.
    """

    def __init__(self, encoder: nn.Module, normalization: Normalization, clusters: TissueClusters) -> None:
        self.clusters = clusters
        self._encoder = encoder
        self._normalization = normalization

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return the cluster of each patch, int64 (n,), from pixels (n, 3, side, side), 0–255."""
        features = patch_features(self._encoder, self._normalization, pixels)
        return torch.from_numpy(self.clusters.predict(features))


def read_patches(dataset: TileDataset, spots: Sequence[TileSpot]) -> NDArray[np.uint8]:
    """Return the pixels of some patches, uint8 (n, side, side, 3).

    Raises
    ------
    SlideError
        A slide can't be read.
    """
    return np.stack([dataset.read(spot.slide_key, spot.window).pixels for spot in spots])


def patch_tensor(pixels: NDArray[np.uint8]) -> Tensor:
    """Return pixels (n, side, side, 3) as float32 (n, 3, side, side), 0–255."""
    return to_tensors(pixels, np.zeros((0,), np.uint8))[0]


def patch_features(encoder: nn.Module, normalization: Normalization, pixels: Tensor) -> NDArray[np.float32]:
    """Return what an encoder in evaluation mode says of patches: the mean of its coarsest map, (n, channels).

    Parameters
    ----------
    encoder
        Its parameters say where it is.
    normalization
        Of its input.
    pixels
        (n, 3, side, side), 0–255.
    """
    device = next(encoder.parameters()).device
    with torch.inference_mode():
        maps = encoder(Normalize(normalization).to(device)(pixels.to(device)))
        return np.asarray(maps[-1].mean(dim=(2, 3)).float().cpu().numpy())


@dataclass(frozen=True, slots=True)
class ClusterSearch:
    """How the kinds of tissue are found, once per training.

    Parameters
    ----------
    options
        Of the clusters; fewer are looked for where there are fewer patches.
    batches, batch_size
        Patches that they are found on, drawn like those of the training, not augmented; the paper takes 100 × 32.
    """

    options: ClusterOptions = field(default_factory=ClusterOptions)
    batches: int = 10
    batch_size: int = 32


def find_clusters(
    encoder: nn.Module,
    normalization: Normalization,
    dataset: TileDataset,
    sampler: TreeSampler,
    search: ClusterSearch,
    *,
    seed: int,
    folder: Path | None = None,
    key: str = "",
) -> TissueClusters:
    """Return the kinds of tissue of what the sampler draws; the same ones for the same inputs and seed on a CPU.

    Parameters
    ----------
    encoder, normalization
        As `TissueKinds`.
    dataset, sampler
        Of the training.
    search
        How many patches, how many kinds.
    seed
        Of k-means.
    folder
        Where they are kept, so that a training that goes on has the same ones whatever the machine; None keeps none.
    key
        What they depend on beside the patches: those of another key are not taken up.

    Raises
    ------
    SlideError
        A slide can't be read.
    TrainingDataError
        Patches that all look the same.
    """
    batches = [sampler.batch(_CLUSTER_STEPS + number, search.batch_size) for number in range(search.batches)]
    key = _digest(key, search, seed, batches)
    kept = _kept_clusters(folder, key)
    if kept is not None:
        return kept
    features = np.concatenate(
        [patch_features(encoder, normalization, patch_tensor(read_patches(dataset, spots))) for spots in batches]
    )
    count = min(search.options.count, len(np.unique(features, axis=0)))
    clusters = TissueClusters.fit(features, seed=seed, options=replace(search.options, count=count))
    logger.info("kinds of tissue found: %d among %d patches", clusters.count, len(features))
    if folder is not None:
        tensors = {name: torch.from_numpy(array) for name, array in clusters.to_arrays().items()}
        save_resume_state(folder, ResumeState(key, 0, tensors, {}))
    return clusters


def _digest(key: str, *inputs: object) -> str:
    return hashlib.sha256("\n".join([key, *map(repr, inputs)]).encode()).hexdigest()


def _kept_clusters(folder: Path | None, key: str) -> TissueClusters | None:
    if folder is None:
        return None
    try:
        state = load_resume_state(folder, key)
        return None if state is None else TissueClusters.from_arrays({k: t.numpy() for k, t in state.tensors.items()})
    except CheckpointError as error:
        logger.warning("kinds of tissue are found anew: %s", error)
        return None
