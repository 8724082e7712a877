from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from scripts.bench.__main__ import main
from scripts.bench.measuring import Figure, Row, Scale, Scaling
from scripts.bench.pages import read_results
from scripts.bench.smoke import complaint, slow_entries
from scripts.bench.suite import BENCHES, Entry, Outcome, UnknownBenchError, run_bench


def row(ratio: float, *, least: float | None = 0.5, work: str = "burn") -> Row:
    return Row(work, Figure.of([1.0]), "rasterio", Figure.of([ratio]), least_ratio=least)


def growth(power: float) -> Scaling:
    sizes = (1.0, 10.0, 100.0)
    return Scaling("diff", sizes, tuple(Figure.of([size**power]) for size in sizes), "objects", most_exponent=1.5)


def outcome(*entries: Entry, error: Exception | None = None) -> Outcome:
    return Outcome("raster", "Masks", entries, 1.0, error)


class Played:
    """A bench module whose rows are those of one run after the other."""

    def __init__(self, *runs: tuple[Entry, ...] | Exception) -> None:
        self.runs = list(runs)
        self.scales: list[Scale] = []

    def rows(self, scale: Scale) -> Iterator[Entry]:
        self.scales.append(scale)
        run = self.runs.pop(0)
        if isinstance(run, Exception):
            yield row(9.0, work="before it broke")
            raise run
        yield from run


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> dict[str, Played]:
    """Put benches in the place of the suite's: name → what it plays."""

    class Benches(dict[str, Played]):
        def __setitem__(self, name: str, bench: Played) -> None:
            module = ModuleType(f"played_{name}")
            module.NAME, module.TITLE, module.rows = name, f"What {name} is", bench.rows  # type: ignore[attr-defined]
            monkeypatch.setitem(sys.modules, module.__name__, module)
            monkeypatch.setitem(BENCHES, name, module.__name__)
            super().__setitem__(name, bench)

    for name in list(BENCHES):
        monkeypatch.delitem(BENCHES, name)
    return Benches()


def test_row_within_its_bound_is_measured_once() -> None:
    def again() -> Outcome:
        raise AssertionError("nothing was slow")

    assert slow_entries(outcome(row(0.6), growth(1.4), row(0.1, least=None)), again) == ()


def test_only_what_is_slow_twice_counts() -> None:
    stalled, slow = row(0.4, work="stalled"), row(0.3, work="slow")
    second = outcome(row(2.0, work="stalled"), row(0.2, work="slow"), growth(1.0))
    assert slow_entries(outcome(stalled, slow, growth(2.0)), lambda: second) == (slow,)


def test_second_run_that_breaks_clears_nobody() -> None:
    slow = row(0.3)
    assert slow_entries(outcome(slow), lambda: outcome(row(2.0), error=ValueError("disk full"))) == (slow,)


def test_complaint_names_the_work_what_it_was_and_what_is_due() -> None:
    assert complaint(row(0.25)) == "burn: 0.25 × against rasterio, at least 0.5 × is due"
    assert complaint(growth(2.0)) == "diff: grows with size to the power 2.00, at most 1.5 is allowed"


def test_every_bench_of_the_suite_is_a_module_that_is_there() -> None:
    assert [name for name, module in BENCHES.items() if importlib.util.find_spec(module) is None] == []


def test_bench_that_nobody_knows_is_told_with_the_names_that_there_are() -> None:
    with pytest.raises(UnknownBenchError, match=r"no bench 'rasta'; there are starting, raster, "):
        run_bench("rasta", Scale.SMOKE)


def test_bench_that_breaks_says_so_and_the_others_go_on(
    play: dict[str, Played], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play["first"] = Played(ValueError("disk full"))
    play["second"] = Played((row(3.0),))

    assert main(["--write"], tmp_path) == 1
    told = capsys.readouterr()
    assert "first failed: disk full" in told.out
    assert "before it broke" in told.out
    assert "ValueError" in told.err
    assert [found.name for found in read_results(tmp_path)] == ["second"]
    assert "What second is" in (tmp_path / "docs" / "benchmarks.md").read_text("utf-8")


def test_broken_bench_leaves_the_results_of_the_run_before(play: dict[str, Played], tmp_path: Path) -> None:
    play["first"] = Played((row(3.0),), ValueError("disk full"))
    assert main(["first", "--write"], tmp_path) == 0
    assert main(["first", "--write"], tmp_path) == 1
    assert read_results(tmp_path)[0].entries == (row(3.0),)


def test_bench_that_cannot_be_imported_breaks_no_other(
    play: dict[str, Played], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BENCHES, "absent", "scripts.bench.no_such_module")
    play["second"] = Played((row(3.0),))
    assert main(["--write"], tmp_path) == 1
    assert [found.name for found in read_results(tmp_path)] == ["second"]


def test_only_the_named_benches_run_and_without_write_nothing_is_kept(play: dict[str, Played], tmp_path: Path) -> None:
    play["first"], play["second"] = Played(), Played((row(0.1),))
    assert main(["second"], tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_smoke_fails_on_a_row_that_is_slow_twice_and_says_which(
    play: dict[str, Played], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play["first"] = Played((row(0.1), growth(1.0)), (row(0.2), growth(2.0)))
    play["second"] = Played((row(1.0),))
    assert main(["--smoke"], tmp_path) == 1
    assert capsys.readouterr().out.count("TOO SLOW burn: 0.10 ×") == 1
    assert list(tmp_path.iterdir()) == []


def test_smoke_passes_when_a_stall_was_the_reason(play: dict[str, Played], tmp_path: Path) -> None:
    bench = Played((row(0.1),), (row(0.9),))
    play["first"] = bench
    assert main(["--smoke"], tmp_path) == 0
    assert bench.scales == [Scale.SMOKE, Scale.SMOKE]


def test_unknown_name_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["rasta"], tmp_path)
    assert "no bench 'rasta'" in capsys.readouterr().err
