"""Masks and patch labels of a training, from its slides to the makers of its batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bridge.annotations import ClassScheme
from models.checkpoints import NetCard
from models.data import (
    Augmentation,
    BatchMaker,
    LabelMaker,
    LabelSampler,
    PatchIndex,
    SamplingOptions,
    Share,
    SlideIndex,
    TileDataset,
    TrainingSlide,
    TreeSampler,
    index_patch_labels,
)
from models.training.options import TrainingOptions
from models.training.weak_task import split_batch


@dataclass(frozen=True, slots=True, eq=False)
class LabelData:
    """Where masks and patch labels are.

    Parameters
    ----------
    masks
        Of the slides that have any labelled pixel.
    patches
        Of the slides that have any patch label.
    """

    masks: Sequence[SlideIndex]
    patches: Sequence[PatchIndex]

    @classmethod
    def of(cls, slides: Sequence[TrainingSlide], masks: Sequence[SlideIndex], card: NetCard) -> LabelData:
        """Return the masks as they were indexed, and the slides' patch labels; errors as `index_patch_labels`."""
        patches = [index_patch_labels(slide, card.mpp, card.tile_px) for slide in slides if slide.plan.patch_labels]
        return cls([index for index in masks if index.positions], [index for index in patches if index.boxes])

    @property
    def labels(self) -> dict[str, set[int]]:
        """Slide key → the labels that train there, of either kind."""
        found: dict[str, set[int]] = {}
        for index in self.masks:
            found.setdefault(index.slide_key, set()).update(index.positions)
        for patch in self.patches:
            found.setdefault(patch.slide_key, set()).update(patch.boxes)
        return found

    def patch_counts(self, scheme: ClassScheme) -> tuple[int, ...]:
        """Return patch labels per class."""
        return tuple(sum(index.counts.get(label, 0) for index in self.patches) for label in range(len(scheme.names)))


def make_makers(
    slides: Sequence[TrainingSlide],
    scheme: ClassScheme,
    card: NetCard,
    data: LabelData,
    options: TrainingOptions,
    *,
    label_share: float,
    sampling: SamplingOptions | None = None,
    share: Share = Share(),  # noqa: B008 - frozen
) -> tuple[BatchMaker | None, LabelMaker | None]:
    """Return what makes the two halves of each batch; None of a kind that nothing is of.

    Parameters
    ----------
    slides, scheme, options
        Of the training.
    card
        Of the net.
    data
        Where the labels are.
    label_share
        Of a batch's tiles, where there are both kinds; see `split_batch`.
    sampling
        Of the masks, where it isn't the training's.
    share
        Which of a batch's tiles are made here.
    """
    n_masks, n_labels = split_batch(
        options.batch_size, label_share, has_masks=bool(data.masks), has_labels=bool(data.patches)
    )
    metadata = {slide.key: slide.metadata for slide in slides}
    dataset = TileDataset(slides, scheme, card.mpp, cache_mb=options.cache_mb)
    augmentation = Augmentation(options.augmentation)
    tile_px, seed = card.tile_px, options.seed
    masks, labels = None, None
    if data.masks:
        tree = TreeSampler(data.masks, metadata, tile_px=tile_px, options=sampling or options.sampling, seed=seed)
        masks = BatchMaker(dataset, tree, augmentation, batch_size=n_masks, seed=seed, share=share)
    if data.patches:
        sampler = LabelSampler(data.patches, metadata, tile_px=tile_px, options=options.sampling, seed=seed)
        labels = LabelMaker(dataset, sampler, augmentation, batch_size=n_labels, seed=seed, share=share)
    return masks, labels


def without_jitter(sampling: SamplingOptions) -> SamplingOptions:
    """Return options that keep a tile centred on its position."""
    return replace(sampling, jitter=0.0)
