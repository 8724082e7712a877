"""QuPath's own list of classes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.errors import QuPathFormatError
from bridge.qupath.class_list import read_class_list
from bridge.qupath.new_project import merged_classes


def test_classes_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_bytes(merged_classes(b"", {"Tumor: Positive": (200, 0, 1), "A": (0, 0, 0)}))
    assert list(read_class_list(path).items()) == [("Tumor: Positive", (200, 0, 1)), ("A", (0, 0, 0))]


def test_no_file_is_no_classes(tmp_path: Path) -> None:
    assert read_class_list(tmp_path / "classes.json") == {}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pathClasses": 3}'])
def test_a_broken_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "classes.json"
    path.write_text(text)
    with pytest.raises(QuPathFormatError, match=r"classes\.json"):
        read_class_list(path)


def test_a_real_list_is_read(shared_data: Path) -> None:
    found = read_class_list(shared_data / "qupath_projects" / "shapes_070" / "classifiers" / "classes.json")
    assert found["Tumor"] == (200, 0, 0) and "Tumor: Positive" in found
