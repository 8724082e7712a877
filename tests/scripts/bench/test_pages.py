from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from scripts.bench.machine import Machine, this_machine
from scripts.bench.measuring import Figure, Row, Scaling, at_most, ratio_at_least
from scripts.bench.pages import Result, read_results, tables, write_page, write_result

DAY = date(2026, 1, 2)
MACHINE = Machine("A processor", 2, 16, "A system", "3.12.1", (("numpy", "2.0.0"),), "abc1234+", DAY)
QUICK = Row("burn | masks", Figure(1.0, 0.9, 1.2, "s", 3), "rasterio", Figure(3.0, 2.5, 4.0, "s", 3), at_most(3, "s"))
SLOW = Row("read tiles", Figure.of([50.0], "tiles/s"), "openslide", Figure.of([100.0], "tiles/s"), ratio_at_least(1))
ALONE = Row("predict", Figure.of([500.0], "MiB"), "pyFAST", None, None, note="not measured: no network")
GROWTH = Scaling("diff", (1000, 100_000), (Figure.of([0.5]), Figure.of([50.0])), "objects", 1.3)


def result(name: str, *entries: Row | Scaling) -> Result:
    return Result(name, f"What {name} measures", MACHINE, entries)


def test_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = result("raster", QUICK, SLOW, ALONE, GROWTH)
    write_result(written, tmp_path)
    assert read_results(tmp_path) == (written,)


def test_results_are_read_in_the_order_of_the_suite_and_forgotten_benches_last(tmp_path: Path) -> None:
    for name in ("a_bench_of_old", "selection", "raster"):
        write_result(result(name, QUICK), tmp_path)
    assert [found.name for found in read_results(tmp_path)] == ["raster", "selection", "a_bench_of_old"]


def test_tables_show_ratio_target_and_growth() -> None:
    assert tables((QUICK, SLOW, ALONE, GROWTH)).splitlines() == [
        "| work | ours | beside | theirs | ratio | target | reached |",
        "| --- | --- | --- | --- | ---: | --- | --- |",
        "| burn \\| masks | 1 s (0.9–1.2) | rasterio | 3 s (2.5–4) | 3 × | ≤ 3 s | yes |",
        "| read tiles | 50 tiles/s | openslide | 100 tiles/s | 0.5 × | ratio ≥ 1 | **no** |",
        "| predict | 500 MiB | pyFAST | – | – | – | – |",
        "",
        "| work | size: figure | exponent | at most | reached |",
        "| --- | --- | ---: | ---: | --- |",
        "| diff | objects 1,000: 0.5 s; 100,000: 50 s | 1.00 | 1.3 | yes |",
        "",
        "* predict: not measured: no network",
    ]


def test_page_says_which_targets_are_reached_and_on_what_machine(tmp_path: Path) -> None:
    write_result(result("raster", QUICK, SLOW, ALONE), tmp_path)
    page = write_page(tmp_path).read_text("utf-8")

    targets = page.split("## Targets")[1].split("##")[0]
    assert "1 of 2 are reached" in targets
    assert "| read tiles | ratio ≥ 1 | 50 tiles/s | 0.5 × against openslide | **no** |" in targets
    assert "predict" not in targets
    assert "## What raster measures" in page
    assert "A processor, 2 cores, 16 GiB; A system, Python 3.12.1; numpy 2.0.0; 2026-01-02 at abc1234+" in page


def test_words_of_a_person_survive_every_writing(tmp_path: Path) -> None:
    words = tmp_path / "docs" / "benchmarks" / "raster.md"
    write_result(result("raster", QUICK), tmp_path)
    words.write_text("**What holds it back**: memory.\n", "utf-8")
    first = write_page(tmp_path).read_text("utf-8")
    write_result(result("selection", SLOW), tmp_path)
    second = write_page(tmp_path).read_text("utf-8")

    assert first.count("**What holds it back**: memory.") == second.count("**What holds it back**: memory.") == 1
    assert words.read_text("utf-8") == "**What holds it back**: memory.\n"
    assert second.index("memory.") < second.index("## What selection measures")


def test_this_machine_tells_no_name_of_the_machine_and_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "a-name-nobody-else-has")
    said = str(this_machine(DAY, ["numpy", "no-such-library"]))
    assert "a-name-nobody-else-has" not in said
    assert str(Path.home()) not in said and str(Path.cwd()) not in said
    assert "numpy " in said and "no-such-library" not in said
