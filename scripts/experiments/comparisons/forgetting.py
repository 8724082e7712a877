"""Forgetting: five slides learned one after another, with replay of the older ones and without."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from bridge.annotations import ClassScheme, Part
from bridge.coords import Region
from models.checkpoints import Checkpoint
from models.data import SamplingOptions, TrainingSlide
from models.metrics import Spread
from models.nets import NetOptions
from models.training import DeepZoom, ModelOptions, TrainingOptions, evaluate
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result, spread_of
from scripts.experiments.comparisons.material import described, opened_slides, scheme_of
from scripts.experiments.comparisons.pictures import NUCLEUS, Picture, opened_pictures, training_pictures
from scripts.experiments.options import KidneyOptions, SlideOptions
from scripts.experiments.settings import Claim, Setting, Stance
from scripts.figures import COLORS, new_figure
from scripts.tables import Cell, Table, said
from scripts.units import Unit

_VERSION = 1
NAIVE, REPLAY = "naive", "replay"
REAL, GENERATED = "five organs", "five laboratories"
MOST_LOST = 0.01
_LEFT, _RIGHT = Region(0, 0, 600, 1000), Region(600, 0, 400, 1000)


@dataclass(frozen=True, slots=True)
class ForgettingScale:
    """How large the comparison is.

    Parameters
    ----------
    tasks
        Slides one after another.
    steps
        Batches per slide.
    replay
        Share of each batch that is drawn from everything, in the arm with replay.
    tile_px, batch_size
        Of training.
    side_px
        Of generated slides.
    net
        What learns.
    """

    tasks: int = 5
    steps: int = 40
    replay: float = 0.5
    tile_px: int = 128
    batch_size: int = 8
    side_px: int = 2048
    net: NetOptions = field(default_factory=NetOptions)


FULL = ForgettingScale(steps=150)


class ForgettingExperiment:
    """Dice on the first of five slides, after it and after the last (`Experiment`)."""

    name = "forgetting"
    title = "Forgetting: five slides one after another, with replay and without"
    is_timed = False

    def __init__(self, options: ExperimentOptions, scale: ForgettingScale | None = None) -> None:
        self._options = options
        self._scale = scale or (FULL if options.full else ForgettingScale())
        self._pictures = training_pictures(options.data)

    @property
    def settings(self) -> Sequence[Setting]:
        """None: no setting was written for it."""
        return ()

    @property
    def account(self) -> str:
        """What is compared, and how."""
        scale = self._scale
        real = (
            f"*{REAL}*: MoNuSeg pictures of {scale.tasks} different organs, drawn and put in order by the seed; nuclei;"
            " the left 60 % of a picture train, the rest judges"
            if self._pictures
            else "real pictures were not at hand"
        )
        return (
            f"{scale.tasks} slides are learned one after another, each training going on from the model before with"
            f" {scale.steps} steps of {scale.batch_size} tiles. *{NAIVE}* sees the newest slide only. *{REPLAY}* sees"
            f" all slides so far: {scale.replay:.0%} of each batch are drawn from everything, the rest from the newest"
            f" (`sampling.replay = {scale.replay}`, the product's default). Steps, rates and the first training are the"
            f" same. Two materials: {real}; *{GENERATED}*: generated kidneys of {scale.tasks} laboratories whose stains"
            " differ twice as much as is common, glomeruli, one slide of each trains and another judges. Lost is Dice"
            " on the first slide's judged part after its own training less that after the last; the aim with replay is"
            f" at most {MOST_LOST}. Claimed: replay keeps to the aim, and loses less than naive fine-tuning."
        )

    def units(self) -> Sequence[Unit]:
        """Return one unit per seed, material and arm."""
        return [
            self._unit(seed, material, arm)
            for seed in range(self._options.seeds)
            for material in self._materials
            for arm in (NAIVE, REPLAY)
        ]

    def run(self, unit: Unit) -> Numbers:
        """Train along the sequence; judge on the first slide after each training, on all after the last."""
        seed, is_replayed = int(unit.inputs["seed"]), unit.inputs["arm"] == REPLAY
        states = self._options.folder / "states" / self.name / unit.key
        numbers: dict[str, float] = {}
        champion: Checkpoint | None = None
        with self._opened(str(unit.inputs["material"]), seed) as (training, judged, scheme):
            for task, newest in enumerate(training):
                seen = [*training[:task], _emphasized(newest)] if is_replayed else [newest]
                options = _training(self._scale, seed)
                candidate = self._design(unit).fit(
                    seen, scheme, options, parent=champion, resume_folder=states / str(task), keep_state=True
                )
                champion = candidate.checkpoint
                numbers[f"dice on first after {task + 1}"] = self._dice(unit, champion, judged[:1], scheme)
            assert champion is not None, "a sequence holds at least one slide"
            numbers["dice on all"] = self._dice(unit, champion, judged, scheme)
        numbers["lost"] = numbers["dice on first after 1"] - numbers[f"dice on first after {self._scale.tasks}"]
        shutil.rmtree(states, ignore_errors=True)
        return numbers

    def table(self, results: Sequence[Result]) -> Table:
        """Return a row per material and arm."""
        last = self._scale.tasks
        columns = {
            "dice on first after 1": "Dice on the first, after it",
            f"dice on first after {last}": f"after all {last}",
            "lost": "lost",
            "dice on all": f"Dice on all {last} at the end",
        }
        rows: list[tuple[Cell, ...]] = []
        for material in self._materials:
            for arm in (NAIVE, REPLAY):
                spreads = [spread_of(results, name, material=material, arm=arm) for name in columns]
                rows.append((material, arm, *spreads))
        return Table(("material", "training", *columns.values()), tuple(rows))

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw Dice on the first slide along the sequence."""
        figure = new_figure(4.2 * len(self._materials), 3.4)
        tasks = range(1, self._scale.tasks + 1)
        for place, material in enumerate(self._materials, 1):
            axes = figure.add_subplot(1, len(self._materials), place)
            for color, arm in zip(COLORS, (NAIVE, REPLAY), strict=False):
                spreads = [spread_of(results, f"dice on first after {t}", material=material, arm=arm) for t in tasks]
                errors = [0.0 if s.sd != s.sd else s.sd for s in spreads]
                axes.errorbar(tasks, [s.mean for s in spreads], errors, capsize=3, color=color, label=arm, marker="o")
            axes.set_title(material, fontsize="medium")
            axes.set_xlabel("slides learned")
            axes.set_ylabel("Dice on the first")
            axes.set_xticks(list(tasks))
            axes.legend(frameon=False, fontsize="small")
            axes.spines[["top", "right"]].set_visible(False)
        return figure

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Say per material whether replay keeps to the aim and loses less than naive fine-tuning."""
        readings = []
        for material in self._materials:
            naive, replayed = (spread_of(results, "lost", material=material, arm=arm) for arm in (NAIVE, REPLAY))
            claimed = None
            if naive.count and replayed.count:
                claimed = replayed.mean <= MOST_LOST and replayed.mean < naive.mean
            evidence = (
                f"Dice lost on the first: {said(replayed)} with replay (aim: at most {MOST_LOST}), {said(naive)}"
                " without (claimed: more)."
            )
            readings.append(Reading(material, claimed, evidence))
        return readings

    @property
    def _materials(self) -> tuple[str, ...]:
        return (REAL, GENERATED) if self._pictures else (GENERATED,)

    @property
    def _setting(self) -> Setting:
        side = self._scale.side_px
        return Setting(
            Claim.DEEPZOOM,
            Stance.MEDIUM,
            SlideOptions(width_px=side, height_px=side, mpp=0.5, stain_variation=2.0),
            KidneyOptions(glomeruli_per_mm2=30.0, cortex_share=1.0, sclerosed_share=0.1, likeness=0.3),
            why="five laboratories whose stains differ twice as much as is common",
            expectation="",
            centers=tuple("ABCDEFGHIJ"[: self._scale.tasks]),
        )

    def _unit(self, seed: int, material: str, arm: str) -> Unit:
        source: Any = described(self._setting)  # JSON
        if material == REAL:
            source = [picture.digest() for picture in self._drawn(seed)]
        inputs = {
            "version": _VERSION,
            "seed": seed,
            "material": material,
            "arm": arm,
            "source": source,
            "scale": {**asdict(self._scale), "net": repr(self._scale.net)},
        }
        return Unit(f"{material.replace(' ', '-')}-s{seed}-{arm}", inputs)

    def _design(self, unit: Unit) -> DeepZoom:
        mpp = 0.5 if unit.inputs["material"] == REAL else 1.0
        return DeepZoom(ModelOptions(mpp=mpp, one_network=True, high=self._scale.net))

    def _drawn(self, seed: int) -> list[Picture]:
        """Return pictures of different organs, in the order that the seed gives."""
        by_organ: dict[str, Picture] = {}
        for i in np.random.default_rng(seed).permutation(len(self._pictures)):
            by_organ.setdefault(self._pictures[i].organ, self._pictures[i])
        return list(by_organ.values())[: self._scale.tasks]

    @contextmanager
    def _opened(
        self, material: str, seed: int
    ) -> Iterator[tuple[list[TrainingSlide], list[TrainingSlide], ClassScheme]]:
        """Give slides to learn, in order, and what judges them."""
        if material == REAL:
            drawn = self._drawn(seed)
            with opened_pictures(drawn, _LEFT) as training, opened_pictures(drawn, _RIGHT) as judged:
                yield training, judged, NUCLEUS
            return
        scheme, tasks = scheme_of(["Glomerulus"]), self._scale.tasks
        with opened_slides(self._setting, range(2 * tasks), seed, self._options.folder, scheme) as slides:
            yield slides[:tasks], slides[tasks:], scheme  # centres take turns: slide i + tasks is of slide i's

    def _dice(self, unit: Unit, checkpoint: Checkpoint, judged: Sequence[TrainingSlide], scheme: ClassScheme) -> float:
        predictor = self._design(unit).predictor(checkpoint, device="cpu", threads=self._options.threads)
        return Spread.of(evaluate(predictor, [slide], scheme, part=Part.TRAINING).mean_dice for slide in judged).mean


def _training(scale: ForgettingScale, seed: int) -> TrainingOptions:
    return TrainingOptions(
        max_steps=scale.steps,
        max_seconds=None,
        batch_size=scale.batch_size,
        tile_px=scale.tile_px,
        seed=seed,
        device="cpu",
        sampling=SamplingOptions(replay=scale.replay),
    )


def _emphasized(slide: TrainingSlide) -> TrainingSlide:
    """Return the slide with all of it new: what the store says of a slide labelled since the last training."""
    return replace(slide, plan=replace(slide.plan, emphasis=slide.plan.complete))
