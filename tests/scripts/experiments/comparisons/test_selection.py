from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from simulation_lab import NumberMaterial, curve

from models.active import SelectionMethod
from scripts.experiments.comparisons.actions import ActionsExperiment, read_spent, spent_ratio
from scripts.experiments.comparisons.experiment import ExperimentOptions, Result
from scripts.experiments.comparisons.kept import KeptResults
from scripts.experiments.comparisons.registry import EXPERIMENTS, open_experiment
from scripts.experiments.comparisons.running import run_units, write_account
from scripts.experiments.comparisons.selection import SelectionExperiment, SelectionScale
from scripts.experiments.comparisons.selection_account import (
    numbers_of,
    read_claims,
    read_robustness,
    share_at,
    simulated_of,
)
from scripts.experiments.settings import Stance
from scripts.simulation import Arm, Curve, Simulated
from scripts.units import Unit

ADAPTIVE, STANDARD = METHODS = SelectionMethod.ADAPTIVE, SelectionMethod.STANDARD
SCALE = SelectionScale(sizes=(3, 6), ks=(1,), cycles=3, subsets=2)


class OnNumbers:
    """An experiment on slides of numbers, in the favourable setting's place and in that of real pictures."""

    @cached_property
    def materials(self) -> Sequence[Any]:
        return [NumberMaterial(name="favourable"), NumberMaterial(train=5, name="nuclei")]


class Selection(OnNumbers, SelectionExperiment):
    """With tiny slides."""


class Actions(OnNumbers, ActionsExperiment):
    """With tiny slides."""


@pytest.mark.parametrize("kind", [Selection, Actions])
def test_experiment_runs_and_is_written_the_same_again(tmp_path: Path, kind: Any) -> None:
    options = ExperimentOptions(tmp_path / "work", seeds=2)
    around = {"torch": "2"}
    written = []
    for name in ("a", "b"):
        experiment = kind(options, SCALE)
        results = run_units(experiment, KeptResults(tmp_path / "kept", around))
        text = write_account(experiment, results, options, tmp_path / name).read_text(encoding="utf-8")
        figure = (tmp_path / name / "experiments" / f"{kind.name}.svg").read_bytes()
        written.append((text, figure, (tmp_path / name / "experiments" / f"{kind.name}.csv").read_bytes()))

    assert written[0] == written[1]
    assert f"## {kind.title}" in written[0][0] and "selection-adverse" in written[0][0]


def test_both_experiments_are_registered(tmp_path: Path) -> None:
    for name in ("selection", "actions"):
        assert open_experiment(name, ExperimentOptions(tmp_path)).name == name
        assert name in EXPERIMENTS


def test_units_have_no_two_neighbours_on_the_same_slides(tmp_path: Path) -> None:
    units = Selection(ExperimentOptions(tmp_path, seeds=3), SCALE).units()

    assert [unit.name for unit in units[:3]] == ["favourable-s0", "nuclei-s0", "favourable-s1"]
    assert len({unit.key for unit in units}) == len(units) == 6


def simulated(*runs: Curve, full: float = 0.8) -> Simulated:
    return Simulated(runs, {run.seed: full for run in runs})


def test_numbers_hold_all_that_is_read_from_them() -> None:
    found = simulated(curve([(0.1, 0.2), (0.3, 0.4)]), curve([(0.1, 0.5)], STANDARD), full=0.7)

    again = simulated_of([Result(Unit("x", {"seed": 0}), numbers_of(found), 1.0)], found.arms)

    assert again.full == {0: 0.7}
    assert [run.points for run in again.curves] == [run.points for run in found.curves]
    assert [run.steps[-1].clicks for run in again.curves] == [3000, 1000]


def steps_of(shares: dict[tuple[SelectionMethod, int], float], seeds: int = 2) -> Simulated:
    """Return runs that reach full annotation at such a share, by method and l; all begin at 1 %."""
    return simulated(
        *(
            curve([(0.01, 0.1), (share, 0.8)], method, size=size, seed=seed)
            for (method, size), share in shares.items()
            for seed in range(seeds)
        )
    )


PLAIN = {(ADAPTIVE, 8): 0.10, (ADAPTIVE, 16): 0.12, (STANDARD, 8): 0.12, (STANDARD, 16): 0.20}


@pytest.mark.parametrize(
    ("stance", "changed", "is_expected"),
    [
        (Stance.FAVOURABLE, {}, True),
        (Stance.FAVOURABLE, {(ADAPTIVE, 8): 0.13}, False),  # more than standard
        (Stance.FAVOURABLE, {(ADAPTIVE, 16): 0.14}, False),  # more than two thirds at the larger l
        (Stance.FAVOURABLE, {(ADAPTIVE, 8): 0.08}, False),  # grows by half
        (Stance.MEDIUM, {}, False),
        (Stance.MEDIUM, {(STANDARD, 16): 0.14}, True),  # within a fifth everywhere
        (Stance.ADVERSE, {}, False),  # adaptive gains
        (Stance.ADVERSE, {(STANDARD, 8): 0.09, (STANDARD, 16): 0.11}, True),
    ],
)
def test_reading_holds_the_setting_to_its_expectation(
    stance: Stance, changed: dict[tuple[SelectionMethod, int], float], is_expected: bool
) -> None:
    (reading,) = read_claims({"slides": steps_of({**PLAIN, **changed})}, {"slides": stance})

    assert reading.as_expected is is_expected


def test_claim_fails_where_adaptive_is_worse_by_more_than_the_sd() -> None:
    (good,) = read_claims({"x": steps_of(PLAIN)}, {})
    (bad,) = read_claims({"x": steps_of({**PLAIN, (ADAPTIVE, 16): 0.3})}, {})

    assert good.as_claimed is True and good.as_expected is None
    assert bad.as_claimed is False and "k = 1, l = 16 cells" in bad.evidence


def test_level_that_a_seed_never_reaches_is_reached_by_none() -> None:
    found = simulated(curve([(0.1, 0.8)], seed=0), curve([(0.2, 0.5)], seed=1))

    assert share_at(found, Arm(ADAPTIVE, 8, 1)) == float("inf")


def test_level_that_some_seeds_reach_is_not_said_to_be_never_reached() -> None:
    some = simulated(*(curve([(0.1, 0.5), (0.2, 0.8 - 0.3 * seed)], m, seed=seed) for m in METHODS for seed in (0, 1)))
    none = simulated(*(curve([(0.1, 0.5), (0.2, 0.5)], m, seed=seed) for m in METHODS for seed in (0, 1)))

    told = [read_claims({"x": found}, {})[0].evidence for found in (some, none)]

    assert "adaptive in 1 of 2 seeds against standard in 1 of 2 seeds" in told[0]
    assert "adaptive never against standard never" in told[1]


def test_difference_that_cannot_be_measured_is_no_number() -> None:
    apart = simulated(curve([(0.1, 0.5), (0.2, 0.5)], ADAPTIVE), curve([(0.3, 0.5), (0.4, 0.5)], STANDARD))

    (reading,) = read_claims({"x": apart}, {})

    assert reading.as_claimed is None
    assert "nan" not in reading.evidence and "k = 1, l = 8 cells, no common range" in reading.evidence


def test_less_dependence_on_l_is_the_claim() -> None:
    (reading,) = read_robustness({"x": steps_of(PLAIN)}, {"x": Stance.FAVOURABLE})

    assert reading.as_claimed is True and reading.as_expected is True
    assert "least: adaptive" in reading.evidence
    assert reading.evidence.startswith("Largest less smallest mean mIoU over l, at one k")


def test_spent_ratio_is_of_seeds_in_which_both_got_there() -> None:
    drawn = [curve([(0.1, 0.8)], seed=0), curve([(0.2, 0.8)], seed=1), curve([(0.2, 0.1)], seed=2)]
    other = [curve([(0.05, 0.8)], STANDARD, seed=0), curve([(0.05, 0.1)], STANDARD, seed=1)]
    found = simulated(*drawn, *other, curve([(0.1, 0.8)], STANDARD, seed=2))

    ratio = spent_ratio(found, drawn[0].arm, other[0].arm, 0.99, lambda step: step.clicks)

    assert (ratio.mean, ratio.count) == (0.5, 1)


@pytest.mark.parametrize(("seeds", "claimed"), [(1, None), (2, True)])
def test_what_one_seed_spends_judges_nothing(seeds: int, claimed: bool | None) -> None:
    drawn = [curve([(0.1, 0.8)], seed=seed) for seed in range(2)]
    other = [curve([(0.05, 0.8 if seed < seeds else 0.1)], STANDARD, seed=seed) for seed in range(2)]

    reading = read_spent("any", simulated(*drawn, *other), drawn[0].arm, other[0].arm)

    assert reading.as_claimed is claimed
    assert f"(seeds: {seeds})" in reading.evidence
