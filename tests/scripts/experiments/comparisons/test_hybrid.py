import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.inference import PredictionProgress
from scripts.experiments.comparisons.experiment import ExperimentOptions, Result
from scripts.experiments.comparisons.hybrid import HybridBudget, HybridExperiment, _Stages, split_pool
from scripts.experiments.comparisons.hybrid_account import Arm, scores_of
from scripts.experiments.comparisons.running import write_account
from scripts.experiments.settings import setting

pytestmark = pytest.mark.heavy
TINY = HybridBudget(
    steps=1, side_px=512, mpp=2.0, patch_px=64, batch_size=2, refine_px=32, channels=(4, 8), accumulation=1
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, object]]:
    """Return centre and grade of a pool's slides."""
    return [(s.options.center, s.scene.facts["grade"]) for s in setting("hybrid-medium").slides(24)]


@pytest.mark.parametrize("count", [12, 24])
@pytest.mark.parametrize("seed", range(5))
def test_each_centre_and_grade_trains_and_judges_alike(pairs: list[tuple[str, object]], count: int, seed: int) -> None:
    train, test = split_pool(count, seed)

    assert sorted([*train, *test]) == list(range(count))
    assert Counter(pairs[i] for i in train) == Counter(pairs[i] for i in test)
    assert len({pairs[i] for i in train}) == 6


def test_seeds_draw_other_halves() -> None:
    assert len({tuple(split_pool(12, seed)[0]) for seed in range(6)}) > 1


def test_stages_are_told_apart_by_the_tiles_that_the_second_adds() -> None:
    times = iter([10.0, 12.0, 15.0, 16.0])
    stages = _Stages(lambda: next(times))
    for done, count in ((4, 8), (8, 8), (9, 9)):
        stages.tell(PredictionProgress(done, count))
    stages.end()

    assert (stages.first, stages.second) == (5.0, 1.0)


def test_budget_and_slides_are_part_of_what_a_result_is_kept_by() -> None:
    options = ExperimentOptions(Path("unused"), seeds=2)
    small, other = HybridExperiment(options, TINY), HybridExperiment(options, replace(TINY, steps=2))

    assert len(small.units()) == 6
    assert not {u.key for u in small.units()} & {u.key for u in other.units()}
    assert [u.key for u in small.units()] == [u.key for u in HybridExperiment(options, TINY).units()]


def test_unit_judges_every_design_on_every_slide_that_did_not_train(tmp_path: Path) -> None:
    options = ExperimentOptions(tmp_path / "work", seeds=1, threads=1)
    experiment = HybridExperiment(options, TINY)
    unit = experiment.units()[0]

    numbers = experiment.run(unit)

    result = Result(unit, numbers, 1.0)
    for arm in Arm:
        scores = scores_of([result], "hybrid-favourable", arm)
        assert len(scores) == 6
        assert sorted(score.group for score in scores) == ["1", "1", "2", "2", "3", "3"]
        assert all(int(score.slide[-2:]) in unit.inputs["test"] for score in scores)
    otsu = scores_of([result], "hybrid-favourable", Arm.OTSU)
    assert all(score.recall > 0.5 for score in otsu if not math.isnan(score.recall))
    assert not list((options.folder / "states").rglob("*.safetensors"))
    document = write_account(experiment, [result], options, tmp_path / "docs").read_text(encoding="utf-8")
    assert "0.933 ± 0.069" in document
    assert "1 steps" in document
