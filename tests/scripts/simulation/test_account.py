import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from simulation_lab import CLASSES, curve

from models.active import SelectionMethod
from scripts.simulation import Account, Simulated
from scripts.simulation.account import readings, to_csv
from scripts.simulation.reached import price_table, share_table

ADAPTIVE, STANDARD = SelectionMethod.ADAPTIVE, SelectionMethod.STANDARD
FOUND = Simulated(
    (
        curve([(0.1, 0.5), (0.2, 0.8), (0.3, 0.79)], ADAPTIVE, seed=0),
        curve([(0.1, 0.5), (0.4, 0.9)], ADAPTIVE, seed=1),
        curve([(0.1, 0.5), (0.5, 0.792)], STANDARD, seed=0),
        curve([(0.1, 0.5), (0.6, 0.8)], STANDARD, seed=1),
        curve([(0.1, 0.5), (0.6, 0.6)], ADAPTIVE, size=16, seed=0),
        curve([(0.1, 0.5), (0.6, 0.6)], ADAPTIVE, size=16, seed=1),
    ),
    {0: 0.8, 1: 0.9},
)


def account(folder: Path) -> Account:
    return Account(FOUND, CLASSES, 64.0, ("6 slides",), folder)


def test_table_is_that_of_the_paper_worked_by_hand() -> None:
    table = share_table({"": FOUND}, 64.0)

    assert table.columns == ("of full", "method", "k = 1, l = 512 µm", "k = 1, l = 1024 µm")
    assert table.rows == (
        ("99 %", "adaptive", "30.0 ± 14.1", "/"),  # 20 % and 40 %: sd = 20 / √2
        ("99 %", "standard", "50.0 (1 of 2)", ""),  # 0.792 is 99 % of 0.8; 0.8 is no 99 % of 0.9
        ("100 %", "adaptive", "30.0 ± 14.1", "/"),
        ("100 %", "standard", "/", ""),
    )


def test_table_can_be_worked_out_again_from_the_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(FOUND, CLASSES, 64.0))))
    full = {row["seed"]: float(row["miou"]) for row in rows if row["method"] == "full annotation"}
    ours = [row for row in rows if (row["method"], row["region_um"]) == ("adaptive", "512.0")]
    first = {
        seed: min(float(r["annotated_share"]) for r in ours if r["seed"] == seed and float(r["miou"]) >= 0.99 * level)
        for seed, level in full.items()
    }

    assert first == {"0": 0.2, "1": 0.4}
    assert share_table({"": FOUND}, 64.0).rows[0][2] == f"{100 * sum(first.values()) / 2:.1f} ± 14.1"


def test_prices_are_those_of_the_first_cycle_at_the_level() -> None:
    rows = price_table({"": FOUND}, 64.0, [0.99]).rows

    # Clicks: 2000 and 4000; minutes: 20 and 40; boxes: 2 and 2.
    assert rows[0] == (
        "99 %",
        "adaptive",
        "k = 1, l = 512 µm",
        "30.0 ± 14.1",
        "2.0 ± 0.0",
        "3000.0 ± 1414.2",
        "30.0 ± 14.1",
    )


def test_several_collections_are_named_and_measure_boxes_in_cells() -> None:
    table = share_table({"one": FOUND, "two": FOUND}, None)

    assert table.columns[0] == "slides" and table.columns[-1] == "k = 1, l = 16 cells"
    assert [row[0] for row in table.rows] == ["one"] * 4 + ["two"] * 4


def test_same_runs_are_written_in_the_same_bytes(tmp_path: Path) -> None:
    account(tmp_path / "a").write()
    account(tmp_path / "b").write()

    names = ["simulation.csv", "simulation.md", "simulation.svg"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_figure_has_a_panel_per_step_with_the_level_of_full_annotation(tmp_path: Path) -> None:
    account(tmp_path).write()

    drawn = ET.parse(tmp_path / "simulation.svg").getroot()
    panels = [group for group in drawn.iter() if group.get("id", "").startswith("axes_")]
    assert len(panels) == 2


def test_readings_say_where_adaptive_is_worse() -> None:
    worse = Simulated(
        tuple(
            curve([(0.1, level), (0.5, level)], method, seed=seed)
            for method, level in ((ADAPTIVE, 0.4), (STANDARD, 0.6))
            for seed in (0, 1)
        ),
        {0: 1.0, 1: 1.0},
    )

    beside, sizes = readings(worse, 64.0)

    assert beside.startswith("adaptive against standard: worse at 1 of 1; mean mIoU -0.200 ± 0.000 (k = 1, l = 512 µm")
    assert "not measured" in sizes


def test_readings_claim_nothing_of_steps_that_share_no_range() -> None:
    partly = Simulated(
        (
            curve([(0.1, 0.6), (0.5, 0.6)], ADAPTIVE),
            curve([(0.1, 0.4), (0.5, 0.4)], STANDARD),
            curve([(0.1, 0.2), (0.2, 0.2)], ADAPTIVE, size=16),
            curve([(0.3, 0.9), (0.4, 0.9)], STANDARD, size=16),
        ),
        {0: 1.0},
    )

    beside, _ = readings(partly, 64.0)

    assert beside.startswith("adaptive against standard: at least as good at 1 of 2 (k, l), 1 share no range; ")


def test_csv_has_a_row_per_cycle() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(FOUND, CLASSES, 64.0))))

    assert len(rows) == 2 + sum(len(run.steps) for run in FOUND.curves)
    assert rows[2]["iou Tumor"] == "0.5" and rows[0]["cycle"] == ""


@pytest.mark.parametrize("key", ["rows", "readings", "full_annotation_miou", "frame", "written"])
def test_json_has_what_people_get(tmp_path: Path, key: str) -> None:
    assert account(tmp_path).as_json()[key]
