"""Asking QuPath: what it answers, and what becomes of files and folders when it doesn't."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from qupath_lab import CLASSES, draw_picture, new_project, save_first, stand_in

from bridge.annotations import Edits
from bridge.errors import QuPathBackendError, QuPathFormatError, SlideNotFoundError, WriteFailedError
from bridge.qupath.paquo_backend import PaquoOptions, QuPath
from bridge.qupath.project import QuPathProject
from bridge.qupath.read import read_qpdata


@pytest.fixture
def project(tmp_path: Path, every_kind: bytes) -> QuPathProject:
    made = new_project(tmp_path / "work")
    save_first(made, every_kind)
    return made


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _answering(*messages: dict[str, object]) -> QuPath:
    """Return a QuPath that says just this."""
    lines = "".join(json.dumps(message) + "\n" for message in messages)
    return QuPath(PaquoOptions(), command=(sys.executable, "-c", f"import sys; sys.stdout.write({lines!r})"))


def test_reading_changes_nothing_in_the_project(project: QuPathProject) -> None:
    before = _contents(project.root)
    assert len(stand_in().read(project, project.slides())["1"].objects) == 10
    assert _contents(project.root) == before


def test_a_qupath_that_hangs_is_stopped_and_the_setting_is_named(project: QuPathProject) -> None:
    with pytest.raises(QuPathBackendError, match=r"after 0.9 s.*\[qupath\] timeout_seconds"):
        stand_in("hangs", seconds=0.9).read(project, project.slides())


def test_a_qupath_that_dies_is_one_line_with_its_last_words(project: QuPathProject) -> None:
    with pytest.raises(QuPathBackendError, match=r"status 3.*OutOfMemoryError"):
        stand_in("dies").read(project, project.slides())


def test_qupath_never_starts_for_a_file_that_was_cut(project: QuPathProject, every_kind: bytes) -> None:
    save_first(project, every_kind[:-1])
    with pytest.raises(QuPathFormatError, match="EOF"):
        QuPath(command=("/would fail if it were started",)).read(project, project.slides())


def test_java_may_take_no_more_memory_than_said_unless_the_user_says_otherwise() -> None:
    options = PaquoOptions(java_options="-Xmx1g")
    assert options.environ({})["PAQUO_JAVA_OPTS"] == "-Xmx1g"
    assert options.environ({"PAQUO_JAVA_OPTS": "-Xmx9g"})["PAQUO_JAVA_OPTS"] == "-Xmx9g"


@pytest.mark.parametrize(
    ("messages", "what"),
    [
        (({"say": "end"},), "left out image 1"),
        (({"say": "object", "object": {}}, {"say": "end"}), "out of turn"),
        (({"say": "image", "id": "1", "n_objects": 3}, {"say": "end"}), "announced 3 objects of image 1 and sent 0"),
        (({"say": "image", "id": "1", "n_objects": 0}, {"say": "object", "object": 7}, {"say": "end"}), "out of turn"),
        (
            ({"say": "image", "id": "1", "n_objects": 1}, {"say": "object", "object": {}}, {"say": "end"}),
            "an object that is none",
        ),
    ],
)
def test_half_an_answer_is_no_answer(
    project: QuPathProject, messages: tuple[dict[str, object], ...], what: str
) -> None:
    with pytest.raises(QuPathBackendError, match=what):
        _answering(*messages).read(project, project.slides())


# Creating


def test_a_project_is_made_with_its_slides_and_classes(tmp_path: Path) -> None:
    slides = [draw_picture(tmp_path / name) for name in ("a.png", "flache Färbung.png")]
    named: list[str] = []
    made = stand_in().create_project(tmp_path / "v1.0 project", slides, CLASSES, named.append)
    assert [entry.slide_path for entry in made.slides()] == slides
    assert named == [str(slide) for slide in slides]
    listed = json.loads(made.classes_path.read_text())["pathClasses"]
    assert [entry["name"] for entry in listed] == list(CLASSES)


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize(("behaviour", "what"), [("can't open slides", "a.png: QuPath can't open"), ("dies", "status")])
def test_a_project_that_fails_leaves_no_trace(tmp_path: Path, is_there: bool, behaviour: str, what: str) -> None:
    folder = tmp_path / "project"
    if is_there:
        folder.mkdir()
    with pytest.raises(QuPathBackendError, match=what):
        stand_in(behaviour).create_project(folder, [draw_picture(tmp_path / "a.png")], CLASSES)
    assert folder.exists() == is_there and not (is_there and any(folder.iterdir()))


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "thesis.txt").write_text("mine")
    with pytest.raises(WriteFailedError, match="not an empty folder"):
        stand_in("dies").create_project(tmp_path / "project", [draw_picture(tmp_path / "a.png")], CLASSES)
    assert _contents(tmp_path / "project") == {"thesis.txt": b"mine"}


def test_slides_that_are_not_there_are_named_before_anything_starts(tmp_path: Path) -> None:
    here = draw_picture(tmp_path / "a.png")
    with pytest.raises(SlideNotFoundError, match=r"gone\.svs"):
        stand_in("dies").create_project(tmp_path / "p", [here, tmp_path / "gone.svs"], CLASSES)


# Saving anew


def test_an_image_saved_anew_can_be_written_into(project: QuPathProject) -> None:
    (entry,) = project.slides()
    before = _contents(project.root)
    data = stand_in().resave(project, entry)
    assert read_qpdata(data).counts.read == 10
    assert project.apply(data, Edits("write 1"), entry)
    assert _contents(project.root) == before


def test_a_slide_that_moved_is_found_where_the_caller_found_it(project: QuPathProject, tmp_path: Path) -> None:
    (entry,) = project.slides()
    moved = entry.slide_path.rename(tmp_path / "moved.png")
    with pytest.raises(SlideNotFoundError, match="saves nothing without it"):
        stand_in().resave(project, entry)
    assert stand_in().resave(project, replace(entry, slide_path=moved))


def test_an_image_that_qupath_opens_empty_is_not_saved(project: QuPathProject) -> None:
    with pytest.raises(QuPathBackendError, match="10 objects in one way and 0 in another; nothing was saved"):
        stand_in("opens an empty image").resave(project, project.slides()[0])


def test_a_save_that_lost_something_is_refused(project: QuPathProject, tmp_path: Path, lab) -> None:
    other = tmp_path / "other.qpdata"
    other.write_bytes(lab.file([lab.box(name="only this")]))
    with pytest.raises(QuPathBackendError, match="what QuPath saved is not what it read"):
        stand_in("saves another image", STAND_IN_OTHER=str(other)).resave(project, project.slides()[0])
