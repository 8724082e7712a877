from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.experiments import __main__ as command
from scripts.experiments.comparisons import ExperimentOptions, Numbers, Reading, Result, Table, Unit, spread_of
from scripts.figures import new_figure


class Counting:
    """An experiment whose second unit may be interrupted."""

    name, title, account, settings = "transfer", "Counting", "One, two.", ()
    is_timed = False

    def __init__(self, ran: list[str], *, fails: BaseException | None = None) -> None:
        self.ran, self.fails = ran, fails

    def units(self) -> Sequence[Unit]:
        return [Unit(f"s{seed}", {"seed": seed}) for seed in range(2)]

    def run(self, unit: Unit) -> Numbers:
        if unit.name == "s1" and self.fails is not None:
            raise self.fails
        self.ran.append(unit.name)
        return {"x": 1.0}

    def table(self, results: Sequence[Result]) -> Table:
        return Table(("what", "x"), (("all", spread_of(results, "x")),))

    def figure(self, results: Sequence[Result]) -> Any:
        return new_figure()

    def readings(self, results: Sequence[Result]) -> Sequence[Reading]:
        return [Reading("all", None, "Nothing was claimed.")]


@pytest.fixture
def ran() -> list[str]:
    return []


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, experiment: Counting) -> int:
    seen: list[ExperimentOptions] = []

    def opened(name: str, options: ExperimentOptions) -> Counting:
        seen.append(options)
        return experiment

    monkeypatch.setattr(command, "open_experiment", opened)
    status = command.main(["transfer", "--folder", str(folder), "--docs", str(folder / "docs"), "--workers", "1"])
    assert [options.folder for options in seen] == [folder]
    return status


def test_interrupted_command_goes_on_and_then_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ran: list[str]
) -> None:
    assert run(tmp_path, monkeypatch, Counting(ran, fails=KeyboardInterrupt())) == 130
    assert not (tmp_path / "docs").exists()
    assert "goes on from here" in capsys.readouterr().err

    assert run(tmp_path, monkeypatch, Counting(ran)) == 0

    assert ran == ["s0", "s1"]
    assert "| all | 1.000 ± 0.000 |" in (tmp_path / "docs" / "experiments.md").read_text()
    assert "**all: not to be judged.** Nothing was claimed." in capsys.readouterr().out


def test_trouble_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ran: list[str]
) -> None:
    assert run(tmp_path, monkeypatch, Counting(ran, fails=ValueError("no such slide"))) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "ValueError: no such slide"


def test_no_seeds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["transfer", "--folder", str(tmp_path), "--seeds", "0"]) == 1
    assert "seeds and threads must be 1 or more" in capsys.readouterr().err
