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


def test_only_qupath_leaves_images_out(tmp_path: Path) -> None:
    assert left_out(ImageScopeFolder(tmp_path)) == ()
