"""The experiment ``weak``: masks alone (S) against masks and patch labels (S+C, S+C*), on few masks (L2S)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from models.data import SamplingOptions
from models.data.weak_subsets import WeakSetting, draw_subset
from models.inference import Runtime
from models.metrics import macro_f1, micro_f1, weighted_f1
from models.training import TrainingOptions, Weak, WeakOptions, evaluate
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result
from scripts.experiments.comparisons.material import resized
from scripts.experiments.comparisons.weak_account import ACCOUNT, draw_gains, f1_table, read_gains
from scripts.experiments.comparisons.weak_data import MPP, TILE_PX, GeneratedSource, RealSource, Source, WeakData
from scripts.experiments.comparisons.weak_pictures import ISLETS, NUCLEI, find_pictures
from scripts.experiments.comparisons.weak_tiles import teach
from scripts.experiments.settings import SETTINGS, Claim, Setting
from scripts.tables import Table
from scripts.units import Unit

_VERSION = 1


@dataclass(frozen=True, slots=True)
class WeakBudget:
    """What each arm may spend, alike: steps, tiles a step.

    Parameters
    ----------
    max_steps, batch_size
        Of each training; the paper's batches are 20.
    side_px
        Of generated slides.
    train, test
        Numbers of a setting's slides. Slides 0 and 3 are of one centre each, of grades that the training slides show
        from the other centre.
    percents
        s: shares of the masks.
    """

    max_steps: int
    side_px: int
    percents: tuple[float, ...]
    batch_size: int = 20
    train: tuple[int, ...] = (1, 2, 4, 5)
    test: tuple[int, ...] = (0, 3)


SHORT = WeakBudget(max_steps=40, side_px=2048, percents=(2.5, 10.0))
LONG = WeakBudget(max_steps=400, side_px=4096, percents=(1.0, 2.5, 5.0, 10.0))


class WeakExperiment:
    """S, S+C and S+C* (``Experiment``).

    Parameters
    ----------
    options
        Of the run.
    budget
        The form's, if None.
    """

    name = "weak"
    title = "Patch labels beside few masks (L2S): S, S+C, S+C*"
    is_timed = False

    def __init__(self, options: ExperimentOptions, budget: WeakBudget | None = None) -> None:
        self._options = options
        self._budget = budget or (LONG if options.full else SHORT)
        self._opened: tuple[Source, WeakData, ExitStack] | None = None

    @property
    def account(self) -> str:
        """What is compared, and how."""
        missing = sorted({NUCLEI, ISLETS} - {source.name for source in self._sources(0)})
        budget, training = self._budget, self._training(0)
        said = ACCOUNT.format(
            steps=budget.max_steps,
            batch=budget.batch_size,
            side=budget.side_px,
            rate=training.learning_rate,
            encoder=training.learning_rate * training.encoder_share,
        )
        return f"{said}\n\nThe real pictures of {' and '.join(missing)} were not there." if missing else said

    @cached_property
    def settings(self) -> Sequence[Setting]:
        """The claim's three."""
        return [resized(s, self._budget.side_px) for s in SETTINGS if s.claim is Claim.WEAK]

    def units(self) -> Sequence[Unit]:
        """Return every source, seed, share and arm; those of one source and seed follow one another."""
        return [
            self._unit(source, seed, percent, arm)
            for source, seed in self._pairs()
            for percent in self._budget.percents
            for arm in WeakSetting
        ]

    def run(self, unit: Unit) -> Numbers:
        """Train one arm, and judge it on the test pictures."""
        seed, percent, arm = unit.inputs["seed"], unit.inputs["percent"], WeakSetting(unit.inputs["arm"])
        source = next(s for s in self._sources(seed) if s.name == unit.inputs["set"])
        data = self._open(source)
        stock = data.stock
        subset = draw_subset([m.classes for m in stock.masks], len(stock.labels), percent, arm, seed=seed)
        slides = teach(data.train, stock, subset)
        design = Weak(WeakOptions(mpp=MPP))
        candidate = design.fit(slides, data.scheme, self._training(seed))
        predictor = design.predictor(
            candidate.checkpoint, device="cpu", runtime=Runtime.TORCH, threads=self._options.threads
        )
        confusion = evaluate(predictor, data.test, data.scheme, tile_px=512).confusion
        names = data.scheme.names
        return {
            "macro_f1": macro_f1(confusion),
            "micro_f1": micro_f1(confusion),
            "weighted_f1": weighted_f1(confusion),
            **{f"f1 {name}": value for name, value in confusion.dice().items()},
            "masks": len(subset.masks),
            "labels": len(subset.labels),
            "tiles mask": len(stock.masks),
            "tiles other": stock.useless,
            "tiles label": len(stock.labels),
            **{f"tiles label {names[label]}": count for label, count in stock.label_counts.items()},
        }

    def table(self, results: Sequence[Result]) -> Table:
        """Return F1 and gains per source, share and arm."""
        return f1_table(results)

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw the gains."""
        return draw_gains(results)

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Hold the gains against the paper's claim, and what was expected of each setting."""
        return read_gains(results, self.settings)

    def _pairs(self) -> Iterator[tuple[Source, int]]:
        seeds = range(self._options.seeds)
        by_seed = [self._sources(seed) for seed in seeds]
        for position in range(len(by_seed[0])):
            for seed in seeds:
                yield by_seed[seed][position], seed

    def _sources(self, seed: int) -> list[Source]:
        found = [(kind, find_pictures(self._options.data, kind, seed)) for kind in (NUCLEI, ISLETS)]
        real: list[Source] = [RealSource(kind, pictures) for kind, pictures in found if pictures is not None]
        return [*real, *(GeneratedSource(s, self._budget.train, self._budget.test) for s in self.settings)]

    def _unit(self, source: Source, seed: int, percent: float, arm: WeakSetting) -> Unit:
        inputs = {
            "set": source.name,
            "percent": percent,
            "arm": arm.value,
            "seed": seed,
            "source": source.inputs,
            "budget": asdict(self._budget),
            "version": _VERSION,
        }
        return Unit(f"{source.name}-seed{seed}-s{f'{percent:g}'.replace('.', '_')}-{arm.name.lower()}", inputs)

    def _training(self, seed: int) -> TrainingOptions:
        steps = self._budget.max_steps
        return TrainingOptions(
            max_steps=steps,
            max_seconds=None,
            batch_size=self._budget.batch_size,
            tile_px=TILE_PX,
            evaluate_every=steps,
            checkpoint_every=steps,
            seed=seed,
            device="cpu",
            # Tiles as they come, as in the paper: what is rare is weighed by the losses, not drawn more often.
            sampling=SamplingOptions(tree=(), replay=1.0),
        )

    def _open(self, source: Source) -> WeakData:
        """Return a source's slides; those opened last are kept open, for the next unit is mostly of the same."""
        if self._opened is not None and self._opened[0] == source:
            return self._opened[1]
        if self._opened is not None:
            self._opened[2].close()
        stack = ExitStack()
        data = source.open(self._options.folder, stack, self._options.threads)
        self._opened = (source, data, stack)
        return data
