"""What a training is told: its budget, its step sizes, its nets."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from models.data import AugmentationOptions, SamplingOptions
from models.nets import NetOptions

LOW_FACTOR = 4.0


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """The design and its nets (``[model]``).

    Parameters
    ----------
    mpp
        Working µm per pixel: what the high-resolution net sees.
    one_network
        No low-resolution pass.
    high
        The net that segments.
    low
        The net that finds hot-spots.
    low_factor
        Low-resolution pixels are this many times larger per side. H-AI-L's "1/16" is of the area: 4.
    weights_path
        File of the encoder's ImageNet weights, for encoders that no wheel has any of; its SHA-256 goes into the card.
    keep_low
        Take the low-resolution net in use as it is, where there is one: the same areas, new classes within them.
    label_share
        Share of a batch's tiles that have patch labels, for a net with a label head where there are both; the low net
        learns from them only if it has a head of its own.
    """

    mpp: float = 1.0
    one_network: bool = False
    high: NetOptions = field(default_factory=NetOptions)
    low: NetOptions = field(default_factory=NetOptions)
    low_factor: float = LOW_FACTOR
    keep_low: bool = False
    weights_path: Path | None = None
    label_share: float = 0.25


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a training goes (``[train]``). The defaults are for some minutes on a GPU or a quick CPU.

    Parameters
    ----------
    max_steps
        Batches of each net at most; the learning rate falls to its end over them.
    max_seconds
        Of the whole training; where it would end before ``max_steps``, fewer steps are planned. None: no limit, and
        the result depends on the inputs alone.
    batch_size
        Tiles per step.
    tile_px
        Side of a training tile, in pixels of its net; rounded up to the net's stride.
    learning_rate
        AdamW's, at the top.
    encoder_share
        The encoder's learning rate as a share of that; pretrained weights need less.
    fine_tune_share
        Both rates as a share of that where training goes on from a parent: what it knows is corrected, not relearned.
    warm_up_steps
        The learning rate rises over these.
    weight_decay
        Of convolutions; biases and normalization have none.
    average
        Decay of the averaged weights, which are what is kept; 0 keeps the last ones.
    freeze_statistics
        A pretrained encoder's batch normalization keeps its running statistics: a few boxes are no population.
    dice_share, pooled_share, weight_power
        Of the loss, see ``SegmentationLoss`` and ``class_weights``.
    evaluate_every
        Steps between looks at the hold-out's loss; the best weights are kept.
    patience
        Looks without improvement before the training stops.
    evaluation_tiles
        Hold-out tiles per look at most.
    checkpoint_every
        Steps between states that a killed run resumes from.
    min_labels
        Different labels (background counts) that must be there.
    seed
        Of everything random.
    device
        ``auto``, ``cpu``, ``cuda``, ``mps``.
    cache_mb
        Decoded blocks kept in memory.
    sampling, augmentation
        Which tiles, and how they are changed.
    """

    max_steps: int = 2000
    max_seconds: float | None = 600.0
    batch_size: int = 8
    tile_px: int = 256
    learning_rate: float = 5e-3
    encoder_share: float = 0.2
    fine_tune_share: float = 0.4
    warm_up_steps: int = 5
    weight_decay: float = 1e-2
    average: float = 0.95
    freeze_statistics: bool = True
    dice_share: float = 1.0
    pooled_share: float = 1.0
    weight_power: float = 0.5
    evaluate_every: int = 50
    patience: int = 6
    evaluation_tiles: int = 16
    checkpoint_every: int = 100
    min_labels: int = 2
    seed: int = 0
    device: str = "auto"
    cache_mb: float = 512.0
    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
