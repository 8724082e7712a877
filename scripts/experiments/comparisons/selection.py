"""The experiment ``selection``: four ways to choose regions, at several sizes and numbers (Qiu et al.)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from models.active import SelectionMethod
from models.metrics.cost import PriceOptions
from models.simulation import GridOptions, SplitOptions
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result
from scripts.experiments.comparisons.selection_account import (
    ACCOUNT,
    numbers_of,
    read_claims,
    read_robustness,
    simulated_of,
)
from scripts.experiments.comparisons.selection_material import NodeMaterial, NucleiMaterial, has_nuclei, short_name
from scripts.experiments.settings import SETTINGS, Claim, Setting
from scripts.simulation import ActionSet, Arm, RunOptions, Simulated, arms_of, gather, runs_of, simulate
from scripts.simulation.panels import draw_panels
from scripts.simulation.reached import share_table
from scripts.tables import Table
from scripts.units import Unit

_VERSION = 1
SimulationMaterial = NodeMaterial | NucleiMaterial


@dataclass(frozen=True, slots=True)
class SelectionScale:
    """How large the comparison is; decided by the time that units take, before any setting's result was seen.

    Parameters
    ----------
    sizes
        l in cells.
    ks
        Boxes per slide and cycle.
    cycles
        At most.
    train, test
        Generated slides per setting that are annotated, and that judge.
    subsets
        A cycle annotates one of them.
    cell_um, mpp
        Of generated slides' cells.
    """

    sizes: tuple[int, ...] = (8, 16)
    ks: tuple[int, ...] = (1, 3)
    cycles: int = 15
    train: int = 15
    test: int = 6
    subsets: int = 5
    cell_um: float = 64.0
    mpp: float = 2.0

    @property
    def grid(self) -> GridOptions:
        """The cells of generated slides."""
        return GridOptions(cell_um=self.cell_um, mpp=self.mpp)


FULL = SelectionScale(sizes=(8, 16, 24), ks=(1, 3, 5), train=30, test=12, mpp=1.0)


class SimulationExperiment:
    """What ``selection`` and ``actions`` have in common: arms, run on the same collections of slides.

    Parameters
    ----------
    options
        Of the run.
    scale
        The form's, if None.
    """

    name: str
    is_timed = False

    def __init__(self, options: ExperimentOptions, scale: SelectionScale | None = None) -> None:
        self._options = options
        self._scale = scale or (FULL if options.full else SelectionScale())

    @property
    def arms(self) -> Sequence[Arm]:
        """What is held against each other."""
        raise NotImplementedError

    @cached_property
    def settings(self) -> Sequence[Setting]:
        """The claim's three."""
        return [setting for setting in SETTINGS if setting.claim is Claim.SELECTION]

    @cached_property
    def materials(self) -> Sequence[SimulationMaterial]:
        """Slides of the settings, then real pictures where they are at hand."""
        scale, options = self._scale, self._options
        nodes = [NodeMaterial(s, scale.train, scale.test, scale.grid, options.folder) for s in self.settings]
        if options.data is None or not has_nuclei(options.data):
            return nodes
        return [*nodes, NucleiMaterial(options.data, options.folder)]

    def units(self) -> Sequence[Unit]:
        """Return one unit per seed and collection of slides; two beside each other work on different slides."""
        return [self._unit(material, seed) for seed in range(self._options.seeds) for material in self.materials]

    def run(self, unit: Unit) -> Numbers:
        """Simulate all arms with one seed; a run that was cut off goes on behind its last cycle."""
        material = next(m for m in self.materials if m.name == unit.inputs["slides"])
        runs = runs_of(self.arms, [int(unit.inputs["seed"])])
        options = self._run_options(material.prices)
        return numbers_of(gather(simulate(material, runs, options, self._options.folder / "runs" / material.name)))

    def found(self, results: Sequence[Result]) -> Mapping[str, Simulated]:
        """Return the runs of each collection of slides."""
        return {
            material.name: simulated_of([r for r in results if r.has(slides=material.name)], self.arms)
            for material in self.materials
        }

    def _run_options(self, prices: PriceOptions) -> RunOptions:
        return RunOptions(self._scale.cycles, SplitOptions(self._scale.subsets), prices)

    def _unit(self, material: SimulationMaterial, seed: int) -> Unit:
        inputs = {
            "version": _VERSION,
            "slides": material.name,
            "material": material.key,
            "seed": seed,
            "cycles": self._scale.cycles,
            "arms": [arm.name for arm in self.arms],
            "options": dict(self._run_options(material.prices).inputs),
        }
        return Unit(f"{material.name}-s{seed}", inputs)


class SelectionExperiment(SimulationExperiment):
    """The four methods at every (l, k) (``Experiment``)."""

    name = "selection"
    title = "Adaptive region selection against standard, non-square and random"

    @property
    def account(self) -> str:
        """What is compared, and how."""
        scale = self._scale
        sizes, ks = (" and ".join(map(str, numbers)) for numbers in (scale.sizes, scale.ks))
        told = ACCOUNT.format(**{**asdict(scale), "sizes": sizes, "ks": ks})
        is_real = any(isinstance(material, NucleiMaterial) for material in self.materials)
        return told if is_real else f"{told}\n\nNo real pictures were at hand: generated slides only."

    @cached_property
    def arms(self) -> Sequence[Arm]:
        """Every method, l and k."""
        return arms_of(list(SelectionMethod), self._scale.sizes, self._scale.ks, [ActionSet.DRAW])

    def table(self, results: Sequence[Result]) -> Table:
        """Return annotated tissue in % at which 99 % of full annotation, and all of it, is reached."""
        return share_table(self.found(results), None)

    def figure(self, results: Sequence[Result]) -> Any:  # a matplotlib Figure: no stubs
        """Draw mIoU against annotated tissue."""
        return draw_panels(self.found(results), None)

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        """Say where adaptive is at least as good as standard, and how much each method depends on l."""
        found, stances = self.found(results), {short_name(s): s.stance for s in self.settings}
        return [*read_claims(found, stances), *read_robustness(found, stances)]
