"""What a slide costs: recorded once a prediction, told by status and passes, and never more than is possible."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learn_support import Classroom, classroom

from bridge.store import CostRecord, RunRecord, RunState, Store
from daemon_lab import DaemonLab
from lab_support import MPP, SIDE, Lab, labelled
from scripts.loop.costs import CostAccount, Waiting, cost_record, duration, project_costs
from scripts.loop.learn import load_project_champion
from scripts.loop.slide_jobs import ChampionBands
from scripts.loop.slide_work import predict_slide
from scripts.loop.training_cost import TrainingCost, fit_metrics

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COST = CostRecord("s1", "c1", NOON, 10.0, 4.0, 8.0, 0.5, 0.25, 1.0, 200, 20e6, "onnxruntime on cpu")


def records() -> st.SearchStrategy[list[CostRecord]]:
    part = st.floats(0, 1)
    one = st.builds(
        lambda wall, shares, tiles, tissue: CostRecord(
            "s", "c", NOON, wall, 4 * wall * shares[0], *(wall * s for s in shares[1:]), tiles, tissue, "torch on cuda"
        ),
        st.floats(1e-3, 1e5),
        st.tuples(part, part, part, part, part),
        st.integers(0, 10**6),
        st.just(0.0) | st.floats(1, 1e10),  # none, or a cell at least
    )
    return st.lists(one, max_size=8).map(
        lambda found: [replace(cost, slide_key=f"s{number}") for number, cost in enumerate(found)]
    )


def test_account_of_three_slides_reckoned_by_hand() -> None:
    costs = [
        COST,
        replace(COST, slide_key="s2", wall_seconds=20.0, network_seconds=19.0, tiles=500, tissue_um2=80e6),
        replace(COST, slide_key="s3", wall_seconds=2.0, network_seconds=1.8, tiles=3, tissue_um2=0.0),
    ]
    account = CostAccount(costs, Waiting(2, 150.0))
    assert account.line() == "predicting a slide takes 10 s (median of 3); 2 to be predicted yet, about 2.5 min"
    assert account.details() == (
        "prediction: 10 s a slide (median of 3; 200 tiles, 20 mm² tissue), 0.375 s a mm²; of it network 90%, joining"
        " tiles 5%, outlines 2%, waiting for pixels 9%; reading, in threads beside it, 38%; 2 to be predicted yet,"
        " about 2.5 min"
    )
    facts = account.as_json()
    assert facts["slides"] == 3 and facts["seconds"] == 10.0 and facts["seconds_per_mm2"] == 0.375
    assert facts["shares"] == {
        "network": 0.9,
        "stitch": 0.0469,
        "vectorize": 0.0234,
        "waiting_for_pixels": 0.0938,
        "read": 0.375,
        "other": 0.0,
    }


def test_time_that_no_stage_accounts_for_is_told() -> None:
    account = CostAccount([replace(COST, network_seconds=2.0, tiles=1, waited_seconds=0.0)])
    assert account.shares["other"] == pytest.approx(1 - 0.2 - 0.05 - 0.025)
    assert account.line() == "predicting a slide takes 10 s"
    assert account.details() == (
        "prediction: 10 s a slide (1 tile, 20 mm² tissue), 0.5 s a mm²; of it network 20%, joining tiles 5%,"
        " outlines 2%, finding tissue and all else 72%; reading, in threads beside it, 40%"
    )


def test_nothing_known_says_nothing_to_people() -> None:
    assert CostAccount(()).line() is None and CostAccount(()).details() is None
    assert json.loads(json.dumps(CostAccount(()).as_json()))["seconds"] is None


@settings(max_examples=50, deadline=None)
@given(records())
def test_no_share_is_more_than_is_possible(costs: list[CostRecord]) -> None:
    account = CostAccount(costs)
    json.dumps(account.as_json(), allow_nan=False)
    if not costs:
        return
    assert min(c.wall_seconds for c in costs) <= account.seconds <= max(c.wall_seconds for c in costs)
    shares = dict(account.shares)
    assert 0 <= shares.pop("read") <= 4 + 1e-9
    assert all(0 <= share <= 1 + 1e-9 for share in shares.values())
    assert account.line() is not None and account.details() is not None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 s"), (0.456, "0.456 s"), (14.23, "14.2 s"), (89.9, "89.9 s"), (90, "1.5 min"), (5400, "1.5 h")],
    ids=str,
)
def test_durations_are_told_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def finished(store: Store, checkpoint: str, *, promoted: bool = True) -> None:
    run = store.start_run(NOON, kind="incremental", parent=None, data_hash="d")
    store.finish_run(run, NOON, checkpoint_id=checkpoint, promoted=promoted, reason="better", metrics={})


def test_slides_without_the_model_in_use_wait_for_as_long_as_their_tissue_takes(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        keys = ["s1", "s2", "s3", "s4", "s5"]
        finished(store, "c1")
        assert project_costs(store, keys).waiting == Waiting(5, None)
        store.record_cost(COST)
        assert project_costs(store, keys).waiting == Waiting(4, 4 * 10.0)  # as much tissue as the one that is known
        store.record_cost(replace(COST, slide_key="s2", wall_seconds=40.0, tissue_um2=80e6))  # 0.5 s a mm² as well
        finished(store, "c2")
        finished(store, "c3", promoted=False)
        later = NOON + timedelta(hours=1)
        store.record_cost(replace(COST, checkpoint_id="c2", predicted_at=later))
        store.record_predicted("s5", "c2")  # by a SlideBridge that kept no costs
        # s2 has 80 mm² of its own; s3 and s4 the median of 20 and 80
        assert project_costs(store, keys).waiting == Waiting(3, pytest.approx(0.5 * (80 + 50 + 50)))
        assert project_costs(store, ["s1"]).waiting == Waiting(0, 0.0)
        assert [cost.slide_key for cost in project_costs(store, ["s2", "s9"]).costs] == ["s2"]


def test_without_a_model_nothing_waits(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        assert project_costs(store, ["s1"]) == CostAccount(())


def test_training_is_told_by_what_its_record_holds() -> None:
    run = RunRecord(1, "nightly", None, "d", NOON, RunState.FINISHED, NOON + timedelta(minutes=3), "c1", True, "better")
    assert TrainingCost.of(run) is None  # of an earlier SlideBridge
    told = TrainingCost.of(replace(run, metrics=fit_metrics(1200, 150.0)))
    assert told is not None and told.line() == "3.0 min, 8 steps a second"
    assert told.as_json() == {"seconds": 180.0, "fit_steps": 1200, "fit_seconds": 150.0, "steps_per_second": 8.0}
    still = TrainingCost.of(replace(run, metrics=fit_metrics(0, 0.0)))
    assert still is not None and still.steps_per_second is None and still.line() == "3.0 min"
    assert TrainingCost.of(replace(run, state=RunState.FAILED, metrics=fit_metrics(3, 1.0))) is None


# on a real project


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Return a project with a champion that has predicted nothing yet."""
    from lab_support import SETTINGS, draw_slide

    lab = Lab(tmp_path_factory.mktemp("project"))
    draw_slide(lab.slide)
    (lab.root / "slidebridge.toml").write_text(SETTINGS, "utf-8")
    lab.write(labelled())
    assert lab.run("train").exit_code == 0
    return lab


def status(lab: Lab) -> Mapping[str, Any]:
    return dict(json.loads(lab.run("status", "--json").stdout))


def test_prediction_is_recorded_once_and_told(trained: Lab, caplog: pytest.LogCaptureFixture) -> None:
    assert "predicting a slide" not in trained.run("status").stdout
    with caplog.at_level(logging.DEBUG, "scripts.loop.passes"):  # as with -v
        assert trained.run("predict", "--dry-run").exit_code == 0
    assert [r for r in caplog.records if r.getMessage().startswith("prediction: ")]
    assert status(trained)["prediction"]["slides"] == 0  # a dry run leaves no trace
    assert status(trained)["prediction"]["waiting_slides"] == 1

    with caplog.at_level(logging.INFO, "scripts.loop.renewal"):
        assert "a slide" not in trained.run("predict").stdout, "where the time goes is for -v"
    (line,) = [r.getMessage() for r in caplog.records if r.getMessage().startswith("predicted")]
    assert all(f" {fact}=" in line for fact in ("slide", "tiles", "network_seconds", "read_seconds", "tissue_mm2"))

    facts = status(trained)
    (slide,) = facts["slides"]
    assert facts["prediction"]["slides"] == 1 and facts["prediction"]["waiting_slides"] == 0
    assert slide["prediction"]["tiles"] > 0 and slide["prediction"]["runs_on"].endswith("cpu")
    assert 0 < slide["prediction"]["tissue_mm2"] <= (SIDE * MPP) ** 2 / 1e6 * 1.3  # cells reach over the rim
    assert "predicting a slide takes " in trained.run("status").stdout
    assert facts["iterations"][0]["cost"]["fit_steps"] == 6

    trained.write(labelled())
    kept = trained.run("sync", "push", "--json")
    assert json.loads(kept.stdout)["prediction"]["slides"] == 0  # nothing was predicted anew
    assert status(trained)["slides"][0]["prediction"] == slide["prediction"]

    assert trained.run("predict", "--force").exit_code == 0
    renewed = status(trained)["slides"][0]["prediction"]
    assert renewed["at"] > slide["prediction"]["at"] and renewed["tiles"] == slide["prediction"]["tiles"]


def test_stages_of_a_real_prediction_fit_into_its_time(trained: Lab) -> None:
    ticks = iter(range(10**9))
    with classroom(trained) as room:
        cost = predicted(room, lambda: float(next(ticks)))
    alone = (cost.network_seconds, cost.stitch_seconds, cost.vectorize_seconds, cost.waited_seconds)
    assert all(0 <= seconds <= cost.wall_seconds for seconds in alone)
    assert cost.network_seconds > 0 and cost.stitch_seconds > 0 and cost.vectorize_seconds > 0 and cost.tiles > 0
    assert cost.read_seconds > 0 and float(cost.wall_seconds).is_integer()  # the clock that was given, and no other


def predicted(room: Classroom, clock: Any) -> CostRecord:
    """Predict the project's slide by a clock, and return what that cost."""
    champion = load_project_champion(room.project)
    assert champion is not None
    bands, (state,) = ChampionBands.of(room.project, champion), room.pull().slides
    given, mpp = room.project.settings, state.reading.mpp
    found = predict_slide(
        state.reading.slide_path,
        mpp,
        bands,
        bands.predictor.map_mpp,
        given.predict,
        given.propose,
        given.tissue,
        clock=clock,
    )
    assert found is not None
    cost = cost_record(state.key, mpp, found, bands, NOON)
    assert cost is not None and cost.predicted_at == NOON and cost.checkpoint_id == champion.id
    assert cost_record(state.key, mpp, replace(found, cost=None), bands, NOON) is None
    cells = found.cells
    assert cost.tissue_um2 == pytest.approx(found.tissue.sum() * (cells.downsample * mpp[0]) ** 2)
    return cost


def test_names_are_hidden_in_what_status_tells_of_costs(trained: Lab) -> None:
    trained.run("predict")
    trained.set("\n[privacy]\nhash_names = true\n")
    (slide,) = status(trained)["slides"]
    assert slide["name"].startswith("slide-") and slide["prediction"]["tiles"] > 0
    assert "case" not in json.dumps([slide, status(trained)["prediction"]])


def test_daemon_records_what_its_predictions_cost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lab = DaemonLab.with_slides(tmp_path)
    lab.start()
    with caplog.at_level(logging.INFO, "scripts.daemon.working"):
        lab.save(labelled())
        lab.run(60, until=lambda: bool(lab.store.costs()))
    (cost,) = lab.store.costs()
    assert cost.slide_key == "case0.tif" and cost.tiles > 0 and cost.wall_seconds > 0
    assert [r for r in caplog.records if r.getMessage().startswith("predicted") and " tiles=" in r.getMessage()]
    lab.close()
