"""The codec benchmark measures what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.imagescope import read_imagescope
from bridge.qupath import read_geojson, read_qpdata
from scripts.bench.codecs import (
    ACTIONS,
    BESIDE,
    GEOJSON,
    QPDATA,
    WARM_UP,
    XML,
    Task,
    draw,
    in_turn_with,
    memory_of,
    rows,
    write_files,
)
from scripts.bench.measuring import MIB, Scale


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
@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_timed_beside_parsers_and_its_memory_told(folder: Path, action: str, file: str) -> None:
    task = Task(action, folder / file, 200)
    for ours, theirs in in_turn_with(task, BESIDE[file]).values():
        assert 0 < ours.median < 60
        assert 0 < theirs.median < 60
    assert 0 <= memory_of(task).grown_bytes < 1024 * MIB


def test_every_action_on_every_format_has_one_guarded_row() -> None:
    guarded = [row.work for row in rows(Scale.SMOKE) if row.least_ratio is not None]
    assert len(guarded) == len(set(guarded)) == 9
