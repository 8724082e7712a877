from pathlib import Path

import pytest

from scripts.experiments.comparisons.document import replace_section


def test_section_is_replaced_and_the_rest_left_alone(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    for name, text in (("one", "first"), ("two", "second"), ("three", "third")):
        replace_section(document, name, text)
    before = document.read_text()

    replace_section(document, "two", "again, with\nlines")

    assert document.read_text() == before.replace("second", "again, with\nlines")
    assert before.index("first") < before.index("second") < before.index("third")


def test_same_section_again_changes_nothing(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    replace_section(document, "one", "text")
    before = document.read_bytes()

    replace_section(document, "one", "text")

    assert document.read_bytes() == before


def test_what_people_wrote_around_sections_stays(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    replace_section(document, "one", "text")
    document.write_text(document.read_text() + "\nA note by hand.\n")

    replace_section(document, "one", "new text")
    replace_section(document, "two", "more")

    assert "new text" in document.read_text()
    assert "A note by hand." in document.read_text()


def test_lost_end_marker_is_told_and_nothing_is_overwritten(tmp_path: Path) -> None:
    document = tmp_path / "experiments.md"
    document.write_text("<!-- experiment one: begin -->\nhalf")

    with pytest.raises(ValueError, match="experiment one: end"):
        replace_section(document, "one", "text")

    assert document.read_text() == "<!-- experiment one: begin -->\nhalf"
