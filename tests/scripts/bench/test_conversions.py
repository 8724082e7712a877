"""The table of conversions: right about what came through, and loud about what must not happen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapely.geometry import LineString, box

from bridge.annotations import Annotation, Shape
from bridge.errors import ConfigError
from bridge.imagescope.plain import write_imagescope
from bridge.qupath import write_geojson
from scripts.bench import conversions

OBJECTS = (
    Annotation("a", box(10, 10, 40, 30), "Tumor", Shape.RECTANGLE, color=(200, 0, 0), name="a"),
    Annotation("b", LineString([(1, 1), (5, 5), (9, 1)]), "Tumor", Shape.POLYLINE, color=(200, 0, 0)),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    (made / "a.xml").write_bytes(write_imagescope(OBJECTS, None))
    (made / "b.json").write_bytes(write_geojson(OBJECTS))
    (made / "cut.xml").write_bytes(write_imagescope(OBJECTS, None)[:-20])
    (made / "asap.xml").write_text("<ASAP_Annotations/>")
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(made / "mask.png")
    Image.new("RGB", (9, 9)).save(made / "photo.png")
    return made


def test_every_file_gets_a_row_and_every_target_a_cell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conversions.main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    by_name = {line.split("  ")[-1]: line.split() for line in lines if line[:1].isdigit()}
    assert by_name["a.xml"] == ["1", "1", "1", "1", "1", "~1", "1", "~1", "1", "a.xml"]  # its polyline is not in it
    assert by_name["b.json"] == ["1", "−1", "2", "2", "2", "1", "−1", "~1", "1", "−1", "~1", "2", "b.json"]
    assert by_name["mask.png"][0] == "20"
    assert by_name["asap.xml"][0] == "0"
    assert "    xml, png, tif: left out 1 × polyline" in lines
    assert any("cut off" in line for line in lines) and any("colour picture" in line for line in lines)
    assert lines[-3:] == [
        "6 files and images: 4 read, 2 refused with their reasons",
        lines[-2],
        "0 broken, or refused though the file reads",
    ]


@pytest.mark.parametrize("error", [RuntimeError("boom"), ConfigError("no")])
def test_what_must_not_happen_is_counted(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    whole = conversions.convert

    def broken(request: conversions.ConversionRequest, **options: object) -> object:
        if request.target.path.suffix == ".geojson":
            raise error
        return whole(request, **options)

    monkeypatch.setattr(conversions, "convert", broken)
    assert conversions.main([str(folder)]) == 1
    assert "4 broken, or refused though the file reads" in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_misuse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert conversions.main([str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().out


def test_real_files_go_everywhere_or_are_refused_in_words(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("qupath/wsidicom/sectra", "qupath/wsidicom/cytomine", "qupath_projects/shapes_070"):
        shutil.copytree(shared_data / part, tmp_path / part)
    assert conversions.main([str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Sectra" in text and "Cytomine" in text
    assert text.splitlines()[-1].startswith("0 broken")
