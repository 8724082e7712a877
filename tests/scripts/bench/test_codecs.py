"""The codec benchmark measures what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.imagescope import read_imagescope
from bridge.qupath import read_geojson, read_qpdata
from scripts.bench.codecs import GEOJSON, MIB, QPDATA, WARM_UP, XML, Cost, Row, Task, draw, measure, write_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("codecs")
    write_files(200, root / "all")
    write_files(WARM_UP, root / "few")
    return root / "all"


def test_every_file_holds_the_same_outlines(folder: Path) -> None:
    readers = {QPDATA: read_qpdata, XML: read_imagescope, GEOJSON: read_geojson}
    found = {file: reader((folder / file).read_bytes()).annotations for file, reader in readers.items()}
    assert {len(annotations) for annotations in found.values()} == {200}
    areas = [sum(a.geometry.area for a in annotations) for annotations in found.values()]
    assert areas == pytest.approx([sum(a.geometry.area for a in draw(200))] * 3, rel=2e-3)


@pytest.mark.parametrize("file", [QPDATA, XML, GEOJSON])
@pytest.mark.parametrize("action", ["read", "append one to", "write"])
def test_every_work_is_measured(folder: Path, action: str, file: str) -> None:
    cost = measure(Task(f"{action} {file}", folder / file, 200))
    assert 0 < cost.seconds < 60
    assert 0 <= cost.peak < 1024 * MIB


def test_ratio_says_how_many_times_faster_ours_is() -> None:
    row = Row("read", Cost(0.5, 10 * MIB), "json.loads", Cost(2.0, 40 * MIB))
    assert "  4.00 ×" in str(row) and "10 MiB" in str(row) and "40 MiB" in str(row)
