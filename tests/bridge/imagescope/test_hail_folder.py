"""An H-AI-L project as a source: which of its files counts, and whose it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.annotations import Edits, FileUse, SlideEntry
from bridge.errors import AnnotationFileError
from bridge.imagescope import HailFolder, LayerClass

CLASSES = (LayerClass(1, "Glomerulus", (255, 0, 0)),)
EMPTY = b"<Annotations>\n</Annotations>\n"


@pytest.fixture
def source(tmp_path: Path) -> HailFolder:
    (tmp_path / "TRAINING_data" / "0").mkdir(parents=True)
    return HailFolder(tmp_path, CLASSES)


def put(source: HailFolder, *names: str) -> None:
    for name in names:
        path = source.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(EMPTY if path.suffix == ".xml" else b"pixels")


def only(source: HailFolder) -> SlideEntry:
    (entry,) = source.slides()
    return entry


def test_labelled_slide_is_read_and_never_written(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/0/a.xml")

    entry = only(source)
    assert entry.annotation_path == source.root / "TRAINING_data" / "0" / "a.xml"
    assert (entry.use, entry.written_path) == (FileUse.GIVEN, None)


def test_slide_without_drawings_gets_its_file_among_the_predicted(source: HailFolder) -> None:
    put(source, "TRAINING_data/3/a.b.svs")

    entry = only(source)
    assert entry.written_path == entry.annotation_path == source.root / "Predicted_XMLs" / "a.b.xml"
    assert (entry.use, entry.metadata["iteration"]) == (FileUse.OFFERED, "3")


def test_newest_iteration_counts_by_number_not_by_name(source: HailFolder) -> None:
    put(source, *(f"TRAINING_data/{i}/a.{kind}" for i in (2, 10, 9) for kind in ("svs", "xml")))

    entry = only(source)
    assert {entry.slide_path.parent.name, entry.annotation_path.parent.name, entry.metadata["iteration"]} == {"10"}


def test_drawings_moved_without_their_slide_belong_to_it(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/0/a.xml", "TRAINING_data/1/a.xml", "TRAINING_data/1/b.svs")

    first, second = source.slides()
    assert first.slide_path.parent.name == "0"
    assert first.annotation_path.parent.name == "1"
    assert (second.key, second.use) == ("b.svs", FileUse.OFFERED)


def test_older_drawings_count_with_the_slide_beside_them_when_a_newer_copy_of_it_has_none(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/0/a.xml", "TRAINING_data/1/a.svs")

    entry = only(source)
    assert (entry.slide_path.parent.name, entry.annotation_path.parent.name) == ("0", "0")


def test_key_stays_while_a_slide_moves_through_the_project(source: HailFolder) -> None:
    keys = []
    for place in ("TRAINING_data/0", "TRAINING_data/1", "HOLDOUT_data"):
        put(source, f"{place}/a.svs")
        keys.append(only(source).key)

    assert keys == ["a.svs"] * 3


def test_hold_out_judges_and_is_never_written_labelled_or_not(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/0/a.xml", "HOLDOUT_data/b.svs")

    training, judging = source.slides()
    assert (training.part, judging.part) == (None, "hold-out")  # nobody can judge yet: the hash decides
    assert judging.written_path is None

    put(source, "HOLDOUT_data/b.xml")
    training, judging = source.slides()
    assert (training.part, judging.part, judging.use) == ("train", "hold-out", FileUse.GIVEN)


def test_what_hail_itself_predicted_is_nobodys_drawing(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/0/Predicted_XMLs/a.xml", "HOLDOUT_data/0_Predicted_XMLs/b.xml")

    assert only(source).use is FileUse.OFFERED


def test_what_a_person_may_miss_is_told(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/old/z.svs", "TRAINING_data/0/b.svs", "HOLDOUT_data/b.svs")
    put(source, "TRAINING_data/1/a.svs")
    (source.root / "TRAINING_data" / "1" / "a.svs").write_bytes(b"other pixels")

    assert [entry.key for entry in source.slides()] == ["a.svs", "b.svs"]
    misnamed, differing, judging = source.left_out()
    assert misnamed.startswith("TRAINING_data/old is not read")
    assert differing.startswith("a.svs is not the same file in TRAINING_data/0 and TRAINING_data/1")
    assert judging.startswith("b.svs lies in HOLDOUT_data and in TRAINING_data/0")


def test_folder_that_is_no_project_says_so(tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="no TRAINING_data folder"):
        HailFolder(tmp_path).slides()


def test_errors_name_the_file(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs", "TRAINING_data/0/a.xml")
    entry = only(source)

    for work in (
        lambda: source.parse(b"<Annotations>", entry),
        lambda: source.apply(b"<Annotations>", Edits("w"), entry),
        lambda: source.layers(b"<Annotations>", entry),
    ):
        with pytest.raises(AnnotationFileError) as caught:
            work()
        assert caught.value.path == entry.annotation_path


def test_half_written_file_is_not_read(source: HailFolder) -> None:
    put(source, "TRAINING_data/0/a.svs")
    entry = only(source)
    assert source.blocker(entry) is None

    entry.annotation_path.parent.mkdir()
    entry.annotation_path.write_bytes(source.create(entry)[:-5])
    assert source.blocker(entry) == "it is not completely written yet"
