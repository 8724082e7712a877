"""From an object in a file to the annotations that made it: written, read back, asked for."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from learn_support import classroom

from bridge.annotations import Annotation
from bridge.imagescope import read_imagescope
from bridge.qupath import create_project, read_qpdata
from bridge.qupath.plain import append_annotations
from lab_support import RUNNER, Lab, labelled
from scripts.cli import app
from scripts.set_up import new_image

KEY = "slidebridge.checkpoint"


@dataclass(frozen=True)
class Written:
    """A project that was trained and predicted in once."""

    lab: Lab
    file: Path
    learned_from: str
    ours: dict[str, Annotation]

    @property
    def checkpoint(self) -> str:
        return {a.metadata[KEY] for a in self.ours.values()}.pop()

    def ask(self, asked: str) -> dict[str, Any]:
        result = self.lab.run("status", "--lineage", asked, "--json")
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))


def _imagescope(lab: Lab) -> tuple[Path, Callable[[], dict[str, Annotation]]]:
    lab.write(labelled())

    def ours() -> dict[str, Annotation]:
        found = read_imagescope(lab.xml.read_bytes()).annotations
        return {a.metadata["slidebridge"]: a for a in found if a.is_ours}

    return lab.xml, ours


def _qupath(lab: Lab) -> tuple[Path, Callable[[], dict[str, Annotation]]]:
    project = create_project(lab.root / "study", [new_image(lab.slide)], {}, now=datetime(2030, 1, 2, tzinfo=UTC))
    entry = project.slides()[0]
    shapes = [(name, shape) for name, drawn in labelled().items() for shape, _ in drawn]
    drawn = [
        Annotation(f"{i:08x}-0000-4000-8000-000000000000", s, n, color=(9, 9, 9)) for i, (n, s) in enumerate(shapes)
    ]
    entry.annotation_path.write_bytes(append_annotations(project.create(entry), drawn).data)
    settings = lab.root / "slidebridge.toml"
    text = settings.read_text("utf-8").replace('"imagescope"', '"qupath"\npath = "study/project.qpproj"')
    settings.write_text(text, "utf-8")

    def ours() -> dict[str, Annotation]:
        found = read_qpdata(entry.annotation_path.read_bytes()).annotations
        return {a.object_id: a for a in found if a.is_ours}

    return entry.annotation_path, ours


@pytest.fixture(params=[_imagescope, _qupath], ids=["imagescope", "qupath"])
def written(request: pytest.FixtureRequest, lab: Lab) -> Written:
    file, ours = request.param(lab)
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    result = lab.run("sync")
    assert result.exit_code == 0, result.output
    return Written(lab, file, before, ours())


def test_an_object_leads_to_the_annotations_that_trained_its_model(written: Written) -> None:
    object_id, found = next(iter(written.ours.items()))
    told = written.ask(object_id)
    made_by = told["checkpoints"][0]
    assert told["object"]["id"] == object_id and told["object"]["class"] == found.path_class
    assert told["object"]["checkpoint"] == made_by["id"] == found.metadata[KEY]
    assert [share["revision"] for share in made_by["slides"]] == [written.learned_from]
    share = made_by["slides"][0]
    assert share["areas"] == 1 and share["objects"] > 0 and share["patch_labels"] == 0  # the other box is held out
    assert any(written.learned_from in path.name for path in (written.lab.root / ".slidebridge").rglob("*"))
    # Every object carries its model, and it alone leads there too.
    assert len({a.metadata[KEY] for a in written.ours.values()}) == 1 and len(written.ours) >= 3
    told = written.ask(written.checkpoint)
    assert told["object"] is None
    assert told["checkpoints"][0]["slides"][0]["revision"] == written.learned_from


def test_the_chain_goes_on_to_the_parents(lab: Lab) -> None:
    file, ours = _imagescope(lab)
    first = hashlib.sha256(file.read_bytes()).hexdigest()
    assert lab.run("train").exit_code == 0
    lab.write({"Blob": labelled()["Blob"][1:], "ROI": labelled()["ROI"]})
    second = hashlib.sha256(file.read_bytes()).hexdigest()
    assert lab.run("train", "--force").exit_code == 0
    assert lab.run("predict").exit_code == 0
    told = Written(lab, file, first, {}).ask(next(a.metadata[KEY] for a in ours().values()))
    child, parent = told["checkpoints"]
    assert child["parent"] == parent["id"] and parent["parent"] is None
    assert [c["slides"][0]["revision"] for c in (child, parent)] == [second, first]
    shutil.rmtree(lab.root / ".slidebridge" / "checkpoints" / parent["id"])
    said = lab.run("status", "--lineage", child["id"]).stdout
    assert f"model {parent['id']} (training 1): its card isn't in the project any more" in said


def test_the_chain_ends_with_the_model_that_was_taken_over(lab: Lab, new_lab: Callable[[str], Lab]) -> None:
    _imagescope(lab)
    assert lab.run("train").exit_code == 0
    other = new_lab("other")
    done = RUNNER.invoke(app, ["new", "--imagescope", str(other.root), "--transfer", str(lab.root)])
    assert done.exit_code == 0, done.output
    assert other.run("predict").exit_code == 0
    found = read_imagescope(other.xml.read_bytes()).annotations
    begun = next(a.metadata[KEY] for a in found if a.is_ours)
    said = other.run("status", "--lineage", begun).stdout
    (line,) = (line for line in said.splitlines() if line.startswith("model "))
    with classroom(lab) as room:
        assert f", deepzoom, taken over from model {room.champion}; which had learned from:" in line
    with classroom(other) as room:
        assert room.champion == begun


def test_names_are_hashed_where_the_project_wants_it(lab: Lab) -> None:
    file, ours = _imagescope(lab)
    lab.set("\n[privacy]\nhash_names = true\n")
    assert lab.run("sync").exit_code == 0
    asked = next(iter(ours()))
    for more in ((), ("--json",)):
        said = lab.run("status", "--lineage", asked, *more).stdout
        assert "case" not in said.replace(str(file.parent), "") and "slide-" in said


def test_an_id_of_nobody_is_refused_in_one_line(lab: Lab) -> None:
    _imagescope(lab)
    for asked in ("nobody", "f" * 16, "../../etc/passwd"):
        result = lab.run("status", "--lineage", asked)
        assert result.exit_code == 1 and "neither an object" in str(result.exception)
