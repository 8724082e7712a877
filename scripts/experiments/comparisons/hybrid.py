"""The experiment ``hybrid``: Otsu, UNet-LR, patch-wise and patch-wise with refinement, on one grid (H2G-Net)."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Any

import numpy as np

from bridge.annotations import ClassScheme
from bridge.slides import tissue_mask
from models.checkpoints import Checkpoint
from models.data import PatchOptions, SamplingOptions, TrainingSlide
from models.inference import HybridPredictor, PredictionProgress, Runtime
from models.metrics import SlideScore
from models.nets import NetKind, NetOptions
from models.nets.refinement import REFINEMENT_CHANNELS
from models.training import Hybrid, HybridOptions, RefinementBatches, TrainingOptions
from scripts.experiments.comparisons.drawing import draw_slides
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result
from scripts.experiments.comparisons.hybrid_account import (
    ACCOUNT,
    PATCHES_SECONDS,
    REFINEMENT_SECONDS,
    Arm,
    draw_dice,
    numbers_of,
    read_order,
    score_table,
)
from scripts.experiments.comparisons.judging import confusion_on, found_mask, judging_window, otsu_mask
from scripts.experiments.comparisons.material import described, opened_slides, scheme_of
from scripts.experiments.settings import SETTINGS, Claim, Setting
from scripts.tables import Table
from scripts.units import Unit

_VERSION = 1
_CLASS = "Tumor"
_PAIRS = 6  # of centre and grade, which take turns in a setting's slides
_POOL_SEED = 1  # of the slides, which a unit's seed divides; those of 0 were seen while the numbers here were set


@dataclass(frozen=True, slots=True)
class HybridBudget:
    """Sizes, and what each net may spend.

    Parameters
    ----------
    steps
        Of every net: the classifier, those of the folds, the refinement, UNet-LR.
    side_px, mpp
        Of the slides: the setting's 4096 µm a side, whatever the pixels.
    patch_px
        256 µm.
    batch_size
        Patches a step. With 8 the classifier hardly learns: too few for the batch normalization of its head.
    refine_px
        Side of the whole slide as refinement and UNet-LR see it.
    channels
        Of their levels.
    accumulation
        Parts of a refinement step, two slides each.
    folds
        Of the training slides, whose heat maps come from a classifier that never saw them.
    slides
        In the pool; half of each pair of centre and grade trains, the other half judges.
    """

    steps: int = 100
    side_px: int = 1536
    mpp: float = 8 / 3
    patch_px: int = 96
    batch_size: int = 16
    refine_px: int = 128
    channels: tuple[int, ...] = (8, 16, 32, 64, 128, 128)
    accumulation: int = 2
    folds: int = 2
    slides: int = 12


LONG = HybridBudget(
    steps=1000,
    side_px=4096,
    mpp=1.0,
    patch_px=256,
    batch_size=32,
    refine_px=1024,
    channels=REFINEMENT_CHANNELS,
    accumulation=6,
    folds=3,
    slides=24,
)


class HybridExperiment:
    """The four designs on the claim's settings (``Experiment``).

    Parameters
    ----------
    options
        Of the run.
    budget
        The form's, if None.
    """

    name = "hybrid"
    title = "Patch-wise heat map with refinement (H2G-Net) against patch-wise, UNet-LR and Otsu"
    is_timed = False

    def __init__(self, options: ExperimentOptions, budget: HybridBudget | None = None) -> None:
        self._options = options
        self._budget = budget or (LONG if options.full else HybridBudget())

    @property
    def account(self) -> str:
        """What is compared, and how."""
        training = self._training(0)
        return ACCOUNT.format(
            **asdict(self._budget),
            half=self._budget.slides // 2,
            rate=training.learning_rate,
            encoder=training.learning_rate * training.encoder_share,
            refine_rate=self._model(is_guided=True).refine_rate,
        )

    @cached_property
    def settings(self) -> Sequence[Setting]:
        """The claim's three, at the budget's pixels."""
        budget = self._budget
        return [
            replace(s, slide=replace(s.slide, width_px=budget.side_px, height_px=budget.side_px, mpp=budget.mpp))
            for s in SETTINGS
            if s.claim is Claim.HYBRID
        ]

    def units(self) -> Sequence[Unit]:
        """Return one unit per setting and seed."""
        return [self._unit(setting, seed) for seed in range(self._options.seeds) for setting in self.settings]

    def run(self, unit: Unit) -> Numbers:
        """Train on half of the pool, judge all designs on the other."""
        setting = next(s for s in self.settings if s.name == unit.inputs["setting"])
        scheme, folder = scheme_of([_CLASS]), self._options.folder
        draw_slides(setting, range(self._budget.slides), _POOL_SEED, folder, scheme, processes=self._options.threads)
        with ExitStack() as stack:
            train, test = (
                stack.enter_context(opened_slides(setting, numbers, _POOL_SEED, folder, scheme))
                for numbers in (unit.inputs["train"], unit.inputs["test"])
            )
            guided = self._trained(unit, train, scheme, is_guided=True)
            alone = self._trained(unit, train, scheme, is_guided=False)
            numbers = self._judged(test, scheme, guided, alone)
        shutil.rmtree(self._states(unit), ignore_errors=True)
        return numbers

    def table(self, results: Sequence[Result]) -> Table:
        """Return recall, precision and Dice per setting and design, Dice per grade, the paper's beside them."""
        return score_table(results)

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw Dice per setting and design."""
        return draw_dice(results)

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Hold the order of the designs, and the refinement's share of the time, against the paper's."""
        return read_order(results, self.settings)

    def _unit(self, setting: Setting, seed: int) -> Unit:
        train, test = split_pool(self._budget.slides, seed)
        inputs = {
            "setting": setting.name,
            "seed": seed,
            "train": train,
            "test": test,
            "numbers": described(setting),
            "budget": asdict(self._budget),
            "version": _VERSION,
        }
        return Unit(f"{setting.name}-seed{seed}", inputs)

    def _states(self, unit: Unit) -> Any:  # a Path
        return self._options.folder / "states" / f"{unit.name}-{unit.key}"

    def _trained(
        self, unit: Unit, slides: Sequence[TrainingSlide], scheme: ClassScheme, *, is_guided: bool
    ) -> Checkpoint:
        """Train one design, from where a run that was cut off left it."""
        design = Hybrid(self._model(is_guided))
        name = "guided" if is_guided else "alone"
        candidate = design.fit(
            slides,
            scheme,
            self._training(int(unit.inputs["seed"])),
            resume_folder=self._states(unit) / name,
            keep_state=True,
        )
        return candidate.checkpoint

    def _model(self, is_guided: bool) -> HybridOptions:
        budget = self._budget
        return HybridOptions(
            mpp=budget.mpp,
            patches=PatchOptions(patch_px=budget.patch_px, stride_px=budget.patch_px // 2),
            is_guided=is_guided,
            refinement=NetOptions(kind=NetKind.REFINEMENT, encoder_channels=budget.channels, pretrained=False),
            refine_mpp=budget.mpp * budget.side_px / budget.refine_px,
            refine_px=budget.refine_px,
            batches=RefinementBatches(size=2, accumulation=budget.accumulation),
            folds=budget.folds,
        )

    def _training(self, seed: int) -> TrainingOptions:
        steps = self._budget.steps
        return TrainingOptions(
            max_steps=steps,
            max_seconds=None,
            batch_size=self._budget.batch_size,
            evaluate_every=steps,
            checkpoint_every=min(steps, 50),
            seed=seed,
            device="cpu",
            sampling=SamplingOptions(tree=("grade", "slide", "class"), replay=1.0),  # the paper's
        )

    def _judged(
        self, slides: Sequence[TrainingSlide], scheme: ClassScheme, guided: Checkpoint, alone: Checkpoint
    ) -> Numbers:
        hybrid, unet = (
            HybridPredictor(checkpoint, device="cpu", runtime=Runtime.TORCH, threads=self._options.threads)
            for checkpoint in (guided, alone)
        )
        assert hybrid.patches is not None, "it was trained guided"
        numbers: dict[str, float] = defaultdict(float)
        for slide in slides:
            tissue, window = tissue_mask(slide.slide), judging_window(slide.slide)
            stages = _Stages(perf_counter)
            refined = list(hybrid.predict(slide.slide, tissue, progress=stages.tell))
            stages.end()
            found = {
                Arm.OTSU: otsu_mask(slide.slide, window),
                Arm.UNET_LR: found_mask(unet.predict(slide.slide, tissue), window),
                Arm.PATCHWISE: found_mask(hybrid.patches.predict(slide.slide, tissue), window),
                Arm.HYBRID: found_mask(refined, window),
            }
            numbers[PATCHES_SECONDS] += stages.first
            numbers[REFINEMENT_SECONDS] += stages.second
            for arm, mask in found.items():
                confusion = confusion_on(slide, scheme, mask, window)
                score = SlideScore.from_confusion(slide.key, confusion, group=slide.metadata["grade"])
                numbers |= numbers_of(arm, score)
        return dict(numbers)


def split_pool(slides: int, seed: int) -> tuple[list[int], list[int]]:
    """Return which slides of a pool train and which judge: of each pair of centre and grade one half each.

    Parameters
    ----------
    slides
        A multiple of 12.
    seed
        Draws the halves.
    """
    generator = np.random.default_rng(seed)
    train: list[int] = []
    for pair in range(_PAIRS):
        members = generator.permutation(np.arange(pair, slides, _PAIRS))
        train.extend(int(number) for number in members[: len(members) // 2])
    return sorted(train), sorted(set(range(slides)) - set(train))


class _Stages:
    """Seconds of the two stages of a prediction, told apart by its progress: the second adds tiles to the sum."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = self._between = clock()
        self._tiles: int | None = None
        self.first = self.second = 0.0

    def tell(self, now: PredictionProgress) -> None:
        """Note a batch."""
        if self._tiles is None:
            self._tiles = now.all_tiles
        if now.all_tiles == self._tiles:
            self._between = self._clock()

    def end(self) -> None:
        """Note the end."""
        self.first = self._between - self._began
        self.second = self._clock() - self._between
