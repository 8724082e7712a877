"""The safe way into a file that is there, when others write too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from shapely.geometry import box

from bridge.annotations import Annotation, SlideEntry
from bridge.errors import WriteConflictError
from bridge.imagescope import ImageScopeFolder
from bridge.imagescope.plain import write_imagescope
from bridge.store import Backups
from scripts.conversion.placing import Site, put_in_place, refuse_blocked

OLD, NEW, THEIRS = (write_imagescope([Annotation("a", box(0, 0, side, 9), "Tumor")], None) for side in (10, 20, 30))


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    def build(sleep: Callable[[float], None] = lambda seconds: None) -> Site:
        path = tmp_path / "slide.xml"
        entry = SlideEntry("slide.svs", "slide", tmp_path / "slide.svs", path)
        return Site(ImageScopeFolder(tmp_path), entry, Backups(tmp_path / "backups"), 2.0, sleep)

    return build


def temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".slidebridge-")]


def test_a_new_file_is_made_and_an_old_one_kept_as_backup(site: Callable[..., Site], tmp_path: Path) -> None:
    waited: list[float] = []
    put_in_place(site(), None, OLD)
    assert (tmp_path / "slide.xml").read_bytes() == OLD
    (note,) = put_in_place(site(waited.append), OLD, NEW)
    assert (tmp_path / "slide.xml").read_bytes() == NEW
    assert Path(note.partition(": ")[2]).read_bytes() == OLD
    assert waited == [2.0] and not temporaries(tmp_path)


def test_a_file_that_appears_meanwhile_stays(site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "slide.xml").write_bytes(THEIRS)
    with pytest.raises(WriteConflictError):
        put_in_place(site(), None, NEW)
    assert (tmp_path / "slide.xml").read_bytes() == THEIRS and not temporaries(tmp_path)


def test_a_save_since_the_reading_stays(site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "slide.xml").write_bytes(THEIRS)
    with pytest.raises(WriteConflictError, match="saved since"):
        put_in_place(site(), OLD, NEW)
    assert (tmp_path / "slide.xml").read_bytes() == THEIRS and not temporaries(tmp_path)


def test_a_save_into_the_displaced_file_comes_back(site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "slide.xml").write_bytes(OLD)

    def save_meanwhile(seconds: float) -> None:
        (displaced,) = temporaries(tmp_path)  # the viewer had it open under its old name
        displaced.write_bytes(THEIRS)

    with pytest.raises(WriteConflictError, match="back in its place"):
        put_in_place(site(save_meanwhile), OLD, NEW)
    assert (tmp_path / "slide.xml").read_bytes() == THEIRS


def test_a_half_written_file_is_refused(site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "slide.xml").write_bytes(OLD[:-9])
    with pytest.raises(WriteConflictError, match="not completely written"):
        refuse_blocked(site())


def test_equal_bytes_are_not_written_again(site: Callable[..., Site], tmp_path: Path) -> None:
    (tmp_path / "slide.xml").write_bytes(OLD)
    before = (tmp_path / "slide.xml").stat().st_ino
    put_in_place(site(), OLD, OLD)
    assert (tmp_path / "slide.xml").stat().st_ino == before and not (tmp_path / "backups").exists()
