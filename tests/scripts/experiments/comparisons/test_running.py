import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.executors import open_executor
from scripts.experiments.comparisons.experiment import ExperimentOptions, Numbers, Reading, Result, spread_of
from scripts.experiments.comparisons.kept import KeptResults
from scripts.experiments.comparisons.running import run_units, write_account
from scripts.experiments.settings import SETTINGS, Setting
from scripts.figures import bars, new_figure
from scripts.tables import Table
from scripts.units import Unit

UNDER = {"torch": "2", "threads": "1"}


class Known:
    """Numbers that are known: seed s gives s, twice that in the second arm."""

    name = "known"
    title = "Known numbers"
    account = "Seeds are returned."
    is_timed = False
    settings: Sequence[Setting] = ()

    def __init__(self, seeds: int = 3, die_at: int | None = None) -> None:
        self.seeds, self.die_at = seeds, die_at
        self.ran: list[str] = []

    def units(self) -> Sequence[Unit]:
        return [Unit(f"s{seed}-{arm}", {"seed": seed, "arm": arm}) for seed in range(self.seeds) for arm in (1, 2)]

    def run(self, unit: Unit) -> Numbers:
        if len(self.ran) == self.die_at:
            raise KeyboardInterrupt
        self.ran.append(unit.name)
        return {"value": float(unit.inputs["seed"] * unit.inputs["arm"])}

    def table(self, results: Sequence[Result]) -> Table:
        return Table(("arm", "value"), tuple((str(arm), spread_of(results, "value", arm=arm)) for arm in (1, 2)))

    def figure(self, results: Sequence[Result]) -> Any:
        figure = new_figure()
        bars(figure.add_subplot(), ["all"], [(str(a), [spread_of(results, "value", arm=a)]) for a in (1, 2)])
        return figure

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        one, two = (spread_of(results, "value", arm=arm).mean for arm in (1, 2))
        return [Reading("all", two > one, f"{two:.1f} against {one:.1f}", as_expected=two == 2 * one)]


def ticking() -> Callable[[], float]:
    times = iter(range(10_000))
    return lambda: float(next(times))


@pytest.mark.parametrize("killed_at", range(6))
def test_killed_run_goes_on_and_runs_no_unit_twice(tmp_path: Path, killed_at: int) -> None:
    kept, killed, again = KeptResults(tmp_path, UNDER), Known(die_at=killed_at), Known()

    with pytest.raises(KeyboardInterrupt):
        run_units(killed, kept)
    results = run_units(again, kept)

    names = [unit.name for unit in again.units()]
    assert killed.ran == names[:killed_at]
    assert again.ran == names[killed_at:]
    assert [r.numbers for r in results] == [r.numbers for r in run_units(Known(), KeptResults(tmp_path / "b", UNDER))]


def test_complete_run_runs_nothing(tmp_path: Path) -> None:
    kept, again = KeptResults(tmp_path, UNDER), Known()
    first = run_units(Known(), kept)

    assert run_units(again, kept) == first
    assert again.ran == []


def test_more_seeds_run_the_new_ones_only(tmp_path: Path) -> None:
    kept, more = KeptResults(tmp_path, UNDER), Known(seeds=4)
    run_units(Known(), kept)

    run_units(more, kept)

    assert more.ran == ["s3-1", "s3-2"]


def test_other_inputs_or_versions_are_other_results(tmp_path: Path) -> None:
    kept, unit = KeptResults(tmp_path, UNDER), Unit("one", {"seed": 1, "scale": {"steps": 3}})
    kept.keep(Result(unit, {"x": 1.0}, 2.0))

    assert kept.find(unit) is not None
    assert kept.find(Unit("one", {"scale": {"steps": 3}, "seed": 1})) is not None  # the order says nothing
    assert kept.find(Unit("one", {"seed": 1, "scale": {"steps": 4}})) is None
    assert KeptResults(tmp_path, {**UNDER, "threads": "2"}).find(unit) is None


@pytest.mark.parametrize("damage", ["", "{", '{"seconds": 1}', '{"numbers": [1], "seconds": 1}'])
def test_damaged_result_is_made_again(tmp_path: Path, damage: str) -> None:
    kept, again = KeptResults(tmp_path, UNDER), Known()
    run_units(Known(), kept)
    kept.path(again.units()[2]).write_text(damage)

    results = run_units(again, kept)

    assert again.ran == ["s1-1"]
    assert results[2].numbers == {"value": 1.0}


def test_number_that_could_not_be_had_is_kept_as_such(tmp_path: Path) -> None:
    kept, unit = KeptResults(tmp_path, UNDER), Unit("one", {})
    kept.keep(Result(unit, {"precision": math.nan}, 0.5))

    found = kept.find(unit)

    assert found is not None and math.isnan(found.numbers["precision"])
    json.loads(kept.path(unit).read_text(), parse_constant=pytest.fail)


def test_kill_while_a_result_is_written_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, unit = KeptResults(tmp_path, UNDER), Unit("one", {})

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        kept.keep(Result(unit, {"x": 1.0}, 0.5))

    assert kept.find(unit) is None


def test_two_units_of_one_name_are_refused(tmp_path: Path) -> None:
    class Twice(Known):
        def units(self) -> Sequence[Unit]:
            return [Unit("same", {"seed": 0, "arm": 1}), Unit("same", {"seed": 1, "arm": 1})]

    with pytest.raises(ValueError, match="two units of one name"):
        run_units(Twice(), KeptResults(tmp_path, UNDER))


def test_account_says_command_numbers_and_reading(tmp_path: Path) -> None:
    options = ExperimentOptions(tmp_path, seeds=3, threads=1)
    results = run_units(Known(), KeptResults(tmp_path / "kept", UNDER), clock=ticking())

    text = write_account(Known(), results, options, tmp_path / "docs").read_text()

    assert (
        "`python -m scripts.experiments known --seeds 3 --threads 1`: seeds 0 to 2, 6 units, 0.1 minutes of work"
        in text
    )
    assert "| 1 | 1.000 ± 1.000 |" in text
    assert "| 2 | 2.000 ± 2.000 |" in text
    assert "- **all: as claimed; as expected.** 2.0 against 1.0" in text
    assert str(tmp_path) not in text
    assert (
        tmp_path / "docs/experiments/known.csv"
    ).read_text() == "arm,value mean,value sd,value n\n1,1.0,1.0,3\n2,2.0,2.0,3\n"
    assert ET.parse(tmp_path / "docs/experiments/known.svg").getroot().tag.endswith("svg")


def test_account_of_the_same_results_is_the_same_to_the_last_byte(tmp_path: Path) -> None:
    options = ExperimentOptions(tmp_path, seeds=3)
    results = run_units(Known(), KeptResults(tmp_path / "kept", UNDER))
    for docs in (tmp_path / "a", tmp_path / "b"):
        write_account(Known(), results, options, docs)

    for name in ("experiments.md", "experiments/known.csv", "experiments/known.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_settings_are_shown_with_stance_and_expectation(tmp_path: Path) -> None:
    class Judged(Known):
        settings = SETTINGS[:3]

    text = write_account(
        Judged(), run_units(Judged(), KeptResults(tmp_path, UNDER)), ExperimentOptions(tmp_path), tmp_path
    )

    for chosen in SETTINGS[:3]:
        assert f"| `{chosen.name}` | {chosen.stance} | {chosen.why} | {chosen.expectation} |" in text.read_text()


def test_units_run_in_other_processes_give_the_same_numbers(tmp_path: Path) -> None:
    class Asked(Known):
        def run(self, unit: Unit) -> Numbers:
            raise AssertionError("only its name goes to other processes")

    kept, alone = KeptResults(tmp_path / "a", UNDER), run_units(Known(), KeptResults(tmp_path / "b", UNDER))
    with open_executor(2) as executor:
        results = run_units(Asked(), kept, executor=executor, work=_known_numbers)

    assert [(r.unit, r.numbers) for r in results] == [(r.unit, r.numbers) for r in alone]
    assert all(kept.find(unit) is not None for unit in Known().units())


def _known_numbers(unit: Unit) -> Numbers:
    return {"value": float(unit.inputs["seed"] * unit.inputs["arm"])}
