import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from simulation_lab import CLASSES, PRICES, NumberMaterial

from models.active import SelectionMethod, SelectionVariant
from models.simulation import SplitOptions
from scripts.executors import open_executor
from scripts.simulation import ActionSet, Run, RunOptions, arms_of, gather, runs, runs_of, simulate
from scripts.simulation.account import to_csv

MATERIAL = NumberMaterial()
OPTIONS = RunOptions(4, SplitOptions(subsets=2), PRICES)
RUNS = runs_of(arms_of([SelectionMethod.RANDOM, SelectionMethod.ADAPTIVE], [4], [1], [ActionSet.ALL]), [0, 1])


def table_of(folder: Path, options: RunOptions = OPTIONS, work: list[Run] = RUNS) -> str:
    return to_csv(gather(simulate(MATERIAL, work, options, folder)), CLASSES, 64.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The table of a run that nothing interrupted."""
    return table_of(tmp_path_factory.mktemp("whole"))


def dying(after: int) -> Callable[..., None]:
    """Return a way to keep cycles that is killed with the given one kept."""
    keep, count = runs._keep, iter(range(1000))

    def kept(*arguments: object, **options: object) -> None:
        keep(*arguments, **options)  # type: ignore[arg-type]
        if next(count) == after:
            raise KeyboardInterrupt

    return kept


@pytest.mark.parametrize("after", [0, 2, 7])
def test_run_killed_between_cycles_goes_on_to_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: str, after: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runs, "_keep", dying(after))
        with pytest.raises(KeyboardInterrupt):
            table_of(tmp_path)

    assert table_of(tmp_path) == whole


def test_several_processes_give_the_same_table(tmp_path: Path, whole: str) -> None:
    with open_executor(2) as executor:
        found = simulate(MATERIAL, RUNS, OPTIONS, tmp_path, executor=executor)

    assert to_csv(gather(found), CLASSES, 64.0) == whole


def test_complete_runs_open_nothing(tmp_path: Path, whole: str) -> None:
    table_of(tmp_path)
    runs._opened.cache_clear()

    class Gone(NumberMaterial):
        def open(self) -> runs.SlideSet:
            pytest.fail("it was opened")

    again = simulate(Gone(), RUNS, OPTIONS, tmp_path)

    assert to_csv(gather(again), CLASSES, 64.0) == whole


def test_more_cycles_go_on_behind_the_kept_ones(tmp_path: Path, whole: str) -> None:
    fewer = table_of(tmp_path, replace(OPTIONS, cycles=2))

    assert table_of(tmp_path) == whole
    assert table_of(tmp_path, replace(OPTIONS, cycles=2)) == fewer


def test_damaged_run_is_made_again(tmp_path: Path, whole: str) -> None:
    table_of(tmp_path)
    damaged, cut, *_ = sorted(tmp_path.glob("adaptive*.json"))
    damaged.write_text(json.dumps({"is_over": True, "steps": [{"cycle": 0}]}))
    cut.write_text(cut.read_text()[:100])

    assert table_of(tmp_path) == whole


@pytest.mark.parametrize("changed", [replace(OPTIONS, first_random=2), replace(OPTIONS, split=SplitOptions(4))])
def test_other_options_are_other_runs(changed: RunOptions) -> None:
    arm = RUNS[1]

    assert arm.unit("m", OPTIONS).key != arm.unit("m", changed).key
    assert arm.unit("m", OPTIONS).key != arm.unit("other slides", OPTIONS).key
    assert arm.unit("m", OPTIONS).key == arm.unit("m", replace(OPTIONS, cycles=9)).key


def test_seeds_begin_with_the_same_boxes_whatever_the_method(tmp_path: Path) -> None:
    done = simulate(MATERIAL, RUNS, OPTIONS, tmp_path)

    first = {(run.seed, run.arm.method): done[run][0].boxes for run in RUNS if run.arm is not None}

    for seed in (0, 1):
        assert first[seed, SelectionMethod.RANDOM] == first[seed, SelectionMethod.ADAPTIVE]
    assert first[0, SelectionMethod.RANDOM] != first[1, SelectionMethod.RANDOM]


def test_published_codes_behaviour_is_another_run(tmp_path: Path, whole: str) -> None:
    code = replace(OPTIONS, variant=SelectionVariant.CODE)

    other = table_of(tmp_path, code)

    assert len(other.splitlines()) == len(whole.splitlines())
    assert RUNS[1].unit("m", code).key != RUNS[1].unit("m", OPTIONS).key


def test_actions_change_prices_and_patch_labels_what_is_learned(tmp_path: Path) -> None:
    # Random boxes: which a model asks for hangs, on slides this small, on the last digits of a processor's sums.
    work = runs_of(arms_of([SelectionMethod.RANDOM], [3], [2], list(ActionSet)), [0])

    found = gather(simulate(MATERIAL, work, OPTIONS, tmp_path))

    ends = {run.arm.actions: run.steps[-1] for run in found.curves}
    drawn, corrected = ends[ActionSet.DRAW], ends[ActionSet.CORRECT]
    assert corrected.miou == drawn.miou and corrected.clicks <= drawn.clicks
    labelled = {run.arm.actions: any(step.patch_labels for step in run.steps) for run in found.curves}
    assert [labelled[does] for does in ActionSet] == [False, False, True, True]
    assert ends[ActionSet.PATCH].miou != drawn.miou
