"""The experiments themselves, tiny and real: units run, are deterministic, and make table, figure and readings."""

import json
import math
from pathlib import Path

import pytest
import torch

from models.nets import EncoderName, NetOptions
from scripts.experiments.comparisons.deepzoom import DeepZoomExperiment, DeepZoomScale
from scripts.experiments.comparisons.experiment import Experiment, ExperimentOptions, Numbers, Result
from scripts.experiments.comparisons.forgetting import ForgettingExperiment, ForgettingScale
from scripts.experiments.comparisons.registry import EXPERIMENTS, open_experiment
from scripts.experiments.comparisons.running import write_account
from scripts.experiments.comparisons.transfer import TransferExperiment, TransferScale

NET = NetOptions(encoder=EncoderName.PLAIN, encoder_channels=(4, 4), decoder_channels=(4, 4), stem_channels=4)
DEEPZOOM = DeepZoomScale(steps=1, training=1, judged=1, side_px=768, tile_px=32, batch_size=2, net=NET)
TRANSFER = TransferScale(steps=(1,), tile_px=32, batch_size=2, side_px=1536)
FORGETTING = ForgettingScale(tasks=2, steps=1, tile_px=32, batch_size=2, side_px=768, net=NET)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiments")


def made(name: str, options: ExperimentOptions) -> Experiment:
    match name:
        case "deepzoom":
            return DeepZoomExperiment(options, DEEPZOOM)
        case "transfer":
            return TransferExperiment(options, TRANSFER)
    return ForgettingExperiment(options, FORGETTING)


def without_times(numbers: Numbers) -> dict[str, float]:
    return {k: v for k, v in numbers.items() if "seconds" not in k and "faster" not in k and not math.isnan(v)}


@pytest.mark.parametrize("name", ["deepzoom", "transfer", "forgetting"])
def test_unit_runs_twice_with_the_same_numbers_and_leaves_no_state(folder: Path, name: str) -> None:
    experiment = made(name, ExperimentOptions(folder, seeds=1, threads=1))
    unit = experiment.units()[-1]

    first, again = experiment.run(unit), experiment.run(unit)

    assert without_times(first) == without_times(again)
    assert without_times(first)
    assert not list((folder / "states").rglob("*.safetensors"))


@pytest.mark.parametrize("name", ["deepzoom", "transfer", "forgetting"])
def test_units_are_the_same_each_time_and_json(folder: Path, name: str) -> None:
    options = ExperimentOptions(folder, seeds=2, threads=1)

    units = made(name, options).units()

    assert [u.key for u in units] == [u.key for u in made(name, options).units()]
    assert len({u.key for u in units}) == len(units)
    assert all(json.loads(json.dumps(dict(u.inputs))) == dict(u.inputs) for u in units)


def test_experiments_can_be_opened_by_name(tmp_path: Path) -> None:
    for name in EXPERIMENTS:
        experiment = open_experiment(name, ExperimentOptions(tmp_path))
        assert experiment.name == name
        assert experiment.units()


def test_unknown_experiment_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="forgetting"):
        open_experiment("forget", ExperimentOptions(tmp_path))


def deepzoom_results(experiment: Experiment, faster: float, two_f1: float, two_false: float) -> list[Result]:
    numbers = {"times faster": faster}
    for arm, seconds, f1, false in (("one network", faster, 0.9, 4.0), ("DeepZoom", 1.0, two_f1, two_false)):
        numbers |= {
            f"{arm}: seconds": seconds,
            f"{arm}: pixel F1": f1,
            f"{arm}: object F1": f1,
            f"{arm}: false positives": false,
        }
    return [Result(unit, numbers, 1.0) for unit in experiment.units()]


@pytest.mark.parametrize(
    ("faster", "f1", "false", "claimed"),
    [
        (3.1, 0.895, 2.0, True),
        (2.9, 0.895, 2.0, False),
        (3.1, 0.885, 2.0, False),
        (3.1, 0.895, 4.0, False),
    ],
)
def test_deepzoom_is_read_by_its_numbers(tmp_path: Path, faster: float, f1: float, false: float, claimed: bool) -> None:
    experiment = DeepZoomExperiment(ExperimentOptions(tmp_path, seeds=2), DEEPZOOM)

    readings = experiment.readings(deepzoom_results(experiment, faster, f1, false))

    assert [r.as_claimed for r in readings] == [claimed] * 3
    assert readings[0].as_expected is claimed
    assert readings[2].as_expected is False
    assert f"{faster:.2f} ± 0.00 times faster" in readings[0].evidence
    assert "Expected and not so: as slow as one network or slower" in readings[2].evidence


def test_deepzoom_without_gain_is_what_the_adverse_setting_expects(tmp_path: Path) -> None:
    experiment = DeepZoomExperiment(ExperimentOptions(tmp_path, seeds=2), DEEPZOOM)

    adverse = experiment.readings(deepzoom_results(experiment, 0.9, 0.9, 4.5))[2]

    assert (adverse.as_claimed, adverse.as_expected) == (False, True)


def test_transfer_gains_are_paired_by_seed(tmp_path: Path) -> None:
    experiment = TransferExperiment(ExperimentOptions(tmp_path, seeds=2), TRANSFER)
    dice = {(0, "ImageNet"): 0.5, (0, "from scratch"): 0.4, (1, "ImageNet"): 0.8, (1, "from scratch"): 0.7}
    results = [Result(u, {"dice": dice[u.inputs["seed"], u.inputs["start"]]}, 1.0) for u in experiment.units()]

    (reading,) = experiment.readings(results)

    assert reading.as_claimed is True
    assert "+0.100 ± 0.000" in reading.evidence
    assert "| 1 | 0.650 ± 0.212 | 0.550 ± 0.212 | 0.100 ± 0.000 |" in experiment.table(results).to_markdown()


@pytest.mark.parametrize(("replay", "naive", "claimed"), [(0.005, 0.1, True), (0.02, 0.1, False), (0.0, -0.01, False)])
def test_replay_is_held_against_the_aim_and_naive_training(
    tmp_path: Path, replay: float, naive: float, claimed: bool
) -> None:
    experiment = ForgettingExperiment(ExperimentOptions(tmp_path, seeds=2), FORGETTING)
    lost = {"replay": replay, "naive": naive}
    results = [Result(unit, {"lost": lost[unit.inputs["arm"]]}, 1.0) for unit in experiment.units()]

    assert [r.as_claimed for r in experiment.readings(results)] == [claimed]


@pytest.mark.parametrize("name", ["deepzoom", "transfer", "forgetting"])
def test_section_is_written_without_any_path(tmp_path: Path, name: str) -> None:
    options = ExperimentOptions(tmp_path / "work", seeds=2, threads=1)
    experiment = made(name, options)
    if name == "deepzoom":
        results = deepzoom_results(experiment, 3.5, 0.9, 1.0)
    else:
        numbers = {"dice": 0.5, "lost": 0.01, "dice on all": 0.5, **{f"dice on first after {i}": 0.5 for i in (1, 2)}}
        results = [Result(unit, numbers, 1.0) for unit in experiment.units()]

    text = write_account(experiment, results, options, tmp_path / "docs").read_text()

    assert str(tmp_path) not in text
    assert all(f"**{r.subject}: " in text for r in experiment.readings(results))
    assert (tmp_path / "docs" / "experiments" / f"{name}.svg").stat().st_size < 200_000
