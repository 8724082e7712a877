"""The design *patchwise* (H2G-Net's first stage, ARS's classifier) behind the interface that all designs share."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Unpack

from torch import nn

from bridge.annotations import ClassScheme, Part
from bridge.raster import ProbabilityMap
from bridge.slides import Slide, TissueMask, tissue_mask
from models.checkpoints import Checkpoint, DesignName, NetCard, NetRole
from models.data import (
    Augmentation,
    SlideIndex,
    TileDataset,
    TrainingSlide,
    TreeSampler,
    index_patches,
)
from models.errors import TrainingDataError
from models.inference import Area, PredictionOptions, Runtime, SlidePredictor, open_predictor
from models.nets import Net, choose_device
from models.training.labels import labels_of, require_labels
from models.training.loop import TrainedNet
from models.training.options import TrainingOptions
from models.training.patch_task import PatchLoss, PatchTask, make_patch_judge
from models.training.patchwise_options import PatchwiseOptions
from models.training.run import Candidate, FitArguments, Run
from models.training.tissue_kinds import TissueKinds, find_clusters


@dataclass(frozen=True, slots=True)
class Patchwise:
    """A class per patch, stitched to a map.

    Parameters
    ----------
    model
        The net, its patches and its loss.
    """

    model: PatchwiseOptions = field(default_factory=PatchwiseOptions)

    def fit(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        **how: Unpack[FitArguments],
    ) -> Candidate:
        """Train; as `Design.fit`. Of the options ``tile_px`` and ``sampling.jitter`` are the patches' own here."""
        run = Run.of(slides, scheme, options, **how)
        trained = train_patches(run, self.model, max_seconds=options.max_seconds)
        return run.end(DesignName.PATCHWISE, [trained])

    def predictor(
        self, checkpoint: Checkpoint, *, device: str = "auto", runtime: Runtime = Runtime.AUTO, threads: int = 0
    ) -> SlidePredictor:
        """Return the checkpoint, ready to predict slide after slide; as `Design.predictor`."""
        return open_predictor(
            checkpoint,
            stride_px=self.model.map_stride_px,
            tissue=self.model.tissue,
            device=device,
            runtime=runtime,
            threads=threads,
        )

    def predict(
        self, checkpoint: Checkpoint, slide: Slide, tissue: Area, options: PredictionOptions | None = None
    ) -> Iterator[ProbabilityMap]:
        """Yield one slide's probabilities in bands; errors as `PatchwisePredictor.predict`."""
        return self.predictor(checkpoint).predict(slide, tissue, options)


def train_patches(
    run: Run, model: PatchwiseOptions, *, max_seconds: float | None, name: str = ""
) -> tuple[NetCard, TrainedNet]:
    """Train the patch classifier of a design; *hybrid* has one, too.

    Parameters
    ----------
    run
        Slides, scheme, options.
    model
        The net, its patches and its loss.
    max_seconds
        Its share of the time.
    name
        Tells it from other patch classifiers of the same run.

    Raises
    ------
    TrainingDataError, CheckpointError, MissingResolutionError, SlideError
        As `Design.fit`.
    """
    card = patch_card(model, run.scheme)
    run.check_weights([card], model.weights_path)
    tissues = {s.key: tissue_mask(s.slide, model.tissue) for s in run.slides if not s.plan.is_empty}
    indices = _index(run, model, tissues, Part.TRAINING)
    _require_patches(run, model, indices)
    dataset = TileDataset(run.slides, run.scheme, card.mpp, cache_mb=run.options.cache_mb)
    sampler = _sampler(run, card, indices)
    net = run.start(card, weights_path=model.weights_path)
    kinds = _tissue_kinds(run, card, model, net, dataset, sampler, name)
    options = run.options
    task = PatchTask(
        dataset,
        sampler,
        Augmentation(options.augmentation),
        card.normalization,
        loss=model.loss,
        kinds=kinds,
        device=choose_device(options.device),
        batch_size=options.batch_size,
        seed=options.seed,
        ranks=run.ranks,
    )
    key = [repr(replace(model, weights_path=None, map_stride_px=None)), _hash_of(kinds)]
    judge = _judge(run, card, model, tissues)
    return card, run.train(card, net, task, judge, max_seconds=max_seconds, name=name, key=key)


def patch_card(model: PatchwiseOptions, scheme: ClassScheme) -> NetCard:
    """Return the card of the patch classifier."""
    return NetCard(NetRole.HIGH, model.net, scheme.names, model.mpp, model.patches.patch_px, model.net.normalization)


def _index(run: Run, model: PatchwiseOptions, tissues: Mapping[str, TissueMask], part: Part) -> list[SlideIndex]:
    found = [
        index_patches(slide, run.scheme, model.mpp, model.patches, part, tissue=tissues.get(slide.key))
        for slide in run.slides
    ]
    return [index for index in found if index.positions]


def _require_patches(run: Run, model: PatchwiseOptions, indices: Sequence[SlideIndex]) -> None:
    try:
        require_labels(labels_of(indices), run.scheme, run.options.min_labels)
    except TrainingDataError as error:
        # There may be labels, and no patch: boxes are too small, or what is labelled is smaller than a quarter of one.
        side = f"{model.patches.patch_px} px ({model.patches.patch_px * model.mpp:g} µm)"
        raise TrainingDataError(f"{error}, as large as a patch of {side}; or set a smaller [model] patch_px") from error


def _sampler(run: Run, card: NetCard, indices: Sequence[SlideIndex]) -> TreeSampler:
    metadata = {slide.key: slide.metadata for slide in run.slides}
    as_indexed = replace(run.options.sampling, jitter=0.0)  # a patch beside this one has a label of its own
    return TreeSampler(indices, metadata, tile_px=card.tile_px, options=as_indexed, seed=run.options.seed)


def _tissue_kinds(
    run: Run, card: NetCard, model: PatchwiseOptions, net: Net, dataset: TileDataset, sampler: TreeSampler, name: str
) -> TissueKinds | None:
    """Return what tells the kind of tissue: clusters of what the net's encoder sees, as it is before the training."""
    if model.loss is PatchLoss.CE:
        return None
    encoder = net.pretrained_part()
    assert encoder is not None, "a patch classifier has an encoder"
    encoder = copy.deepcopy(encoder).eval()
    folder = run.resume_folder / f"{name or card.role.value}-clusters" if run.resume_folder is not None else None
    find = partial(
        find_clusters,
        encoder,
        card.normalization,
        dataset,
        sampler,
        model.clusters,
        seed=run.options.seed,
        folder=folder,
        key=f"{card!r} {run.parent.id if run.parent is not None else None} {net.weights_sha256}",
    )
    clusters = run.ranks.from_first(find)
    return TissueKinds(encoder, card.normalization, clusters)


def _judge(
    run: Run, card: NetCard, model: PatchwiseOptions, tissues: Mapping[str, TissueMask]
) -> Callable[[nn.Module], float] | None:
    """Return what a net's training is stopped by, or None where nothing held out makes a patch."""
    indices = _index(run, model, tissues, Part.HOLD_OUT)
    if not indices:
        return None
    return make_patch_judge(
        TileDataset(run.slides, run.scheme, card.mpp, Part.HOLD_OUT, cache_mb=0),
        _sampler(run, card, indices),
        card.normalization,
        patches=model.judging_patches,
        batch_size=run.options.batch_size,
    )


def _hash_of(kinds: TissueKinds | None) -> str:
    return "" if kinds is None else hashlib.sha256(kinds.clusters.to_bytes()).hexdigest()
