"""The command line as a whole: light start, every command there, settings shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import shapely

from lab_support import RUNNER, Lab, draw_slide, labelled, xml_of
from scripts.cli import app

_COMMANDS = ("new", "sync", "train", "predict", "propose", "status", "confirm", "convert", "config", "demo", "doctor")


@pytest.mark.parametrize("code", ["import bridge", "import scripts.cli", "import scripts.loop.status"])
def test_start_is_light(code: str) -> None:
    heavy = "{'torch', 'monai', 'onnxruntime', 'matplotlib', 'jpype'}"
    check = f"{code}\nimport sys\nprint(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [(), *((name,) for name in _COMMANDS), ("sync", "pull"), ("sync", "push")])
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = RUNNER.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_outside_a_project_the_way_in_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.cli", "sync", "--project", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().startswith("slidebridge: ") and "slidebridge new" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_name_that_the_disk_does_not_take_is_one_line(tmp_path: Path) -> None:
    arguments = ["convert", str(tmp_path / "a.xml"), str(tmp_path / f"{'ä' * 200}.geojson")]
    command = [sys.executable, "-m", "scripts.cli", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "too long; check the path" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_config_show_tells_where_values_come_from(lab: Lab) -> None:
    shown = json.loads(lab.run("config", "show", "--json").stdout)
    assert shown["propose.k"]["from"] == str(lab.root / "slidebridge.toml")
    assert shown["propose.min_tissue"]["from"] == "default"


def test_new_writes_the_classes_that_it_finds(tmp_path: Path) -> None:
    draw_slide(tmp_path / "case.tif")
    (tmp_path / "case.xml").write_bytes(xml_of(labelled()))
    result = RUNNER.invoke(app, ["new", "--imagescope", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["classes"] == ["Blob"]
    shown = json.loads(RUNNER.invoke(app, ["config", "show", "--json", "-p", str(tmp_path)]).stdout)
    assert shown["classes.colors"]["value"] == {"Blob": "#ff0000"}
    again = RUNNER.invoke(app, ["new", "--imagescope", str(tmp_path)])
    assert again.exit_code == 1 and "--force" in str(again.exception)


def test_new_gives_unnamed_layers_a_row_each(tmp_path: Path) -> None:
    draw_slide(tmp_path / "case.tif")
    data = xml_of({"": [(shapely.box(10, 10, 60, 60), "")]})
    (tmp_path / "case.xml").write_bytes(data)
    found = json.loads(RUNNER.invoke(app, ["new", "--imagescope", str(tmp_path), "--json"]).stdout)
    assert found["unnamed_layers"] == {"color:#ff0000": "Annotation"}
    pulled = RUNNER.invoke(app, ["status", "--json", "-p", str(tmp_path)])
    assert json.loads(pulled.stdout)["slides"][0]["roles"] == {"annotation": 1}


def test_new_on_real_imagescope_layers(tmp_path: Path, shared_data: Path) -> None:
    draw_slide(tmp_path / "TCGA-EJ-5519-01Z-00-DX1.tif")
    source = shared_data / "aperio_xml" / "wsi_handling" / "TCGA-EJ-5519-01Z-00-DX1.xml"
    (tmp_path / source.name).write_bytes(source.read_bytes())
    found = json.loads(RUNNER.invoke(app, ["new", "--imagescope", str(tmp_path), "--json"]).stdout)
    assert len(found["unnamed_layers"]) == len(found["classes"]) > 1


def test_new_makes_a_qupath_project_from_nothing(tmp_path: Path) -> None:
    draw_slide(tmp_path / "case.tif")
    folder = tmp_path / "study"
    result = RUNNER.invoke(app, ["new", "--qupath-create", str(folder), str(tmp_path / "case.tif")])
    assert result.exit_code == 0, result.output + str(result.exception)
    classes = json.loads((folder / "classifiers" / "classes.json").read_text("utf-8"))
    assert {"ROI", "Proposed"} <= {c["name"] for c in classes["pathClasses"]}
    assert RUNNER.invoke(app, ["sync", "-p", str(folder)]).exit_code == 0
    assert (folder / "data" / "1" / "data.qpdata").is_file()
