"""DeepZoom (H-AI-L): two networks at two resolutions against one, on the three settings of its claim."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from bridge.slides import TissueMask, tissue_mask
from models.checkpoints import Checkpoint
from models.data import TrainingSlide
from models.inference import DeepZoomPredictor, HotSpotOptions, PredictionOptions, fitting_tiles
from models.metrics import Confusion
from models.nets import NetOptions
from models.training import DeepZoom, ModelOptions, TrainingOptions
from scripts.experiments.comparisons.deepzoom_account import FASTER, MOST_LOST, ONE, TWO, read_setting
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result, spread_of
from scripts.experiments.comparisons.material import described, opened_slides, resized, scheme_of
from scripts.experiments.comparisons.scoring import (
    ObjectCounts,
    confusion_of,
    count_objects,
    least_px2,
    most_probable,
    objects_of,
)
from scripts.experiments.settings import SETTINGS, Claim, Setting, setting
from scripts.figures import bars, new_figure
from scripts.tables import Cell, Table
from scripts.units import Unit

_VERSION = 1
_CLASS = "Glomerulus"
_LEAST_UM2 = 40.0  # the paper's 650 px at 0.25 µm: smaller objects are dropped


@dataclass(frozen=True, slots=True)
class DeepZoomScale:
    """How large the comparison is.

    Parameters
    ----------
    steps
        Of each net.
    training, judged
        Slides of each kind per setting and seed.
    side_px
        Of the slides; None as the setting has it.
    mpp
        µm per pixel of the one network, and of DeepZoom's second pass; its first pass sees 4 times larger pixels.
    tile_px, batch_size
        Of training.
    net
        Of both passes.
    """

    steps: int = 60
    training: int = 2
    judged: int = 2
    side_px: int | None = None
    mpp: float = 1.0
    tile_px: int = 128
    batch_size: int = 8
    net: NetOptions = field(default_factory=NetOptions)


FULL = DeepZoomScale(steps=200, training=4, judged=4, side_px=8192)


class DeepZoomExperiment:
    """Time, F1 and false positives of DeepZoom and of one network (`Experiment`)."""

    name = "deepzoom"
    title = "DeepZoom: two resolutions against one network"
    is_timed = True

    def __init__(self, options: ExperimentOptions, scale: DeepZoomScale | None = None) -> None:
        self._options = options
        self._scale = scale or (FULL if options.full else DeepZoomScale())

    @property
    def settings(self) -> Sequence[Setting]:
        """The claim's three."""
        return [s for s in SETTINGS if s.claim is Claim.DEEPZOOM]

    @property
    def account(self) -> str:
        """What is compared, and how."""
        scale, spots = self._scale, HotSpotOptions()
        sizes = f"of {scale.side_px} pixels a side" if scale.side_px else "of the setting's size"
        return (
            f"Per setting and seed {scale.training} slides {sizes} train and {scale.judged} others judge. Both designs"
            f" are trained in one go with the same budget per network ({scale.steps} steps of {scale.batch_size} tiles"
            f" of {scale.tile_px} pixels) from ImageNet weights of `{scale.net.encoder.value}`. They share the network"
            f" at {scale.mpp:g} µm per pixel: what differs is the first pass at {4 * scale.mpp:g} µm, which DeepZoom"
            " pays for with as many steps again. Hot spots are the product's defaults in all settings (probability from"
            f" {spots.threshold}, at least {spots.min_area_um2:g} µm², padded by {spots.padding_um:g} µm). Time is that"
            " of predicting a slide, from pixels on disk to a class per pixel, one design after the other in one"
            " process, the first in turns; finding the tissue is the same for both and left out. Both may take the"
            " tiles that cost the fewest pixels (512, 256 or 128 a side). Pixel F1 is Dice over all pixels of the"
            " judged slides; an object is found when it overlaps a true one with an IoU of 0.5 or more, and else a"
            f" false positive; objects below {_LEAST_UM2:g} µm² are dropped. Claimed: at least {FASTER:g} times faster,"
            f" neither F1 lower by more than {MOST_LOST}, fewer false positives."
        )

    def units(self) -> Sequence[Unit]:
        """Return one unit per seed and setting."""
        return [self._unit(s, seed) for seed in range(self._options.seeds) for s in self.settings]

    def run(self, unit: Unit) -> Numbers:
        """Train on some slides of a setting, predict others twice."""
        seed, chosen, scale = int(unit.inputs["seed"]), setting(str(unit.inputs["setting"])), self._scale
        scheme = scheme_of([_CLASS])
        numbers = range(scale.training + scale.judged)
        with opened_slides(self._sized(chosen), numbers, seed, self._options.folder, scheme) as slides:
            checkpoint = self._train(unit, slides[: scale.training], seed)
            judged = slides[scale.training :]
            arms = {ONE: self._predictor(checkpoint, True), TWO: self._predictor(checkpoint, False)}
            tally = {name: _Tally() for name in arms}
            for turn, slide in enumerate(judged):
                order = (ONE, TWO) if turn % 2 == 0 else (TWO, ONE)
                tissue = tissue_mask(slide.slide)
                for name in order:
                    _predict(arms[name], slide, tissue, tally[name])
        return _numbers(tally[ONE], tally[TWO], len(judged))

    def table(self, results: Sequence[Result]) -> Table:
        """Return the two designs beside each other, a row per setting."""
        rows: list[tuple[Cell, ...]] = []
        for chosen in self.settings:
            spreads = [spread_of(results, name, setting=chosen.name) for name in _COLUMNS]
            rows.append((chosen.stance.value, *spreads))
        digits = tuple((heading, count) for heading, count in _COLUMNS.values())
        return Table(("setting", *(heading for heading, _ in _COLUMNS.values())), tuple(rows), digits)

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw time, object F1 and false positives of both designs."""
        figure = new_figure(9.0, 3.2)
        stances = [s.stance.value for s in self.settings]
        for place, (heading, number) in enumerate(_PANELS, 1):
            axes = figure.add_subplot(1, len(_PANELS), place)
            arms = [
                (arm, [spread_of(results, f"{arm}: {number}", setting=s.name) for s in self.settings])
                for arm in (ONE, TWO)
            ]
            bars(axes, stances, arms, has_legend=place == 1)
            axes.set_title(heading, fontsize="medium")
        return figure

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Hold each setting's numbers against the claim, and against what the setting expected."""
        return [read_setting(s.stance, [r for r in results if r.has(setting=s.name)]) for s in self.settings]

    def _unit(self, chosen: Setting, seed: int) -> Unit:
        inputs = {
            "version": _VERSION,
            "setting": chosen.name,
            "material": described(self._sized(chosen)),
            "seed": seed,
            "scale": {**asdict(self._scale), "net": repr(self._scale.net)},
            "hot_spots": asdict(HotSpotOptions()),
        }
        return Unit(f"{chosen.stance}-s{seed}", inputs)

    def _sized(self, chosen: Setting) -> Setting:
        return chosen if self._scale.side_px is None else resized(chosen, self._scale.side_px)

    def _train(self, unit: Unit, slides: Sequence[TrainingSlide], seed: int) -> Checkpoint:
        states = self._options.folder / "states" / self.name / unit.key
        options = TrainingOptions(
            max_steps=self._scale.steps,
            max_seconds=None,
            batch_size=self._scale.batch_size,
            tile_px=self._scale.tile_px,
            seed=seed,
            device="cpu",
        )
        design = DeepZoom(ModelOptions(mpp=self._scale.mpp, high=self._scale.net, low=self._scale.net))
        candidate = design.fit(slides, scheme_of([_CLASS]), options, resume_folder=states)
        shutil.rmtree(states, ignore_errors=True)
        return candidate.checkpoint

    def _predictor(self, checkpoint: Checkpoint, one_network: bool) -> DeepZoomPredictor:
        return DeepZoomPredictor(checkpoint, one_network=one_network, device="cpu", threads=self._options.threads)


@dataclass(slots=True)
class _Tally:
    """What one design did on the judged slides so far."""

    seconds: float = 0.0
    objects: ObjectCounts = field(default_factory=ObjectCounts)
    confusion: Confusion | None = None


def _predict(
    predictor: DeepZoomPredictor,
    slide: TrainingSlide,
    tissue: TissueMask,
    tally: _Tally,
    clock: Callable[[], float] = perf_counter,
) -> None:
    began = clock()
    options = PredictionOptions()
    if predictor.low is None:
        options = fitting_tiles(slide.slide, predictor.high, tissue, options)  # as DeepZoom does for its second pass
    bands = most_probable(predictor.predict(slide.slide, tissue, options))
    tally.seconds += clock() - began
    scheme = scheme_of([_CLASS])
    confusion = confusion_of(slide, scheme, bands)
    tally.confusion = confusion if tally.confusion is None else tally.confusion + confusion
    outlines = objects_of(bands, scheme.label(_CLASS), least_px2(slide.slide, _LEAST_UM2))
    tally.objects += count_objects(outlines, [shape.geometry for shape in slide.plan.shapes])


def _numbers(one: _Tally, two: _Tally, slides: int) -> Numbers:
    numbers = {"times faster": one.seconds / two.seconds}
    for name, tally in ((ONE, one), (TWO, two)):
        assert tally.confusion is not None, "no slide was judged"
        numbers[f"{name}: seconds"] = tally.seconds / slides
        numbers[f"{name}: pixel F1"] = tally.confusion.dice()[_CLASS]
        numbers[f"{name}: object F1"] = tally.objects.f1
        numbers[f"{name}: false positives"] = tally.objects.false_positives / slides
    return numbers


_COLUMNS = {
    "times faster": ("times faster", 2),
    f"{ONE}: seconds": ("s per slide, one", 1),
    f"{TWO}: seconds": ("s per slide, DeepZoom", 1),
    f"{ONE}: pixel F1": ("pixel F1, one", 3),
    f"{TWO}: pixel F1": ("pixel F1, DeepZoom", 3),
    f"{ONE}: object F1": ("object F1, one", 3),
    f"{TWO}: object F1": ("object F1, DeepZoom", 3),
    f"{ONE}: false positives": ("false positives per slide, one", 1),
    f"{TWO}: false positives": ("false positives per slide, DeepZoom", 1),
}
_PANELS = (
    ("seconds per slide", "seconds"),
    ("object F1", "object F1"),
    ("false positives per slide", "false positives"),
)
