import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import shapely
import torch
from shapely.geometry.base import BaseGeometry

from bridge.errors import BridgeError, ConfigError
from lab_support import RUNNER, SETTINGS, SIDE, blobs, draw_slide, xml_of
from models.simulation import GridOptions
from scripts.cli import app
from scripts.project import open_project
from scripts.simulation import find_annotated
from scripts.simulation import project as simulated

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SMALL = ("--cell-um", "16", "--region-um", "32", "--k", "1", "--seeds", "1", "--cycles", "2", "--workers", "1")
WHOLE = shapely.box(0, 0, SIDE, SIDE)


def make_project(root: Path, rois: list[BaseGeometry | None], settings: str = "", layer: str = "ROI") -> Path:
    """Write a project of a slide per ROI, every blob outlined; without an ROI for None."""
    root.mkdir()
    for number, roi in enumerate(rois):
        draw_slide(root / f"case{number}.tif", seed=number)
        outlines: list[BaseGeometry] = [shapely.Point(x, y).buffer(radius) for x, y, radius in blobs(number)]
        layers = {"Blob": [(outline, "") for outline in outlines]}
        if roi is not None:
            layers[layer] = [(roi, "")]
        (root / f"case{number}.xml").write_bytes(xml_of(layers))
    (root / "slidebridge.toml").write_text(SETTINGS + settings)
    return root


def digests(root: Path) -> dict[str, str]:
    """Return a hash of every file outside of our own folder."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and ".slidebridge" not in path.parts)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("labs") / "whole", [WHOLE] * 4)


def test_simulation_writes_the_same_bytes_again_and_nothing_of_peoples(project: Path, tmp_path: Path) -> None:
    before = digests(project)
    command = ["simulate", str(project), *SMALL, "--methods", "random,adaptive", "--json", "--out"]

    results = [RUNNER.invoke(app, [*command, str(tmp_path / name)]) for name in ("one", "two")]

    assert [result.exit_code for result in results] == [0, 0], results[0].output
    told = json.loads(results[0].stdout)
    assert [row["method"] for row in told["rows"]] == ["full annotation", *["random"] * 2, *["adaptive"] * 2]
    for name in ("simulation.csv", "simulation.md", "simulation.svg"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert digests(project) == before
    assert not (project / ".slidebridge").exists()


def test_slides_judge_by_the_projects_hold_out(project: Path) -> None:
    found = find_annotated(open_project(project), NOW)

    judging = [slide.path.name for slide in found.slides if slide.is_judging]
    assert 0 < len(judging) < len(found.slides) == 4
    assert "the project's hold-out" in found.frame[0]


def test_slides_judge_by_a_hash_where_the_project_holds_none_out(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab", [WHOLE] * 3, "\n[holdout]\nfraction = 0\n")

    first, again = (find_annotated(open_project(root), NOW) for _ in range(2))

    assert "stable hash" in first.frame[0]
    assert [s.is_judging for s in first.slides] == [s.is_judging for s in again.slides]
    assert 0 < sum(s.is_judging for s in first.slides) < 3


def test_slide_with_a_part_of_its_tissue_labelled_is_left_out(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab", [WHOLE, WHOLE, shapely.box(0, 0, SIDE, SIDE * 0.9), None])

    found = find_annotated(open_project(root), NOW)

    assert sorted(slide.path.name for slide in found.slides) == ["case0.tif", "case1.tif"]
    assert found.frame[1].startswith("left out: 2 slides")


def test_whole_slides_count_as_labelled_where_the_settings_say_so(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab", [None, None], '\n[labels]\ncomplete = "slide"\n')

    assert len(find_annotated(open_project(root), NOW).slides) == 2


def test_runs_of_the_whole_network_are_kept_for_each_device_apart(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_project(project)
    found = find_annotated(opened, NOW)
    keys = []
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(simulated, "choose_device", lambda name, device=device: torch.device(device))
        keys.append([simulated._key(opened, found, GridOptions(), is_full=is_full) for is_full in (False, True)])

    assert keys[0][0] == keys[1][0]
    assert keys[0][1] != keys[1][1]


def test_without_fully_annotated_slides_one_line_says_what_to_do(tmp_path: Path) -> None:
    root = make_project(tmp_path / "lab", [WHOLE, shapely.box(0, 0, SIDE / 2, SIDE), None])

    result = RUNNER.invoke(app, ["simulate", str(root), *SMALL])

    said = str(result.exception)
    assert isinstance(result.exception, ConfigError) and "\n" not in said
    assert said.startswith("a simulation needs 2 fully annotated slides")
    assert "there are 1 of 3 (of the others, 5" in said and 'complete = "slide"' in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--methods", "best"], "--methods has no 'best'"),
        (["--actions", "guess"], "--actions has no 'guess'"),
        (["--variant", "mine"], "--variant has no 'mine'"),
        (["--variant", "paper,code"], "--variant takes one of paper, code"),
        (["--k", "1.5"], "--k '1.5' must be whole numbers"),
        (["--seeds", "0"], "--seeds must be 1 or more"),
        (["--cell-um", "20"], "--cell-um 20 is 20 pixels of [model] mpp 1 µm; it must be a multiple of 16"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_input_is_one_line(project: Path, given: list[str], said: str) -> None:
    result = RUNNER.invoke(app, ["simulate", str(project), "--region-um", "64", *given])

    assert isinstance(result.exception, BridgeError)
    assert str(result.exception).startswith(said)
    assert "\n" not in str(result.exception)
