from pathlib import Path

import pytest
import torch

from models.data.weak_subsets import WeakSetting
from scripts.experiments.comparisons.experiment import ExperimentOptions, Result
from scripts.experiments.comparisons.running import write_account
from scripts.experiments.comparisons.weak import WeakBudget, WeakExperiment

TINY = WeakBudget(max_steps=1, side_px=768, percents=(10.0,), batch_size=4, train=(1,), test=(0,))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_arms_of_a_seed_follow_one_another_and_differ_in_nothing_else(tmp_path: Path) -> None:
    units = WeakExperiment(ExperimentOptions(tmp_path, seeds=2), TINY).units()

    assert len(units) == 3 * 2 * 3
    for first in range(0, len(units), 3):
        three = units[first : first + 3]
        assert [u.inputs["arm"] for u in three] == [arm.value for arm in WeakSetting]
        assert len({str({**u.inputs, "arm": ""}) for u in three}) == 1


def test_missing_pictures_are_said(tmp_path: Path) -> None:
    assert "islets and nuclei were not there" in WeakExperiment(ExperimentOptions(tmp_path, tmp_path), TINY).account


def test_unit_learns_from_its_share_is_the_same_again_and_makes_an_account(tmp_path: Path) -> None:
    options = ExperimentOptions(tmp_path / "work", seeds=1, threads=1)
    experiment = WeakExperiment(options, TINY)
    plain, rest, _ = experiment.units()[:3]

    numbers, more = experiment.run(plain), experiment.run(rest)

    assert numbers == experiment.run(plain)
    assert numbers["masks"] == more["masks"] == numbers["tiles mask"] // 10 > 0
    assert (numbers["labels"], more["labels"]) == (0, more["tiles label"] - more["tiles label"] // 10)
    assert 0 <= numbers["macro_f1"] <= 1
    assert numbers["macro_f1"] != more["macro_f1"]
    results = [Result(plain, numbers, 1.0), Result(rest, more, 1.0)]
    document = write_account(experiment, results, options, tmp_path / "docs").read_text(encoding="utf-8")
    assert "| weak-favourable | 10.0 | S+C |" in document
