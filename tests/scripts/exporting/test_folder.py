from __future__ import annotations

from pathlib import Path

import pytest
from export_lab import make_lab

from scripts.exporting.errors import ExportError
from scripts.exporting.folder import ExportKind, check_place, new_folder
from scripts.project import Project, open_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return open_project(make_lab(tmp_path_factory.mktemp("folder") / "project").root)


def write(
    out: Path, project: Project, text: str, kind: ExportKind = ExportKind.ONNX, *, is_forced: bool = False
) -> None:
    with new_folder(out, kind, project, is_forced=is_forced) as folder:
        (folder / "file").write_text(text)


def test_folder_is_there_only_once_it_is_whole(tmp_path: Path, project: Project) -> None:
    out = tmp_path / "new" / "out"
    with new_folder(out, ExportKind.ONNX, project) as folder:
        (folder / "file").write_text("a")
        assert not out.exists() and folder.parent == out.parent
    assert (out / "file").read_text() == "a" and [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize(
    "error", [ExportError("no"), KeyboardInterrupt(), OSError("full")], ids=["ours", "key", "disk"]
)
def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path, project: Project, error: BaseException) -> None:
    with pytest.raises(type(error)), new_folder(tmp_path / "out", ExportKind.ONNX, project) as folder:
        (folder / "file").write_text("a")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_no_part_of_the_next(tmp_path: Path, project: Project) -> None:
    with pytest.raises(ExportError), new_folder(tmp_path / "out", ExportKind.ONNX, project) as folder:
        name = folder.name
        raise ExportError("no")
    (tmp_path / name).mkdir()
    (tmp_path / name / "old").touch()
    write(tmp_path / "out", project, "b")
    assert [p.name for p in tmp_path.iterdir()] == ["out"] and not (tmp_path / "out" / "old").exists()


def test_export_is_replaced_only_when_asked_for_and_only_by_its_kind(tmp_path: Path, project: Project) -> None:
    out = tmp_path / "out"
    write(out, project, "first")
    with pytest.raises(ExportError, match="--force"):
        write(out, project, "second")
    with pytest.raises(ExportError, match="no dataset export"):
        write(out, project, "second", ExportKind.DATASET, is_forced=True)
    assert (out / "file").read_text() == "first"

    write(out, project, "second", is_forced=True)
    assert (out / "file").read_text() == "second" and [p.name for p in tmp_path.iterdir()] == ["out"]


def test_failed_replacement_leaves_the_export_that_was_there(tmp_path: Path, project: Project) -> None:
    out = tmp_path / "out"
    write(out, project, "first")
    with pytest.raises(OSError, match="full"), new_folder(out, ExportKind.ONNX, project, is_forced=True):
        raise OSError("full")
    assert (out / "file").read_text() == "first"


def test_folder_of_somebody_else_stays_even_when_forced(tmp_path: Path, project: Project) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ExportError, match="not empty"):
        check_place(tmp_path, ExportKind.ONNX, project, is_forced=True)


def test_empty_folder_is_taken(tmp_path: Path, project: Project) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", project, "a")
    assert (tmp_path / "out" / "file").read_text() == "a"


def test_link_to_a_folder_stays_and_the_folder_is_filled(tmp_path: Path, project: Project) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    for text in ("first", "second"):
        write(tmp_path / "link", project, text, is_forced=True)
        assert (tmp_path / "link").is_symlink() and (tmp_path / "real" / "file").read_text() == text
        assert {p.name for p in tmp_path.iterdir()} == {"real", "link"}


def test_nothing_is_written_beside_annotations_that_lie_elsewhere(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "project")
    (tmp_path / "drawn").mkdir()
    path = lab.root / "slidebridge.toml"
    path.write_text(path.read_text("utf-8").replace("[source]\n", "[source]\npath = '../drawn'\n"), "utf-8")
    with pytest.raises(ExportError, match="lies in the project"):
        check_place(tmp_path / "drawn" / "out", ExportKind.ONNX, open_project(lab.root))
    check_place(tmp_path / "out", ExportKind.ONNX, open_project(lab.root))


@pytest.mark.parametrize("place", ["export", "deep/er", ".slidebridge/x", "x/../y"])
def test_nothing_is_written_into_the_project(project: Project, place: str) -> None:
    with pytest.raises(ExportError, match="lies in the project"):
        check_place(project.root / place, ExportKind.ONNX, project)
