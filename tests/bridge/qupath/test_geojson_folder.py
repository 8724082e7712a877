"""The GeoJSON folder as a source."""

from __future__ import annotations

import gzip
import uuid
from pathlib import Path

import pytest
import shapely

from bridge.annotations.objects import Annotation
from bridge.annotations.source import Edits, MachineObject, MachineRole, Source
from bridge.errors import AnnotationFileError, GeoJSONFormatError
from bridge.qupath.geojson import write_geojson
from bridge.qupath.geojson_folder import GeoJSONFolder


def folder_of(root: Path, *names: str) -> GeoJSONFolder:
    for name in names:
        (root / name).write_bytes(b"")
    return GeoJSONFolder(root)


def a_file() -> bytes:
    return write_geojson([Annotation(str(uuid.uuid4()), shapely.box(0, 0, 9, 9), "Tumor", color=(1, 2, 3))])


def edits() -> Edits:
    box = shapely.box(0, 0, 5, 5)
    added = MachineObject(str(uuid.uuid4()), MachineRole.PREDICTION, "Tumor: Predicted", box, (1, 2, 3))
    return Edits("w1", add=(added,))


def test_it_is_a_source(tmp_path: Path) -> None:
    source: Source = GeoJSONFolder(tmp_path)
    assert source.root == tmp_path
    assert source.slides() == ()


def test_slides_are_listed_with_the_file_beside_them(tmp_path: Path) -> None:
    source = folder_of(tmp_path, "b.SVS", "a.ndpi", "c.tif", "c.geojson.gz", "d.png", "d.geojson", "d.geojson.gz")
    folder_of(tmp_path, "notes.txt", "e.geojson", "._a.ndpi")
    (tmp_path / "dir.svs").mkdir()
    found = {entry.key: entry.annotation_path.name for entry in source.slides()}
    assert found == {"a.ndpi": "a.geojson", "b.SVS": "b.geojson", "c.tif": "c.geojson.gz", "d.png": "d.geojson"}
    assert [entry.name for entry in source.slides()] == ["a", "b", "c", "d"]
    assert all(entry.slide_path.parent == tmp_path for entry in source.slides())


def test_a_picture_beside_a_slide_is_no_slide(tmp_path: Path) -> None:
    assert [entry.key for entry in folder_of(tmp_path, "a.jpg", "a.svs", "a.png").slides()] == ["a.svs"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="nowhere"):
        GeoJSONFolder(tmp_path / "nowhere").slides()


def test_a_first_file_can_be_edited_and_read(tmp_path: Path) -> None:
    (entry,) = folder_of(tmp_path, "a.svs").slides()
    source = GeoJSONFolder(tmp_path)
    data = source.create(entry)
    assert len(source.parse(data, entry)) == 0
    written = source.parse(source.apply(data, edits(), entry), entry)
    assert [a.is_ours for a in written.annotations] == [True]
    assert written.write_marker == "w1"
    assert source.companions(data, entry) == {}


def test_a_gzip_file_stays_one(tmp_path: Path) -> None:
    (entry,) = folder_of(tmp_path, "a.svs", "a.geojson.gz").slides()
    source = GeoJSONFolder(tmp_path)
    assert len(source.parse(source.create(entry), entry)) == 0
    assert gzip.decompress(source.create(entry)) == source.create(folder_of(tmp_path, "b.svs").slides()[1])
    change = edits()
    assert gzip.decompress(source.apply(gzip.compress(a_file()), change, entry)).count(b'"Feature"') == 2


@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_a_file_that_is_not_whole_blocks(tmp_path: Path, suffix: str) -> None:
    data = gzip.compress(a_file()) if suffix.endswith("gz") else a_file()
    (tmp_path / f"a{suffix}").write_bytes(data)
    source = folder_of(tmp_path, "a.svs")
    (entry,) = source.slides()
    assert source.blocker(entry) is None
    for end in (0, data.rindex(b'"') if suffix == ".geojson" else len(data) // 3, len(data) - 1):
        entry.annotation_path.write_bytes(data[:end])
        reason = source.blocker(entry)
        assert reason is not None and "not whole" in reason and "\n" not in reason
        with pytest.raises(GeoJSONFormatError, match=f"a{suffix}"):
            source.parse(data[:end], entry)
    entry.annotation_path.unlink()
    assert source.blocker(entry) is None


def test_errors_name_the_file(tmp_path: Path) -> None:
    (entry,) = folder_of(tmp_path, "a.svs").slides()
    with pytest.raises(GeoJSONFormatError) as caught:
        GeoJSONFolder(tmp_path).apply(b"[]", Edits("w", delete=frozenset({"x"})), entry)
    assert caught.value.path == entry.annotation_path
