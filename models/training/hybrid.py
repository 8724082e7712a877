"""The design *hybrid* (H2G-Net): a patch classifier, and a refinement that learns from its heat maps.

Pedersen et al., "Hybrid guiding: A multi-resolution refinement approach for semantic segmentation of gigapixel
histopathological images", 2022.

**Whose heat maps the refinement learns from.** A classifier is nearly always right on the patches that it was trained
on. A refinement that learned from such heat maps would learn to believe them, and would be shown quite other ones in
use. So the training slides are dealt out to folds (`split_folds`: whole slides, or all slides of a patient); for each
fold a classifier is trained on all other folds, and a slide's heat map is that of the classifier which never saw it.
Fold classifiers don't go on from a parent, for it has seen all those slides: they begin with ImageNet's weights, or
with those of another project (iteration 0) that were trained on no slide of the same name. They have seen less than the
final classifier, so that the refinement learns from slightly worse heat maps than it will get: the safe side.
Afterwards they are thrown away. Held-out slides and areas, which judge while the refinement is trained, have the heat
maps of the final classifier: it is what predicts later, and it trained on none of what judges there. With a single
slide, or patient, nobody is left to learn from: a warning says so, and the heat map is the final classifier's own. The
paper says nothing of folds; ``folds=1`` asks for its way, without the warning.

**One scale.** The paper squeezes each slide into 1024². Here the refinement sees all slides at ``refine_mpp``, in tiles
of ``refine_px``: a slide that fits into a tile is seen whole, along any side on which it fits; of a larger one, parts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Unpack

from bridge.annotations import ClassScheme
from bridge.raster import ProbabilityMap
from bridge.slides import Slide
from models.checkpoints import Card, Checkpoint, DesignName, NetCard, with_role
from models.data import GuidedSlide, TileDataset, TrainingSlide, TreeSampler, index_slide
from models.errors import TrainingDataError
from models.inference import Area, HybridPredictor, PredictionOptions, Runtime, SlidePredictor, open_predictor
from models.nets import choose_device, set_renorm_momentum
from models.training.folds import Fold, split_folds
from models.training.heat_maps import HeatMapMaker
from models.training.hybrid_options import HybridOptions, refinement_card
from models.training.labels import labels_of, require_labels
from models.training.loop import TrainedNet
from models.training.options import TrainingOptions
from models.training.patchwise import patch_card, train_patches
from models.training.refinement_task import RefinementTask, make_refinement_judge
from models.training.run import Candidate, FitArguments, Run

logger = logging.getLogger(__name__)

_PATCH_SHARE = 0.6  # of the time: all classifiers together
_LEAST_SHARE = 0.1  # of the time, for the refinement, however long the heat maps took


@dataclass(frozen=True, slots=True)
class Hybrid:
    """H2G-Net: patches find, the refinement outlines.

    Parameters
    ----------
    model
        Both nets.
    """

    model: HybridOptions = field(default_factory=HybridOptions)

    def fit(
        self,
        slides: Sequence[TrainingSlide],
        scheme: ClassScheme,
        options: TrainingOptions,
        **how: Unpack[FitArguments],
    ) -> Candidate:
        """Train; as `Design.fit`. The classifiers of all folds, the heat maps and the refinement are resumed alike."""
        run = Run.of(slides, scheme, options, **how)
        if self.model.is_guided:
            return _Training(run, self.model).fit()
        card = refinement_card(self.model, scheme)
        run.check_weights([card], self.model.weights_path)
        seen = _Seen(tuple(slides), tuple(slides), 0.0, ())
        return run.end(DesignName.HYBRID, [(card, _refine(run, self.model, card, seen))])

    def predictor(
        self, checkpoint: Checkpoint, *, device: str = "auto", runtime: Runtime = Runtime.AUTO, threads: int = 0
    ) -> SlidePredictor:
        """Return the checkpoint, ready to predict slide after slide; as `Design.predictor`."""
        model = self.model
        if checkpoint.card.design != DesignName.HYBRID.value:
            return open_predictor(checkpoint, device=device, runtime=runtime, threads=threads)
        return HybridPredictor(
            checkpoint,
            stride_px=model.map_stride_px,
            tissue=model.tissue,
            device=device,
            runtime=runtime,
            threads=threads,
        )

    def predict(
        self, checkpoint: Checkpoint, slide: Slide, tissue: Area, options: PredictionOptions | None = None
    ) -> Iterator[ProbabilityMap]:
        """Yield one slide's probabilities in bands; errors as `HybridPredictor.predict`."""
        return self.predictor(checkpoint).predict(slide, tissue, options)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the refinement sees.

    Parameters
    ----------
    training, judging
        The slides, guided by the heat maps that they train with and that they judge with.
    seconds
        What the heat maps took.
    digests
        Of the heat maps: what the training depends on beside slides and options.
    """

    training: tuple[TrainingSlide, ...]
    judging: tuple[TrainingSlide, ...]
    seconds: float
    digests: tuple[str, ...]


_Trained = tuple[NetCard, TrainedNet]


class _Training:
    """One training of both nets: classifier, fold classifiers, heat maps, refinement; in this order, each resumable."""

    def __init__(self, run: Run, model: HybridOptions) -> None:
        self._run = run
        self._model = model
        self._card = refinement_card(model, run.scheme)
        indices = [index_slide(slide, run.scheme, self._card.mpp) for slide in run.slides]
        require_labels(labels_of(indices), run.scheme, run.options.min_labels)  # before hours go into the patches
        self._trains = {index.slide_key for index in indices if index.positions}

    def fit(self) -> Candidate:
        run = self._run
        folds = self._folds()
        if folds:  # hours later it would be too late to learn that they have nothing to begin with
            strangers = replace(run, parent=_parent_from_elsewhere(run))
            strangers.check_weights([patch_card(self._model, run.scheme)], self._model.weights_path)
        seconds = _share(run.options.max_seconds, _PATCH_SHARE / (1 + len(folds)))
        final = train_patches(run.within(*_part_of(0, len(folds))), self._model.patchwise(), max_seconds=seconds)
        seen = self._look(final, folds, seconds) if final[1].is_finished else None
        refined = _refine(run, self._model, self._card, seen) if seen is not None else self._untrained()
        return run.end(DesignName.HYBRID, [final, (self._card, refined)])

    def _folds(self) -> tuple[Fold, ...]:
        """Return the folds of the slides that train; none where no classifier but the final one is to be trained."""
        training = [slide for slide in self._run.slides if slide.key in self._trains or slide.plan.patch_labels]
        folds = split_folds(training, self._model.folds, by=self._model.fold_by)
        if len(folds) < 2 and self._model.folds > 1:
            logger.warning(
                "one slide or patient only: the refinement learns from heat maps of the classifier that was trained on"
                " it, which are too good; label a second slide slides=%d",
                len(training),
            )
        return folds if len(folds) > 1 else ()

    def _look(self, final: _Trained, folds: Sequence[Fold], seconds: float | None) -> _Seen | None:
        """Return what the refinement sees, or None where the training was asked to stop before it was all there."""
        ours = self._maker(final)
        makers = {slide.key: ours for slide in self._run.slides}
        for number, fold in enumerate(folds):
            stranger = self._stranger(number, fold, seconds, _part_of(1 + number, len(folds)))
            if stranger is None:
                continue
            if not stranger[1].is_finished:
                return None
            maker = self._maker(stranger)
            makers |= {slide.key: maker for slide in fold}
        return self._guided(makers, ours)

    def _stranger(self, number: int, fold: Fold, seconds: float | None, part: tuple[float, float]) -> _Trained | None:
        """Return a classifier that saw no slide of a fold; None where too little is labelled on all others."""
        run, unseen = self._run, {slide.key for slide in fold}
        rest = [slide for slide in run.slides if slide.key not in unseen]
        others = replace(run.within(*part), slides=rest, parent=_parent_from_elsewhere(run))
        try:
            return train_patches(others, self._model.patchwise(), max_seconds=seconds, name=f"fold-{number}")
        except TrainingDataError as error:
            logger.warning(
                "on %d slides the refinement learns from heat maps of the classifier that was trained on them, which"
                " are too good: without them there are %s",
                len(fold),
                error,
            )
            return None

    def _maker(self, trained: _Trained) -> HeatMapMaker:
        card, net = trained
        checkpoint = Checkpoint.of(Card(DesignName.PATCHWISE.value, (card,)), with_role(net.weights, card.role))
        run, model = self._run, self._model
        return HeatMapMaker(
            checkpoint,
            stride_px=model.map_stride_px,
            tissue=model.tissue,
            reach=self._card,
            device=run.options.device,
            folder=run.resume_folder,
            clock=run.clock,
        )

    def _guided(self, makers: Mapping[str, HeatMapMaker], ours: HeatMapMaker) -> _Seen | None:
        training: list[TrainingSlide] = []
        judging: list[TrainingSlide] = []
        seconds, digests = 0.0, []
        for slide in self._run.slides:
            for maker, guided, is_needed in (
                (makers[slide.key], training, slide.key in self._trains),
                (ours, judging, bool(slide.plan.hold_out)),
            ):
                if not is_needed:
                    continue
                if self._run.ranks.any(self._run.stop()):
                    return None
                made = self._run.ranks.from_first(partial(maker.of, slide))
                guided.append(replace(slide, slide=GuidedSlide(slide.slide, made.heat)))
                seconds += made.seconds
                digests.append(made.digest)
        logger.info("heat maps made of=%d slides=%d seconds=%.0f", len(digests), len(self._run.slides), seconds)
        return _Seen(tuple(training), tuple(judging), seconds, tuple(digests))

    def _untrained(self) -> TrainedNet:
        """Return the refinement as it would begin: a training that was stopped before is a whole checkpoint, too."""
        net = self._run.start(self._card)
        return TrainedNet(net.state_dict(), 0, (), is_finished=False)


def _part_of(number: int, folds: int) -> tuple[float, float]:
    """Return from where to where a classifier's training goes in the whole: the final one's, then one for each fold."""
    length = _PATCH_SHARE / (1 + folds)
    return number * length, (number + 1) * length


def _parent_from_elsewhere(run: Run) -> Checkpoint | None:
    """Return the parent if it is another project's, and saw no slide of this one."""
    parent = run.parent
    if parent is None or parent.card.iteration > 0:
        return None
    return None if parent.card.data_hashes.keys() & {slide.key for slide in run.slides} else parent


def _refine(run: Run, model: HybridOptions, card: NetCard, seen: _Seen) -> TrainedNet:
    """Train the refinement on what it sees."""
    run = replace(run.within(_PATCH_SHARE, 1.0), options=replace(run.options, learning_rate=model.refine_rate))
    options = run.options
    device = choose_device(options.device)
    task = RefinementTask(
        TileDataset(seen.training, run.scheme, card.mpp, cache_mb=options.cache_mb),
        _sampler(run, card, seen.training),
        model.batches,
        normalization=card.normalization,
        device=device,
        seed=options.seed,
        ranks=run.ranks,
    )
    judge = make_refinement_judge(seen.judging, run.scheme, card, most_tiles=options.evaluation_tiles)
    net = run.start(card)
    set_renorm_momentum(net, model.momentum)
    key = (repr(model.batches), repr(model.momentum), *seen.digests)
    seconds = _refinement_seconds(model, options, seen.seconds)
    return run.train(card, net, task, judge, max_seconds=seconds, key=key)


def _sampler(run: Run, card: NetCard, slides: Sequence[TrainingSlide]) -> TreeSampler:
    options = run.options
    indices = [index_slide(slide, run.scheme, card.mpp) for slide in slides]
    require_labels(labels_of(indices), run.scheme, options.min_labels)
    labelled = [index for index in indices if index.positions]
    metadata = {slide.key: slide.metadata for slide in slides}
    return TreeSampler(labelled, metadata, tile_px=card.tile_px, options=options.sampling, seed=options.seed)


def _refinement_seconds(model: HybridOptions, options: TrainingOptions, spent: float) -> float | None:
    if options.max_seconds is None or not model.is_guided:
        return options.max_seconds
    return max(options.max_seconds * (1 - _PATCH_SHARE) - spent, options.max_seconds * _LEAST_SHARE)


def _share(seconds: float | None, share: float) -> float | None:
    return None if seconds is None else seconds * share
