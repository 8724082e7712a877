"""Opening a project: folders relative to the settings, and a project file that is just being replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import ConfigError
from bridge.imagescope import ImageScopeFolder
from bridge.qupath import QuPathProject
from scripts.options import SourceKind, SourceOptions
from scripts.project import left_out, open_project, open_source


def test_folders_are_relative_to_the_settings(tmp_path: Path) -> None:
    (tmp_path / "slidebridge.toml").write_text(
        """
[slides]
search = ["slides", "/mnt/slides"]
search_depth = 1

[slides.relocate]
'Z:\\' = "slides"
'\\\\nas\\share' = "/mnt/nas"
"/old" = 'C:\\new'
"/older" = "file://nas/share"
""",
        "utf-8",
    )
    slides = open_project(tmp_path, {}).settings.slides
    assert slides.search == (tmp_path / "slides", Path("/mnt/slides"))
    assert slides.search_depth == 1
    assert dict(slides.relocate) == {
        "Z:\\": str(tmp_path / "slides"),
        "\\\\nas\\share": "/mnt/nas",
        "/old": "C:\\new",
        "/older": "file://nas/share",
    }


def test_a_search_that_would_never_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "slidebridge.toml").write_text("[slides]\nsearch_depth = 1000\n")
    with pytest.raises(ConfigError, match="search_depth must be 0 to 32"):
        open_project(tmp_path, {})


def test_a_project_file_that_is_just_being_replaced_is_no_missing_one(tmp_path: Path) -> None:
    options = SourceOptions(SourceKind.QUPATH, Path("project.qpproj"))
    with pytest.raises(ConfigError, match="is not there"):
        open_source(tmp_path, options)
    (tmp_path / "project.qpproj.backup").write_text("{}")
    assert isinstance(open_source(tmp_path, options), QuPathProject), "whose reader waits for it"


@pytest.mark.parametrize("kind", [kind for kind in SourceKind if kind is not SourceKind.QUPATH])
def test_a_file_where_a_folder_is_needed_is_told_with_the_way_out(tmp_path: Path, kind: SourceKind) -> None:
    (tmp_path / "slide.svs").touch()
    with pytest.raises(ConfigError, match="is a file; name the folder that it lies in"):
        open_source(tmp_path, SourceOptions(kind, Path("slide.svs")))


def test_a_folder_where_a_project_file_is_needed_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a folder; name the project's file in it, project\.qpproj"):
        open_source(tmp_path, SourceOptions(SourceKind.QUPATH, Path()))


def test_only_qupath_leaves_images_out(tmp_path: Path) -> None:
    assert left_out(ImageScopeFolder(tmp_path)) == ()
