"""Copies for QuPath: what it never gets, and what it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from qupath_lab import new_project, save_first

from bridge.errors import QuPathBackendError, QuPathFormatError
from bridge.qupath.paquo_copy import copy_aside, read_whole
from bridge.qupath.project import QuPathProject


@pytest.fixture
def project(tmp_path: Path, every_kind: bytes) -> QuPathProject:
    made = new_project(tmp_path / "work", "a.png", "b.png")
    save_first(made, every_kind)
    return made


def test_a_whole_file_is_read(project: QuPathProject, every_kind: bytes) -> None:
    assert read_whole(project, project.slides()[0]) == every_kind


@pytest.mark.parametrize("cut", [1, 6, 5000])
def test_a_cut_file_is_never_shown_to_qupath(project: QuPathProject, every_kind: bytes, cut: int) -> None:
    save_first(project, every_kind[:-cut])
    with pytest.raises(QuPathFormatError, match="EOF"):
        read_whole(project, project.slides()[0])


def test_nor_is_one_with_a_save_going_on(project: QuPathProject, every_kind: bytes) -> None:
    path = save_first(project, every_kind)
    path.with_name("data.qpdata.bkp").write_bytes(every_kind)
    with pytest.raises(QuPathFormatError, match="bkp"):
        read_whole(project, project.slides()[0])


def test_an_image_that_was_never_saved_has_nothing_to_show(project: QuPathProject) -> None:
    with pytest.raises(QuPathFormatError, match="can't be read"):
        read_whole(project, project.slides()[1])


def test_the_copy_is_a_project_with_the_given_data_and_no_slides(project: QuPathProject, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    copy = QuPathProject(copy_aside(project, {"2": b"any bytes"}, folder))
    assert [entry.key for entry in copy.slides()] == ["1", "2"]
    assert copy.slides()[1].annotation_path.read_bytes() == b"any bytes"
    assert not copy.slides()[0].annotation_path.exists()
    assert copy.classes_path.read_bytes() == project.classes_path.read_bytes()
    assert not list(folder.rglob("*.png"))


def test_no_room_for_a_copy_is_said(project: QuPathProject, tmp_path: Path) -> None:
    (tmp_path / "full").write_text("a file where a folder belongs")
    with pytest.raises(QuPathBackendError, match="TMPDIR"):
        copy_aside(project, {"1": b""}, tmp_path / "full")
