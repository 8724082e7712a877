"""Transfer: a small budget from ImageNet weights, and the same from scratch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bridge.annotations import ClassScheme, Part
from models.data import TrainingSlide
from models.metrics import Spread
from models.nets import NetOptions
from models.training import DeepZoom, ModelOptions, TrainingOptions, evaluate
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result, spread_of
from scripts.experiments.comparisons.material import described, opened_slides, resized, scheme_of
from scripts.experiments.comparisons.pictures import NUCLEUS, judged_pictures, opened_pictures, training_pictures
from scripts.experiments.settings import Setting, setting
from scripts.figures import bars, new_figure
from scripts.tables import Cell, Table, said
from scripts.units import Unit

_VERSION = 2
IMAGENET, SCRATCH = "ImageNet", "from scratch"


@dataclass(frozen=True, slots=True)
class TransferScale:
    """How large the comparison is.

    Parameters
    ----------
    steps
        Budgets, in batches.
    pictures
        Labelled pictures per seed, drawn by it.
    judged
        Test pictures, the first so many.
    tile_px, batch_size
        Of training.
    side_px
        Of generated slides, where there are no real pictures.
    """

    steps: tuple[int, ...] = (15, 60)
    pictures: int = 4
    judged: int = 7
    tile_px: int = 128
    batch_size: int = 8
    side_px: int = 2048


FULL = TransferScale(steps=(15, 60, 240))


class TransferExperiment:
    """Dice after a fixed small budget (`Experiment`)."""

    name = "transfer"
    title = "Transfer: ImageNet weights against from scratch"
    is_timed = False

    def __init__(self, options: ExperimentOptions, scale: TransferScale | None = None) -> None:
        self._options = options
        self._scale = scale or (FULL if options.full else TransferScale())
        self._pictures = training_pictures(options.data)
        self._judged = judged_pictures(options.data)[: self._scale.judged]

    @property
    def settings(self) -> Sequence[Setting]:
        """None: on real pictures where they are."""
        return ()

    @property
    def account(self) -> str:
        """What is compared, and how."""
        scale = self._scale
        on = (
            f"{scale.pictures} of MoNuSeg's 14 training pictures per seed, drawn by it; Dice of nuclei over all pixels"
            f" of {len(self._judged)} test pictures of other patients"
            if self._pictures
            else "one generated slide per seed (no real pictures were at hand); Dice of glomeruli on another"
        )
        return (
            f"One network on `efficientnet_lite0` at a fixed budget: {' and '.join(map(str, scale.steps))} steps of"
            f" {scale.batch_size} tiles of {scale.tile_px} pixels, each budget a training of its own. Trained on {on}."
            " Both begin with the same random decoder. ImageNet weights keep their normalization's statistics and learn"
            " at a fifth of the decoder's rate, as is the product's default; from scratch everything learns at the full"
            " rate with statistics of its own, so that it isn't held back by what only pretrained weights need. The"
            " papers' own ImageNet weights (ResNet, MobileNetV2) come with no package: `efficientnet_lite0`'s stand in."
        )

    def units(self) -> Sequence[Unit]:
        """Return one unit per seed, budget and start."""
        return [
            self._unit(seed, steps, start)
            for seed in range(self._options.seeds)
            for steps in self._scale.steps
            for start in (IMAGENET, SCRATCH)
        ]

    def run(self, unit: Unit) -> Numbers:
        """Train and judge once."""
        seed, is_pretrained = int(unit.inputs["seed"]), unit.inputs["start"] == IMAGENET
        states = self._options.folder / "states" / self.name / unit.key
        design = DeepZoom(ModelOptions(mpp=self._mpp, one_network=True, high=NetOptions(pretrained=is_pretrained)))
        with self._material(seed) as (training, judged, scheme):
            candidate = design.fit(
                training,
                scheme,
                _training(self._scale, int(unit.inputs["steps"]), seed, is_pretrained),
                resume_folder=states,
            )
            predictor = design.predictor(candidate.checkpoint, device="cpu", threads=self._options.threads)
            scores = evaluate(predictor, judged, scheme, part=Part.TRAINING)
        shutil.rmtree(states, ignore_errors=True)
        return {"dice": scores.mean_dice}

    def table(self, results: Sequence[Result]) -> Table:
        """Return Dice per budget and start, and what ImageNet weights gain within a seed."""
        rows: list[tuple[Cell, ...]] = []
        for steps in self._scale.steps:
            dice = [spread_of(results, "dice", steps=steps, start=start) for start in (IMAGENET, SCRATCH)]
            rows.append((steps, *dice, _gain(results, steps)))
        return Table(("steps", f"Dice, {IMAGENET}", f"Dice, {SCRATCH}", "gain"), tuple(rows))

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw Dice per budget."""
        figure = new_figure()
        axes = figure.add_subplot()
        arms = [
            (start, [spread_of(results, "dice", steps=steps, start=start) for steps in self._scale.steps])
            for start in (IMAGENET, SCRATCH)
        ]
        bars(axes, [f"{steps} steps" for steps in self._scale.steps], arms)
        axes.set_ylabel("Dice")
        axes.set_ylim(0, 1.15)
        return figure

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Say per budget whether ImageNet weights help by more than the gain's sd."""
        readings = []
        for steps in self._scale.steps:
            gain = _gain(results, steps)
            claimed = None if gain.count < 2 else gain.mean > gain.sd
            evidence = f"Dice gained by ImageNet weights: {said(gain, 3, '+')}; claimed: more than its sd."
            readings.append(Reading(f"{steps} steps", claimed, evidence))
        return readings

    @property
    def _mpp(self) -> float:
        return 0.5 if self._pictures else 1.0

    def _unit(self, seed: int, steps: int, start: str) -> Unit:
        scale = self._scale
        material: Any = described(self._setting)  # JSON
        if self._pictures:
            material = [picture.digest() for picture in (*self._drawn(seed), *self._judged)]
        inputs = {
            "version": _VERSION,
            "seed": seed,
            "steps": steps,
            "start": start,
            "tile_px": scale.tile_px,
            "batch_size": scale.batch_size,
            "material": material,
        }
        return Unit(f"s{seed}-{steps}-{start.replace(' ', '-')}", inputs)

    @property
    def _setting(self) -> Setting:
        return resized(setting("deepzoom-medium"), self._scale.side_px)

    def _drawn(self, seed: int) -> list[Any]:
        order = np.random.default_rng(seed).permutation(len(self._pictures))
        return [self._pictures[i] for i in order[: self._scale.pictures]]

    @contextmanager
    def _material(self, seed: int) -> Iterator[tuple[list[TrainingSlide], list[TrainingSlide], ClassScheme]]:
        if self._pictures:
            with opened_pictures(self._drawn(seed)) as training, opened_pictures(self._judged) as judged:
                yield training, judged, NUCLEUS
            return
        scheme = scheme_of(["Glomerulus"])
        with opened_slides(self._setting, (0, 1), seed, self._options.folder, scheme) as slides:
            yield slides[:1], slides[1:], scheme


def _training(scale: TransferScale, steps: int, seed: int, is_pretrained: bool) -> TrainingOptions:
    options = TrainingOptions(
        max_steps=steps,
        max_seconds=None,
        batch_size=scale.batch_size,
        tile_px=scale.tile_px,
        seed=seed,
        device="cpu",
    )
    return options if is_pretrained else replace(options, encoder_share=1.0)


def _gain(results: Sequence[Result], steps: int) -> Spread:
    """Return the difference within each seed: both starts saw the same pictures and batches."""
    dice = {(r.unit.inputs["seed"], r.unit.inputs["start"]): r.numbers["dice"] for r in results if r.has(steps=steps)}
    seeds = sorted({seed for seed, _ in dice})
    return Spread.of(dice[seed, IMAGENET] - dice[seed, SCRATCH] for seed in seeds)
