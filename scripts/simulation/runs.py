"""The runs of a simulation as units: each kept cycle by cycle, resumed where it was cut off, side by side if wanted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

from models.active import SelectionMethod, SelectionVariant
from models.metrics.cost import PriceOptions
from models.simulation import (
    CycleOptions,
    CycleStep,
    Learner,
    SimulatedSlide,
    SplitOptions,
    full_annotation,
    run_cycles,
)
from scripts.simulation.arms import Arm
from scripts.simulation.curves import Curve, Simulated
from scripts.units import KeptUnits, Unit, tell_damaged, versions

logger = logging.getLogger(__name__)
_VERSION = 2  # of what a run is; raised when its numbers change
_THREADS = 1  # of torch, in every process: numbers depend on it


@dataclass(frozen=True, slots=True, eq=False)
class SlideSet:
    """What is simulated on, cut into cells.

    Parameters
    ----------
    train
        Slides that are annotated.
    test
        Slides that judge.
    learner
        Knows them all.
    classes
        By label; the first is background.
    """

    train: tuple[SimulatedSlide, ...]
    test: tuple[SimulatedSlide, ...]
    learner: Learner
    classes: tuple[str, ...]


class Material(Protocol):
    """Where cells come from: small, hashable, and opened by each process for itself."""

    def __hash__(self) -> int:
        """Return the same for the same cells."""
        ...

    @property
    def key(self) -> str:
        """Hash of everything that the cells and their learner depend on."""
        ...

    def open(self) -> SlideSet:
        """Return the cells.

        Raises
        ------
        BridgeError
            A slide can't be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What all runs of a simulation have in common.

    Parameters
    ----------
    cycles
        At most.
    split
        Subsets and validation slides.
    prices
        Of a person's clicks and seconds.
    variant
        The paper's text, or the published code.
    first_random
        Cycles whose boxes are random.
    """

    cycles: int
    split: SplitOptions = field(default_factory=SplitOptions)
    prices: PriceOptions = field(default_factory=PriceOptions)
    variant: SelectionVariant = SelectionVariant.PAPER
    first_random: int = 1

    def of(self, arm: Arm, seed: int) -> CycleOptions:
        """Return what one run is told."""
        return CycleOptions(
            method=arm.method,
            size=arm.size,
            k=arm.k,
            cycles=self.cycles,
            seed=seed,
            split=self.split,
            variant=self.variant,
            actions=arm.actions.actions,
            first_random=self.first_random,
            prices=self.prices,
        )

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What a cycle's numbers depend on, in JSON's terms; not how many cycles there are: more go on from fewer."""
        said = {"split": asdict(self.split), "prices": asdict(self.prices), "first_random": self.first_random}
        return {**said, "variant": self.variant.value, "runs": _VERSION}


@dataclass(frozen=True, slots=True)
class Run:
    """One arm with one seed; no arm: the model that learns from everything."""

    arm: Arm | None
    seed: int

    @property
    def name(self) -> str:
        """For file names and logs."""
        return f"{'full' if self.arm is None else self.arm.name}-s{self.seed}"

    def unit(self, material: str, options: RunOptions) -> Unit:
        """Return it as a unit on some material, by its key."""
        arm = None if self.arm is None else {**asdict(self.arm), "method": self.arm.method.value}
        if arm is not None and self.arm is not None:
            arm["actions"] = self.arm.actions.value
        inputs = {"material": material, "arm": arm, "seed": self.seed, **options.inputs}
        return Unit(self.name, inputs)


def runs_of(arms: Sequence[Arm], seeds: Sequence[int]) -> list[Run]:
    """Return all runs: by seed, the full annotation of each first."""
    return [run for seed in seeds for run in (Run(None, seed), *(Run(arm, seed) for arm in arms))]


def simulate(
    material: Material,
    runs: Sequence[Run],
    options: RunOptions,
    folder: Path,
    *,
    executor: Executor | None = None,
    advance: Callable[[str], None] = lambda name: None,
) -> Mapping[Run, tuple[CycleStep, ...]]:
    """Return the steps of every run; cycles that are kept in the folder are not done again.

    Parameters
    ----------
    material
        What is simulated on; opened once by each process that has something to do.
    runs
        As `runs_of`.
    options
        Of all runs.
    folder
        Of kept runs; a file each.
    executor
        Does the runs; one after another, here, if None.
    advance
        Called with each run's name when it is done.

    Raises
    ------
    BridgeError
        A slide can't be read, or there is nothing to learn from.
    """
    work = partial(_run_one, material, options, folder)
    kept = KeptUnits(folder, versions(_THREADS))
    done: dict[Run, tuple[CycleStep, ...]] = {}
    every = map(work, runs) if executor is None else executor.map(work, runs)
    for run, steps in zip(runs, every, strict=True):
        done[run] = steps
        _keep_here(kept, run.unit(material.key, options), steps, is_over=len(steps) < _wanted(run, options))
        advance(run.name)
    return done


def gather(found: Mapping[Run, Sequence[CycleStep]]) -> Simulated:
    """Return the curves of some runs and the levels they are held against."""
    curves = [Curve(run.arm, run.seed, tuple(steps)) for run, steps in found.items() if run.arm is not None]
    return Simulated(tuple(curves), {run.seed: steps[-1].miou for run, steps in found.items() if run.arm is None})


def _run_one(material: Material, options: RunOptions, folder: Path, run: Run) -> tuple[CycleStep, ...]:
    kept, unit = KeptUnits(folder, versions(_THREADS)), run.unit(material.key, options)
    steps, is_over = _kept_steps(kept, unit)
    wanted = _wanted(run, options)
    if is_over or len(steps) >= wanted:
        return tuple(steps[:wanted])
    logger.info("run begins: name=%s cycles=%d of=%d", run.name, len(steps), wanted)
    for step in _go_on(_opened(material), run, options, steps):
        steps.append(step)
        _keep(kept, unit, steps, is_over=False)
    _keep(kept, unit, steps, is_over=len(steps) < wanted)
    return tuple(steps)


def _wanted(run: Run, options: RunOptions) -> int:
    return 1 if run.arm is None else options.cycles


def _keep_here(kept: KeptUnits, unit: Unit, steps: Sequence[CycleStep], *, is_over: bool) -> None:
    """Keep what was done on a machine whose folder of this name is another."""
    if len(_kept_steps(kept, unit)[0]) < len(steps):
        _keep(kept, unit, steps, is_over=is_over)


def _go_on(slides: SlideSet, run: Run, options: RunOptions, steps: Sequence[CycleStep]) -> Iterator[CycleStep]:
    train, test, learner, classes = slides.train, slides.test, slides.learner, slides.classes
    if run.arm is None:
        whole = options.of(Arm(SelectionMethod.RANDOM, size=1, k=1), run.seed)
        yield full_annotation(train, test, learner, classes, seed=run.seed, options=whole)
        return
    yield from run_cycles(train, test, learner, options.of(run.arm, run.seed), classes, so_far=tuple(steps))


def _kept_steps(kept: KeptUnits, unit: Unit) -> tuple[list[CycleStep], bool]:
    said = kept.find(unit)
    if said is None:
        return [], False
    try:
        return [CycleStep.from_data(step) for step in said["steps"]], bool(said["is_over"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        tell_damaged(kept.path(unit), error)
        return [], False


def _keep(kept: KeptUnits, unit: Unit, steps: Sequence[CycleStep], *, is_over: bool) -> None:
    kept.keep(unit, {"is_over": is_over, "steps": [step.to_data() for step in steps]})


@lru_cache(maxsize=1)  # a process works on one collection at a time; its features are some hundred megabytes
def _opened(material: Material) -> SlideSet:
    import torch

    torch.set_num_threads(_THREADS)
    return material.open()
